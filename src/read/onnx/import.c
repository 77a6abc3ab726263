/* import.c - a file's nodes become a graph: names, attributes, results, one node after another. */
#include "read/onnx/raise.h"

#include <stdio.h>

/* ---- names -------------------------------------------------------------------------------------- */

void pcs_scope_open(pcs_scope *s, pcs_import *im, pcs_scope *up)
{
    *s = (pcs_scope){ .up = up, .depth = up ? up->depth + 1 : 0 };
    if (up) s->opsets = up->opsets, s->caller = up->caller;
    pcs_map_init(&s->names, im->ctx);
}

void pcs_scope_close(pcs_scope *s) { pcs_map_free(&s->names); }

precis_value pcs_scope_find(const pcs_scope *s, pcs_str name)
{
    uint32_t v;
    for (; s; s = s->up)
        if (pcs_map_get(&s->names, name.s, name.n, &v)) return (precis_value)v;
    return -1;
}

precis_status pcs_scope_bind(pcs_import *im, pcs_scope *s, pcs_str name, precis_value v)
{
    bool existed;
    const precis_status st = pcs_map_put(&s->names, name.s, name.n, (uint32_t)v, &existed);
    if (!st && existed)
        return pcs_onnx_damage(im->net, name.s, "graph", "value %.*s is made twice", (int)(name.n < 80 ? name.n : 80),
                               name.s);
    return st;
}

/* ---- a node in the file ------------------------------------------------------------------------- */

static pcs_str text_of(const pcs_proto_field *f)
{
    return (pcs_str){ (const char *)f->inner.p, pcs_proto_size(f->inner) };
}

static precis_status read_attr(pcs_onnx_node *n, pcs_proto m, pcs_onnx_attr *a)
{
    pcs_proto_field f;
    bool bad;
    *a = (pcs_onnx_attr){ .name = { "", 0 }, .ref = { "", 0 }, .body = m };
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number == 1 && f.wire == PCS_PROTO_BYTES) a->name = text_of(&f);
        if (f.number == 21 && f.wire == PCS_PROTO_BYTES) a->ref = text_of(&f);
        if (f.number == 20 && f.wire == PCS_PROTO_VARINT) a->type = (int64_t)f.value;
    }
    return bad ? pcs_onnx_damage(n->im->net, m.p, n->name, "an attribute is damaged") : PRECIS_OK;
}

/* Attribute ref_attr_name of a node in a function is the caller's; left out where the caller has none. */
static void resolve(pcs_onnx_node *n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->n_attr; i++) {
        pcs_onnx_attr a = n->attr[i];
        if (a.ref.n) {
            const pcs_onnx_node *caller = n->scope->caller;
            uint32_t k = 0;
            while (caller && k < caller->n_attr && !pcs_str_same(caller->attr[k].name, a.ref)) k++;
            if (!caller || k == caller->n_attr) continue;
            caller->attr[k].used = true;
            const pcs_str name = a.name;
            a = caller->attr[k];
            a.name = name;
            a.used = false;
        }
        n->attr[kept++] = a;
    }
    n->n_attr = kept;
}

static void name_node(pcs_onnx_node *n, pcs_str given)
{
    pcs_str s = given;
    for (uint32_t i = 0; i < n->n_out && !s.n; i++) s = n->out_names[i];
    const size_t k = s.n < sizeof n->name - 1 ? s.n : sizeof n->name - 1;
    memcpy(n->name, s.n ? s.s : "", k);
    n->name[k] = 0;
}

