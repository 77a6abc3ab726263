/* write.c - a graph as an ONNX file, whole: which nodes are written, in what order, what lies around them; and the file
 * read back before it has its name. */
#include "read/onnx/onnx.h"
#include "write/onnx/lower.h"
#include "write/onnx/readback.h"
#include "write/write.h"

#include <stdio.h>

#define LOWEST_OPSET 13 /* DequantizeLinear has an axis from there on; every reader of today has it */
#define MOST ((size_t)1 << 31) /* of a protobuf message */

/* ---- which nodes -------------------------------------------------------------------------------- */

static bool read_by(const pcs_lowering *w, const pcs_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (w->uses[n->out[i]]) return true;
    return false;
}

/* From the last node to the first: alive is what an output needs, through the inputs that the written form reads. */
static precis_status find_alive(pcs_lowering *w)
{
    for (size_t i = 0; i < w->what->n_outputs; i++) w->uses[w->what->outputs[i].value]++;
    for (size_t i = w->g->n_nodes; i-- > 0;) {
        const pcs_node *n = &w->g->nodes[i];
        const pcs_lower_row *row = pcs_lower_row_of(n->op);
        if (!read_by(w, n)) continue;
        if (!row) return pcs_cannot(w, n, "ONNX has no op for it");
        w->alive[i] = true;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (k > 31 || row->reads & 1u << k) w->uses[n->in[k]]++;
    }
    return PRECIS_OK;
}

static void find_taken(pcs_lowering *w)
{
    for (size_t i = w->g->n_nodes; i-- > 0;) {
        const pcs_lower_row *row = w->alive[i] ? pcs_lower_row_of(w->g->nodes[i].op) : NULL;
        if (row && row->take && !w->taken_node[i]) row->take(w, &w->g->nodes[i]);
    }
}

/* A result has its name before any piece of its node or constant could take it. */
static precis_status name_results(pcs_lowering *w)
{
    for (size_t i = 0; i < w->g->n_nodes; i++)
        for (uint32_t k = 0; k < w->g->nodes[i].n_out && w->alive[i] && !w->taken_node[i]; k++)
            if ((k == 0 || w->uses[w->g->nodes[i].out[k]]) && !pcs_result_name(w, w->g->nodes[i].out[k]))
                return PRECIS_ENOMEM;
    return PRECIS_OK;
}

static precis_status lower_nodes(pcs_lowering *w)
{
    const precis_status named = name_results(w);
    if (named) return named;
    for (size_t i = 0; i < w->g->n_nodes; i++) {
        if (!w->alive[i] || w->taken_node[i]) continue;
        const pcs_lower_row *row = pcs_lower_row_of(w->g->nodes[i].op);
        pcs_needs_opset(w, row->since);
        const precis_status st = row->lower(w, &w->g->nodes[i], row);
        if (st) return w->error ? w->error : st;
    }
    return PRECIS_OK;
}

/* ---- names of inputs and outputs ------------------------------------------------------------------ */

/* An output that is an input, a constant or another output gets a node that hands it on. */
static precis_status name_ports(pcs_lowering *w)
{
    for (size_t i = 0; i < w->what->n_inputs; i++) {
        const pcs_onnx_named *p = &w->what->inputs[i];
        if (!(w->names[p->value] = pcs_fresh_name(w, p->name))) return PRECIS_ENOMEM;
        if (strcmp(w->names[p->value], p->name))
            return pcs_fail(w->ctx, PRECIS_EFORMAT, "input %s is there twice", p->name);
    }
    for (size_t i = 0; i < w->what->n_outputs; i++) {
        const pcs_onnx_named *p = &w->what->outputs[i];
        const char *name = pcs_fresh_name(w, p->name);
        if (!name) return PRECIS_ENOMEM;
        if (strcmp(name, p->name))
            return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                            "output %s has the name of an input or of another output, which ONNX does not have; give "
                            "it a name of its own (torch: x.clone())",
                            p->name);
        if (pcs_maker(w, p->value) && !w->names[p->value]) w->names[p->value] = name;
    }
    return PRECIS_OK;
}

static precis_status hand_on(pcs_lowering *w)
{
    for (size_t i = 0; i < w->what->n_outputs; i++) {
        const pcs_onnx_named *p = &w->what->outputs[i];
        const char *have = pcs_name(w, p->value);
        if (!have) return w->error ? w->error : PRECIS_ENOMEM;
        if (!strcmp(have, p->name)) continue;
        const precis_status st = pcs_emit(w, &(pcs_made_node){
                                                 .op = "Identity", .in = { have }, .n_in = 1,
                                                 .out = { p->name }, .n_out = 1 });
        if (st) return st;
    }
    return PRECIS_OK;
}

static precis_status add_extras(pcs_lowering *w)
{
    for (size_t i = 0; i < w->what->n_extras; i++) {
        const pcs_onnx_extra *e = &w->what->extras[i];
        const char *name = pcs_initializer(w, e->name, e->dtype, 1, &e->n, e->data);
        if (!name) return PRECIS_ENOMEM;
        if (strcmp(name, e->name))
            return pcs_fail(w->ctx, PRECIS_EFORMAT, "constant %s is there twice", e->name);
    }
    return PRECIS_OK;
}

/* ---- parts of the file ---------------------------------------------------------------------------- */

/* A message within a message: its bytes are in `inner`. */
static precis_status nest(pcs_buf *to, uint32_t number, pcs_buf *inner)
{
    const precis_status st = pcs_put_bytes(to, number, inner->data, inner->len);
    inner->len = 0;
    return st;
}

static precis_status put_shape(pcs_lowering *w, pcs_buf *to, const pcs_value *v)
{
    pcs_buf one;
    precis_status st = PRECIS_OK;
    pcs_buf_init(&one, w->ctx, MOST);
    for (uint32_t i = 0; i < v->dims && !st; i++) {
        const int64_t d = v->shape[i];
        const pcs_dim *dim = pcs_dim_is_id(d) ? &w->g->dims[d - PCS_DIM_FIRST] : NULL;
        one.len = 0;
        if (!dim) st = pcs_put_varint(&one, 1, (uint64_t)d);
        else if (dim->kind == PCS_DIM_SYMBOL && dim->name) st = pcs_put_text(&one, 2, dim->name);
        if (!st) st = nest(to, 1, &one);
    }
    pcs_buf_free(&one);
    return st;
}

static precis_status put_port(pcs_lowering *w, pcs_buf *graph, uint32_t number, const pcs_onnx_named *p)
{
    const pcs_value *v = pcs_v(w, p->value);
    pcs_buf shape, tensor, type, port;
    pcs_buf *all[] = { &shape, &tensor, &type, &port };
    for (int i = 0; i < 4; i++) pcs_buf_init(all[i], w->ctx, MOST);
    precis_status st = pcs_onnx_type(v->dtype) ? put_shape(w, &shape, v)
                                               : pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s is of type %s, which ONNX "
                                                          "does not have", p->name, pcs_dtype_name(v->dtype));
    if (!st) st = pcs_put_varint(&tensor, 1, (uint64_t)pcs_onnx_type(v->dtype));
    if (!st) st = nest(&tensor, 2, &shape);
    if (!st) st = nest(&type, 1, &tensor);
    if (!st) st = pcs_put_text(&port, 1, p->name);
    if (!st) st = nest(&port, 2, &type);
    if (!st) st = nest(graph, number, &port);
    for (int i = 0; i < 4; i++) pcs_buf_free(all[i]);
    return st;
}

static uint64_t elements(const pcs_made_initializer *t)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < t->dims; i++) n *= (uint64_t)t->shape[i];
    return n;
}

static uint64_t raw_bytes(const pcs_made_initializer *t)
{
    return (elements(t) * pcs_dtype_bits(t->dtype) + 7) / 8;
}

/* All of a TensorProto but its bytes. */
static precis_status tensor_head(pcs_lowering *w, const pcs_made_initializer *t, pcs_buf *b)
{
    precis_status st = PRECIS_OK;
    b->len = 0;
    if (!pcs_onnx_type(t->dtype))
        return pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "constant %s is of type %s, which ONNX does not have", t->name,
                        pcs_dtype_name(t->dtype));
    for (uint32_t i = 0; i < t->dims && !st; i++) st = pcs_put_varint(b, 1, (uint64_t)t->shape[i]);
    if (!st) st = pcs_put_varint(b, 2, (uint64_t)pcs_onnx_type(t->dtype));
    if (!st) st = pcs_put_text(b, 8, t->name);
    return st ? st : pcs_put_head(b, 9, raw_bytes(t));
}