static precis_status read_node(pcs_onnx_node *n, pcs_proto m)
{
    pcs_proto_field f;
    pcs_str name = { "", 0 };
    bool bad;
    n->body = m;
    n->op = n->domain = n->overload = (pcs_str){ "", 0 };
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) {
        n->n_in += f.number == 1 && f.wire == PCS_PROTO_BYTES;
        n->n_out += f.number == 2 && f.wire == PCS_PROTO_BYTES;
        n->n_attr += f.number == 5 && f.wire == PCS_PROTO_BYTES;
    }
    n->in_names = pcs_room(n, n->n_in + 1, sizeof *n->in_names);
    n->out_names = pcs_room(n, n->n_out + 1, sizeof *n->out_names);
    n->in = pcs_room(n, n->n_in + 1, sizeof *n->in);
    n->out = pcs_room(n, n->n_out + 1, sizeof *n->out);
    n->attr = pcs_room(n, n->n_attr + 1, sizeof *n->attr);
    if (!n->in_names || !n->out_names || !n->in || !n->out || !n->attr) return n->im->error;
    n->n_in = n->n_out = n->n_attr = 0;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.wire != PCS_PROTO_BYTES) continue;
        const pcs_str s = text_of(&f);
        if (f.number == 1) n->in_names[n->n_in++] = s;
        else if (f.number == 2) n->out_names[n->n_out++] = s;
        else if (f.number == 3) name = s;
        else if (f.number == 4) n->op = s;
        else if (f.number == 7) n->domain = s;
        else if (f.number == 8) n->overload = s;
        else if (f.number == 5) {
            const precis_status st = read_attr(n, f.inner, &n->attr[n->n_attr++]);
            if (st) return st;
        }
    }
    if (bad)
        return pcs_onnx_damage(n->im->net, m.p, "node",
                               "is damaged: a field is longer than what holds it, or of no known kind");
    if (pcs_str_is(n->domain, "ai.onnx")) n->domain = (pcs_str){ "", 0 };
    name_node(n, name);
    resolve(n);
    return PRECIS_OK;
}

/* ---- functions of the model --------------------------------------------------------------------- */

enum { PORTS = 4096 }; /* inputs, results and attributes of a call: each is looked for among all */

/* Names of a field of the function, one after another. */
static pcs_str nth_name(pcs_proto m, uint32_t number, uint32_t i)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&m, &f, &bad))
        if (f.number == number && f.wire == PCS_PROTO_BYTES && i-- == 0) return text_of(&f);
    return (pcs_str){ NULL, 0 };
}

/* What the function says an attribute is where the caller gives none. */
static precis_status default_attributes(pcs_onnx_node *n, const pcs_onnx_function *fn)
{
    pcs_proto m = fn->body;
    pcs_proto_field f;
    uint32_t more = 0;
    bool bad;
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) more += f.number == 11 && f.wire == PCS_PROTO_BYTES;
    pcs_onnx_attr *all = pcs_room(n, n->n_attr + more + 1, sizeof *all);
    if (!all) return n->im->error;
    memcpy(all, n->attr, n->n_attr * sizeof *all);
    n->attr = all;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number != 11 || f.wire != PCS_PROTO_BYTES) continue;
        pcs_onnx_attr a;
        const precis_status st = read_attr(n, f.inner, &a);
        if (st) return st;
        uint32_t k = 0;
        while (k < n->n_attr && !pcs_str_same(n->attr[k].name, a.name)) k++;
        if (k == n->n_attr) n->attr[n->n_attr++] = a;
        if (n->n_attr > PORTS)
            return pcs_onnx_damage(n->im->net, n->body.p, n->name, "has more than %d attributes", PORTS);
    }
    return PRECIS_OK;
}

static precis_status inline_function(pcs_onnx_node *n, pcs_onnx_function *fn)
{
    pcs_import *im = n->im;
    pcs_scope inner;
    if (fn->open)
        return pcs_onnx_damage(im->net, n->body.p, n->name, "function %.*s calls itself",
                               (int)(n->op.n < 60 ? n->op.n : 60), n->op.s);
    if (n->n_in > PORTS || n->n_out > PORTS || n->n_attr > PORTS)
        return pcs_onnx_damage(im->net, n->body.p, n->name, "has more than %d inputs, results or attributes", PORTS);
    if (n->scope->depth >= PCS_LIMIT_NET_DEPTH)
        return pcs_onnx_damage(im->net, n->body.p, n->name, "functions nest deeper than %d", PCS_LIMIT_NET_DEPTH);
    if (!pcs_fits(n, fn->body, 7, 1)) return im->error;
    precis_status st = default_attributes(n, fn);
    pcs_scope_open(&inner, im, NULL);
    inner.depth = n->scope->depth + 1;
    inner.opsets = fn->opsets.n ? fn->opsets : n->scope->opsets;
    inner.caller = n;
    fn->open = true;
    for (uint32_t i = 0; i < n->n_in && !st; i++) {
        const pcs_str name = nth_name(fn->body, 4, i);
        if (!name.s) st = pcs_onnx_damage(im->net, n->body.p, n->name, "has more inputs than its function");
        else if (n->in[i] >= 0) st = pcs_scope_bind(im, &inner, name, n->in[i]);
    }
    if (!st) st = pcs_import_nodes(im, &inner, fn->body, 7);
    for (uint32_t i = 0; i < n->n_out && !st; i++) {
        const pcs_str name = nth_name(fn->body, 5, i);
        n->out[i] = name.s ? pcs_scope_find(&inner, name) : -1;
        if (n->out[i] < 0 && n->out_names[i].n)
            st = pcs_onnx_damage(im->net, n->body.p, n->name, "its function makes no result %u", i);
    }
    fn->open = false;
    for (uint32_t i = 0; i < n->n_attr; i++) n->attr[i].used = true;
    pcs_scope_close(&inner);
    return st;
}