/* Elements as the file has them: those of 4 and 2 bits share bytes, the first in the low bits. */
static precis_status add_raw(pcs_out *o, const pcs_made_initializer *t)
{
    const uint32_t bits = pcs_dtype_bits(t->dtype), each = bits < 8 ? 8 / bits : 1;
    const uint64_t n = elements(t), bytes = raw_bytes(t);
    const uint8_t *p = t->data;
    precis_status st = PRECIS_OK;
    if (each == 1) {
        for (uint64_t at = 0; at < bytes && !st; at += 1u << 24)
            st = pcs_out_add(o, p + at, (size_t)(bytes - at < 1u << 24 ? bytes - at : 1u << 24));
        return st;
    }
    for (uint64_t at = 0; at < n && !st;) {
        uint8_t part[4096] = { 0 };
        size_t k = 0;
        for (; k < sizeof part && at < n; k++)
            for (uint32_t i = 0; i < each && at < n; i++, at++)
                part[k] |= (uint8_t)((p[at] & ((1u << bits) - 1)) << (bits * i));
        st = pcs_out_add(o, part, k);
    }
    return st;
}

/* Model fields around the graph. */
/* What inputs were fixed to, as entries of the metadata. */
static precis_status put_fixed(pcs_lowering *w, pcs_buf *b)
{
    const pcs_netfile *f = w->what->net;
    precis_status st = PRECIS_OK;
    pcs_buf entry;
    pcs_buf_init(&entry, w->ctx, MOST);
    for (size_t i = 0; f && i < f->n_fixed && !st; i++) {
        const pcs_port *p = &f->inputs[f->n_inputs + i];
        char value[64];
        const char *key = pcs_arena_printf(&w->arena, "%s%s", PCS_ONNX_FIXED, p->name);
        pcs_port_print_fixed(p, value, sizeof value);
        st = key ? pcs_put_text(&entry, 1, key) : PRECIS_ENOMEM;
        if (!st) st = pcs_put_text(&entry, 2, value);
        if (!st) st = nest(b, 14, &entry);
    }
    pcs_buf_free(&entry);
    return st;
}

static precis_status model_head(pcs_lowering *w, pcs_buf *b)
{
    const int64_t ir = w->opset >= 23 ? 11 : w->opset >= 21 ? 10 : w->opset >= 19 ? 9 : 8;
    pcs_buf opset;
    pcs_buf_init(&opset, w->ctx, MOST);
    precis_status st = pcs_put_varint(b, 1, (uint64_t)ir);
    if (!st) st = pcs_put_text(b, 2, "precis");
    if (!st) st = pcs_put_text(b, 3, precis_version());
    if (!st) st = pcs_put_text(&opset, 1, "");
    if (!st) st = pcs_put_varint(&opset, 2, (uint64_t)w->opset);
    if (!st) st = nest(b, 8, &opset);
    if (!st && w->microsoft) {
        st = pcs_put_text(&opset, 1, "com.microsoft");
        if (!st) st = pcs_put_varint(&opset, 2, 1);
        if (!st) st = nest(b, 8, &opset);
    }
    if (!st && w->functions) {
        st = pcs_put_text(&opset, 1, PCS_ONNX_DOMAIN);
        if (!st) st = pcs_put_varint(&opset, 2, 1);
        if (!st) st = nest(b, 8, &opset);
        if (!st) st = pcs_put_gru_functions(w, b);
    }
    if (!st) st = put_fixed(w, b);
    pcs_buf_free(&opset);
    return st;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static precis_status graph_bytes(pcs_lowering *w, const pcs_buf *ports, uint64_t *bytes)
{
    pcs_buf head, outer;
    precis_status st = PRECIS_OK;
    pcs_buf_init(&head, w->ctx, MOST);
    pcs_buf_init(&outer, w->ctx, MOST);
    *bytes = w->nodes.len + ports->len;
    for (size_t i = 0; i < w->n_initializers && !st; i++) {
        uint64_t one = raw_bytes(&w->initializers[i]);
        st = tensor_head(w, &w->initializers[i], &head);
        outer.len = 0;
        if (!st) st = pcs_put_head(&outer, 5, one + head.len);
        if (!st && !pcs_add_ok(*bytes, one + head.len + outer.len, bytes)) st = PRECIS_ENOMEM;
    }
    pcs_buf_free(&head);
    pcs_buf_free(&outer);
    return st;
}

static precis_status put_all(pcs_lowering *w, pcs_out *o, const pcs_buf *top, const pcs_buf *ports)
{
    pcs_buf head, outer;
    pcs_buf_init(&head, w->ctx, MOST);
    pcs_buf_init(&outer, w->ctx, MOST);
    precis_status st = pcs_out_add(o, top->data, top->len);
    if (!st && w->nodes.len) st = pcs_out_add(o, w->nodes.data, w->nodes.len);
    for (size_t i = 0; i < w->n_initializers && !st; i++) {
        const pcs_made_initializer *t = &w->initializers[i];
        st = tensor_head(w, t, &head);
        outer.len = 0;
        if (!st) st = pcs_put_head(&outer, 5, raw_bytes(t) + head.len);
        if (!st) st = pcs_out_add(o, outer.data, outer.len);
        if (!st) st = pcs_out_add(o, head.data, head.len);
        if (!st) st = add_raw(o, t);
    }
    if (!st) st = pcs_out_add(o, ports->data, ports->len);
    pcs_buf_free(&head);
    pcs_buf_free(&outer);
    return st;
}

static precis_status hand_over(const pcs_lowering *w, const pcs_out *o)
{
    char self[4096];
    pcs_out_self(o, self, sizeof self);
    return w->what->instead(w->what->user, self);
}

static precis_status write_file(pcs_lowering *w, const char *path, pcs_onnx_written *written)
{
    pcs_buf top, ports;
    pcs_out o = { .ctx = w->ctx, .fd = -1 };
    uint64_t bytes = 0;
    pcs_buf_init(&top, w->ctx, MOST);
    pcs_buf_init(&ports, w->ctx, MOST);
    precis_status st = pcs_put_text(&ports, 2, "precis");
    for (size_t i = 0; i < w->what->n_inputs && !st; i++) st = put_port(w, &ports, 11, &w->what->inputs[i]);
    for (size_t i = 0; i < w->what->n_outputs && !st; i++) st = put_port(w, &ports, 12, &w->what->outputs[i]);
    if (!st) st = graph_bytes(w, &ports, &bytes);
    if (!st) st = model_head(w, &top);
    if (!st) st = pcs_put_head(&top, 7, bytes);
    if (!st && bytes + top.len >= MOST)
        st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED, "%s: would have %llu bytes; an ONNX file has less than 2^31", path,
                      (unsigned long long)bytes);
    if (!st) st = pcs_out_open(w->ctx, &o, path, bytes + top.len, NULL);
    if (!st) st = put_all(w, &o, &top, &ports);
    if (!st) st = pcs_out_finish(&o);
    if (!st) st = pcs_onnx_read_back(w->ctx, w->what, &o);
    if (!st) st = w->what->instead ? hand_over(w, &o) : pcs_out_name_beside(&o, w->what->beside);
    pcs_out_close(&o);
    if (written) *written = (pcs_onnx_written){ bytes + top.len, w->opset, w->n_nodes };
    pcs_buf_free(&top);
    pcs_buf_free(&ports);
    return st;
}

static precis_status open_lowering(pcs_lowering *w)
{
    const precis_graph *g = w->g;
    pcs_arena_init(&w->arena, w->ctx);
    pcs_map_init(&w->taken, w->ctx);
    pcs_map_init(&w->taken_nodes, w->ctx);
    pcs_buf_init(&w->nodes, w->ctx, MOST);
    pcs_buf_init(&w->scratch, w->ctx, MOST);
    w->names = pcs_arena_alloc(&w->arena, g->n_values + 1, sizeof *w->names);
    w->uses = pcs_arena_alloc(&w->arena, g->n_values + 1, sizeof *w->uses);
    w->alive = pcs_arena_alloc(&w->arena, g->n_nodes + 1, sizeof *w->alive);
    w->taken_node = pcs_arena_alloc(&w->arena, g->n_nodes + 1, sizeof *w->taken_node);
    w->dims = pcs_arena_alloc(&w->arena, g->n_dims + 1, sizeof *w->dims);
    return w->names && w->uses && w->alive && w->taken_node && w->dims ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_onnx_save(precis_ctx *ctx, const pcs_onnx_saved *what, const char *path, pcs_onnx_written *written)
{
    pcs_lowering w = { .ctx = ctx, .g = what->graph, .what = what };
    w.opset = what->opset > LOWEST_OPSET ? what->opset : LOWEST_OPSET;
    precis_status st = open_lowering(&w);
    if (!st) st = find_alive(&w);
    if (!st) find_taken(&w);
    if (!st) st = name_ports(&w);
    if (!st) st = lower_nodes(&w);
    if (!st) st = hand_on(&w);
    if (!st) st = add_extras(&w);
    if (!st) st = write_file(&w, path, written);
    pcs_free(ctx, w.initializers);
    pcs_buf_free(&w.nodes);
    pcs_buf_free(&w.scratch);
    pcs_map_free(&w.taken);
    pcs_map_free(&w.taken_nodes);
    pcs_arena_free(&w.arena);
    return st;
}