/* ---- one node ----------------------------------------------------------------------------------- */

static precis_status find_inputs(pcs_onnx_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_str s = n->in_names[i];
        n->in[i] = s.n ? pcs_scope_find(n->scope, s) : -1;
        if (n->in[i] >= 0 || !s.n) continue;
        if (n->scope->caller) continue; /* a function's input that its caller leaves out */
        return pcs_onnx_damage(n->im->net, s.s, n->name, "its input %.*s is nothing that stands before it",
                               (int)(s.n < 80 ? s.n : 80), s.s);
    }
    return PRECIS_OK;
}

static precis_status bind_results(pcs_onnx_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out_names[i].n) continue;
        if (n->out[i] < 0) {
            pcs_refuse(n, "result %u is not made here", i);
            return n->im->error;
        }
        precis_status st = pcs_scope_bind(n->im, n->scope, n->out_names[i], n->out[i]);
        if (!st && n->im->result && !n->made) /* it hands on what others make */
            st = pcs_netfile_keep_piece(n->im->file, n->im->result, n->name, n->out[i]);
        if (!st && n->im->result && !n->scope->up)
            st = pcs_netfile_keep_name(n->im->file, n->im->result, n->out_names[i], n->out[i]);
        if (st) return st;
    }
    return PRECIS_OK;
}

static precis_status raise(pcs_onnx_node *n)
{
    pcs_onnx_function *fn = pcs_onnx_function_of(n->im->net, n->domain, n->op);
    n->version = pcs_onnx_version(&n->scope->opsets, n->domain);
    if (fn) return inline_function(n, fn);
    n->row = pcs_onnx_row_of(n->domain, n->op, n->version);
    if (!n->row) {
        pcs_refuse(n, "op %.*s%s%.*s of opset %lld is not supported", (int)(n->domain.n < 40 ? n->domain.n : 40),
                   n->domain.s, n->domain.n ? ":" : "", (int)(n->op.n < 60 ? n->op.n : 60), n->op.s,
                   (long long)n->version);
        return n->im->error;
    }
    int64_t count;
    if (!pcs_takes(n)) return n->im->error;
    for (uint32_t i = 0; i < n->n_in && i < 32; i++)
        if (n->row->contents & 1u << i && n->in[i] >= 0 && !pcs_value_is_known(pcs_of(n, n->in[i])) &&
            !pcs_contents(n, n->in[i], &count))
            return n->im->error;
    for (uint32_t i = 0; i < n->n_out; i++) n->out[i] = -1;
    n->row->raise(n);
    for (uint32_t i = 0; i < n->n_attr && !pcs_failed(n); i++)
        if (!n->attr[i].used)
            pcs_refuse(n, "attribute %.*s is not known", (int)(n->attr[i].name.n < 60 ? n->attr[i].name.n : 60),
                       n->attr[i].name.s);
    return pcs_failed(n) ? n->im->error : PRECIS_OK;
}

static precis_status import_node(pcs_import *im, pcs_scope *scope, pcs_proto m)
{
    pcs_onnx_node n = { .im = im, .scope = scope };
    precis_status st = read_node(&n, m);
    if (!st) st = find_inputs(&n);
    if (!st) st = raise(&n);
    if (!st) st = bind_results(&n);
    if (!st && ++im->nodes > PCS_LIMIT_NET_NODES)
        st = pcs_fail(im->ctx, PRECIS_EFORMAT, "%s: unrolls to more than %d nodes", im->net->file.path,
                      PCS_LIMIT_NET_NODES);
    if (!st && im->nodes % 256 == 0) st = pcs_progress(im->ctx, "import", im->nodes, 0);
    return st;
}

precis_status pcs_import_nodes(pcs_import *im, pcs_scope *scope, pcs_proto g, uint32_t number)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad)) {
        const precis_status st =
            f.number == number && f.wire == PCS_PROTO_BYTES ? import_node(im, scope, f.inner) : PRECIS_OK;
        if (st) return st;
    }
    return bad ? pcs_onnx_damage(im->net, g.p, "graph", "is damaged") : PRECIS_OK;
}

/* ---- initializers and ports --------------------------------------------------------------------- */

static precis_status add_initializer(pcs_import *im, pcs_scope *scope, pcs_proto body)
{
    pcs_onnx_tensor t;
    const precis_status st = pcs_onnx_read_tensor(im->net, &im->g->arena, body, &t);
    if (st) return st;
    if (!t.name.n) return pcs_onnx_damage(im->net, body.p, "initializer", "has no name");
    const char *name = pcs_arena_copy(&im->g->arena, t.name.s, t.name.n);
    if (!name) return PRECIS_ENOMEM;
    const pcs_value v = { .name = name,
                          .dtype = t.dtype,
                          .role = PCS_CONSTANT,
                          .node = -1,
                          .dims = t.dims,
                          .store = pcs_store_rows(t.data, (uint64_t)t.count * pcs_dtype_bytes(t.dtype),
                                                  PCS_KEPT_BY_CALLER),
                          .known = t.dtype == PCS_I64 ? t.data : NULL };
    pcs_value with = v;
    memcpy(with.shape, t.shape, sizeof t.shape);
    const precis_value id = pcs_graph_add_value(im->g, &with);
    if (id < 0) return pcs_fail(im->ctx, im->g->error, "%s", im->g->message);
    return pcs_scope_bind(im, scope, t.name, id);
}

precis_status pcs_import_initializers(pcs_import *im, pcs_scope *scope, pcs_proto g)
{
    pcs_proto_field f;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad)) {
        if (f.number == 15)
            return pcs_fail(im->ctx, PRECIS_EUNSUPPORTED,
                            "%s: has a sparse initializer; make it dense (onnx.numpy_helper.to_array of its values)",
                            im->net->file.path);
        const precis_status st =
            f.number == 5 && f.wire == PCS_PROTO_BYTES ? add_initializer(im, scope, f.inner) : PRECIS_OK;
        if (st) return st;
    }
    return PRECIS_OK;
}

/* Under its name: an input, or one that is fixed. */
static precis_status bind_port(pcs_import *im, pcs_scope *scope, const pcs_port *p, precis_value v)
{
    return pcs_scope_bind(im, scope, (pcs_str){ p->name, strlen(p->name) }, v);
}

static precis_status build(pcs_import *im, pcs_scope *scope, const pcs_netfile_given *given, pcs_netfile_graph *out)
{
    pcs_onnx *net = im->net;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < net->base.n_inputs && !st; i++)
        if (!(st = pcs_import_input(im, i, given ? &given[i] : NULL, &out->inputs[i])))
            st = bind_port(im, scope, &net->base.inputs[i], out->inputs[i]);
    for (size_t i = 0; i < net->base.n_fixed && !st; i++) {
        const pcs_port *p = &net->base.inputs[net->base.n_inputs + i];
        precis_value v;
        if (!p->gone && !(st = pcs_import_fixed(im, i, &v))) st = bind_port(im, scope, p, v);
    }
    if (!st) st = pcs_import_initializers(im, scope, net->graph);
    im->file_bytes = net->file.size;
    for (size_t i = 0; i < net->n_external; i++) im->file_bytes += net->external[i].size;
    if (!st) st = pcs_import_nodes(im, scope, net->graph, 1);
    for (size_t i = 0; i < net->base.n_outputs && !st; i++) {
        const char *name = net->base.outputs[i].name;
        out->outputs[i] = pcs_scope_find(scope, (pcs_str){ name, strlen(name) });
        if (out->outputs[i] < 0) st = pcs_onnx_damage(net, net->graph.p, name, "is an output that nothing makes");
        else precis_graph_output(im->g, out->outputs[i]);
    }
    return st;
}

precis_status pcs_onnx_import(pcs_netfile *file, const pcs_netfile_given *given, pcs_netfile_graph *out)
{
    pcs_onnx *net = (pcs_onnx *)file;
    pcs_import im = { .net = net, .file = file, .start = net->start, .ctx = net->ctx, .g = out->graph,
                      .result = out };
    pcs_scope top;
    pcs_arena_init(&im.arena, net->ctx);
    pcs_scope_open(&top, &im, NULL);
    top.opsets = net->opsets;
    for (size_t i = 0; i < net->n_functions; i++) net->functions[i].open = false;
    const precis_status st = build(&im, &top, given, out);
    out->need = im.need;
    pcs_scope_close(&top);
    pcs_arena_free(&im.arena);
    pcs_free(net->ctx, im.deps);
    return st;
}
