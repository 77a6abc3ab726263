/* wire.c - what an ONNX file says (onnx/onnx.proto): opsets, functions, inputs, outputs, and which ops it has. */
#include "read/onnx/onnx.h"
#include "read/onnx/raise.h"

#include <stdio.h>
#include <stdlib.h>

precis_status pcs_onnx_damage(const pcs_onnx *net, const void *at, const char *what, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pcs_fail_at(net->ctx, PRECIS_EFORMAT, (uint64_t)((const uint8_t *)at - net->start), what, "%s", text);
}

enum { OPSETS = 256 }; /* each node looks for its own among them */

static pcs_str text_of(const pcs_proto_field *f)
{
    return (pcs_str){ (const char *)f->inner.p, pcs_proto_size(f->inner) };
}

static bool is_text(const pcs_proto_field *f, uint32_t number)
{
    return f->number == number && f->wire == PCS_PROTO_BYTES;
}

/* Fields of a message that may come once, counted from 1; a second one is refused, not merged. */
static precis_status once(pcs_onnx *net, const pcs_proto_field *f, uint64_t *seen, const char *what)
{
    if (*seen & (uint64_t)1 << f->number)
        return pcs_onnx_damage(net, f->inner.p, what, "field %u comes twice", f->number);
    *seen |= (uint64_t)1 << f->number;
    return PRECIS_OK;
}

static precis_status broken(pcs_onnx *net, pcs_proto m, const char *what)
{
    return pcs_onnx_damage(net, m.p, what, "is damaged: a field is longer than what holds it, or of no known kind");
}

static precis_status read_opset(pcs_onnx *net, pcs_proto m, pcs_opset *out)
{
    pcs_proto_field f;
    bool bad;
    *out = (pcs_opset){ { "", 0 }, 0 };
    while (pcs_proto_next(&m, &f, &bad)) {
        if (is_text(&f, 1)) out->domain = text_of(&f);
        if (f.number == 2 && f.wire == PCS_PROTO_VARINT) out->version = (int64_t)f.value;
    }
    if (bad) return broken(net, m, "opset_import");
    if (pcs_str_is(out->domain, "ai.onnx")) out->domain = (pcs_str){ "", 0 };
    return PRECIS_OK;
}

/* Opsets under a field number of a message. */
static precis_status read_opsets(pcs_onnx *net, pcs_proto m, uint32_t number, pcs_opsets *out)
{
    pcs_proto walk = m;
    pcs_proto_field f;
    size_t n = 0;
    bool bad;
    while (pcs_proto_next(&walk, &f, &bad)) n += is_text(&f, number);
    if (bad) return broken(net, walk, "model");
    if (n > OPSETS) return pcs_onnx_damage(net, m.p, "model", "counts on more than %d opsets", OPSETS);
    pcs_opset *list = pcs_arena_alloc(&net->arena, n + 1, sizeof *list);
    if (!list) return PRECIS_ENOMEM;
    *out = (pcs_opsets){ list, n };
    for (n = 0; pcs_proto_next(&m, &f, &bad);) {
        const precis_status st = is_text(&f, number) ? read_opset(net, f.inner, &list[n++]) : PRECIS_OK;
        if (st) return st;
    }
    return PRECIS_OK;
}

static precis_status read_dim(pcs_onnx *net, pcs_proto m, pcs_port *port)
{
    pcs_proto_field f;
    bool bad;
    const uint32_t i = port->dims;
    if (i == PCS_GRAPH_DIMS)
        return pcs_onnx_damage(net, m.p, port->name, "has more than %d dimensions", PCS_GRAPH_DIMS);
    port->shape[i] = -1;
    port->symbol[i] = NULL;
    port->dims++;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number == 1 && f.wire == PCS_PROTO_VARINT) port->shape[i] = (int64_t)f.value;
        /* "?" is how some exporters (paddle2onnx) name what has no name: two of them are not one size */
        const bool unknown = pcs_proto_size(f.inner) == 1 && is_text(&f, 2) && *f.inner.p == '?';
        if (is_text(&f, 2) && pcs_proto_size(f.inner) && !unknown &&
            !(port->symbol[i] = pcs_arena_copy(&net->arena, (const char *)f.inner.p, pcs_proto_size(f.inner))))
            return PRECIS_ENOMEM;
    }
    if (bad) return broken(net, m, port->name);
    if (port->shape[i] < -1 || port->shape[i] > PCS_LIMIT_DIM)
        return pcs_onnx_damage(net, m.p, port->name, "dimension %u is %lld", i, (long long)port->shape[i]);
    return PRECIS_OK;
}

static precis_status read_tensor_type(pcs_onnx *net, pcs_proto m, pcs_port *port)
{
    pcs_proto_field f, d;
    bool bad, dim_bad = false;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number == 1 && f.wire == PCS_PROTO_VARINT) port->typed = pcs_onnx_dtype((int64_t)f.value, &port->dtype);
        if (!is_text(&f, 2)) continue;
        if (port->shaped) return pcs_onnx_damage(net, f.inner.p, port->name, "has two shapes");
        port->shaped = true;
        for (pcs_proto s = f.inner; pcs_proto_next(&s, &d, &dim_bad);) {
            const precis_status st = is_text(&d, 1) ? read_dim(net, d.inner, port) : PRECIS_OK;
            if (st) return st;
        }
        if (dim_bad) return broken(net, f.inner, port->name);
    }
    return bad ? broken(net, m, port->name) : PRECIS_OK;
}

precis_status pcs_onnx_read_port(pcs_onnx *net, pcs_proto m, pcs_port *port)
{
    pcs_proto_field f, t;
    bool bad, type_bad = false;
    *port = (pcs_port){ .name = "" };
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);)
        if (is_text(&f, 1) &&
            !(port->name = pcs_arena_copy(&net->arena, (const char *)f.inner.p, pcs_proto_size(f.inner))))
            return PRECIS_ENOMEM;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (!is_text(&f, 2)) continue;
        pcs_proto type = f.inner;
        while (pcs_proto_next(&type, &t, &type_bad)) {
            const precis_status st = is_text(&t, 1) ? read_tensor_type(net, t.inner, port) : PRECIS_OK;
            if (st) return st;
        }
        if (type_bad) return broken(net, type, port->name);
    }
    return bad ? broken(net, m, "value_info") : PRECIS_OK;
}

static precis_status read_function(pcs_onnx *net, pcs_proto m, pcs_onnx_function *out)
{
    pcs_proto_field f;
    bool bad;
    *out = (pcs_onnx_function){ .name = { "", 0 }, .domain = { "", 0 }, .overload = { "", 0 }, .body = m };
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) {
        if (is_text(&f, 1)) out->name = text_of(&f);
        if (is_text(&f, 10)) out->domain = text_of(&f);
        if (is_text(&f, 13)) out->overload = text_of(&f);
    }
    if (pcs_str_is(out->domain, "ai.onnx")) out->domain = (pcs_str){ "", 0 };
    return read_opsets(net, m, 9, &out->opsets);
}

static precis_status read_functions(pcs_onnx *net, pcs_proto m)
{
    pcs_proto walk = m;
    pcs_proto_field f;
    size_t n = 0;
    bool bad;
    while (pcs_proto_next(&walk, &f, &bad)) n += is_text(&f, 25);
    net->functions = pcs_arena_alloc(&net->arena, n + 1, sizeof *net->functions);
    if (!net->functions) return PRECIS_ENOMEM;
    while (pcs_proto_next(&m, &f, &bad)) {
        const precis_status st =
            is_text(&f, 25) ? read_function(net, f.inner, &net->functions[net->n_functions++]) : PRECIS_OK;
        if (st) return st;
    }
    qsort(net->functions, net->n_functions, sizeof *net->functions, pcs_onnx_function_order);
    for (size_t i = 1; i < net->n_functions; i++) {
        const pcs_onnx_function *f1 = &net->functions[i];
        if (!pcs_onnx_function_order(f1 - 1, f1) && pcs_str_same(f1[-1].overload, f1->overload))
            return pcs_onnx_damage(net, f1->body.p, "function", "%.*s is there twice",
                                   (int)(f1->name.n < 60 ? f1->name.n : 60), f1->name.s);
    }
    return PRECIS_OK;
}

/* ---- the graph's ports -------------------------------------------------------------------------- */

static precis_status initializer_names(pcs_onnx *net, pcs_map *names)
{
    pcs_proto_field f, t;
    bool bad;
    for (pcs_proto g = net->graph; pcs_proto_next(&g, &f, &bad);) {
        if (!is_text(&f, 5)) continue;
        for (pcs_proto m = f.inner; pcs_proto_next(&m, &t, &bad);) {
            bool existed;
            const precis_status st =
                is_text(&t, 8) ? pcs_map_put(names, (const char *)t.inner.p, pcs_proto_size(t.inner), 1, &existed)
                               : PRECIS_OK;
            if (st) return st;
        }
    }
    return PRECIS_OK;
}

static precis_status read_ports(pcs_onnx *net, uint32_t number, const pcs_map *leave_out, pcs_port **list, size_t *n)
{
    pcs_proto_field f;
    pcs_proto g = net->graph;
    size_t count = 0;
    bool bad;
    while (pcs_proto_next(&g, &f, &bad)) count += is_text(&f, number);
    if (bad) return broken(net, g, "graph");
    if (!(*list = pcs_arena_alloc(&net->arena, count + 1, sizeof **list))) return PRECIS_ENOMEM;
    for (g = net->graph; pcs_proto_next(&g, &f, &bad);) {
        uint32_t found;
        if (!is_text(&f, number)) continue;
        pcs_port *port = &(*list)[*n];
        const precis_status st = pcs_onnx_read_port(net, f.inner, port);
        if (st) return st;
        if (!leave_out || !pcs_map_get(leave_out, port->name, strlen(port->name), &found)) (*n)++;
    }
    return PRECIS_OK;
}

/* The shape of an initializer, beside that of the input whose default it is. */
static precis_status check_default(pcs_onnx *net, pcs_proto m, const pcs_port *port)
{
    pcs_proto_field f;
    uint32_t dims = 0;
    bool bad, same = true;
    const uint8_t *at = m.p;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (f.number != 1) continue;
        uint64_t v = f.value;
        pcs_proto all = f.wire == PCS_PROTO_BYTES ? f.inner : (pcs_proto){ 0 };
        for (bool more = f.wire == PCS_PROTO_VARINT || pcs_proto_varint(&all, &v); more;
             more = f.wire == PCS_PROTO_BYTES && pcs_proto_varint(&all, &v), dims++)
            if (dims < port->dims && port->shape[dims] >= 0 && (uint64_t)port->shape[dims] != v) same = false;
    }
    if (bad || !port->shaped || (same && dims == port->dims)) return PRECIS_OK; /* damage is found where it is read */
    return pcs_onnx_damage(net, at, port->name, "has another shape as an initializer than as an input");
}

/* Inputs with defaults, which are no inputs here: both must have one shape. names: of initializers. */
static precis_status check_defaults(pcs_onnx *net, const pcs_map *names)
{
    pcs_map ports;
    pcs_proto_field f, t;
    pcs_port *list = NULL;
    uint32_t n = 0, found;
    bool bad, existed;
    precis_status st = PRECIS_OK;
    for (pcs_proto g = net->graph; pcs_proto_next(&g, &f, &bad);) n += is_text(&f, 11);
    n -= (uint32_t)net->base.n_inputs;
    if (!n) return PRECIS_OK;
    if (!(list = pcs_arena_alloc(&net->arena, n, sizeof *list))) return PRECIS_ENOMEM;
    pcs_map_init(&ports, net->ctx);
    uint32_t k = 0;
    for (pcs_proto g = net->graph; k < n && !st && pcs_proto_next(&g, &f, &bad);) {
        if (!is_text(&f, 11)) continue;
        st = pcs_onnx_read_port(net, f.inner, &list[k]);
        const char *name = list[k].name;
        if (st || !pcs_map_get(names, name, strlen(name), &found)) continue;
        st = pcs_map_put(&ports, name, strlen(name), k++, &existed);
    }
    for (pcs_proto g = net->graph; !st && pcs_proto_next(&g, &f, &bad);)
        for (pcs_proto m = f.inner; is_text(&f, 5) && !st && pcs_proto_next(&m, &t, &bad);)
            if (is_text(&t, 8) && pcs_map_get(&ports, (const char *)t.inner.p, pcs_proto_size(t.inner), &found))
                st = check_default(net, f.inner, &list[found]);
    pcs_map_free(&ports);
    return st;
}

static precis_status describe(pcs_onnx *net)
{
    pcs_map names;
    pcs_map_init(&names, net->ctx);
    precis_status st = initializer_names(net, &names);
    if (!st) st = read_ports(net, 11, &names, &net->base.inputs, &net->base.n_inputs);
    if (!st) st = read_ports(net, 12, NULL, &net->base.outputs, &net->base.n_outputs);
    if (!st) st = check_defaults(net, &names);
    pcs_map_free(&names);
    if (!st && !net->base.n_outputs) st = pcs_onnx_damage(net, net->graph.p, "graph", "has no outputs");
    return st;
}

/* ---- inputs that have a value ------------------------------------------------------------------- */

enum { FIXED = 64 };

/* Key and value of an entry of the model's metadata, where it says what an input was fixed to; false: it does not. */
static bool fixed_entry(pcs_proto m, pcs_str *name, pcs_str *value)
{
    static const char begins[] = PCS_ONNX_FIXED;
    const size_t n = sizeof begins - 1;
    pcs_str key = { "", 0 };
    pcs_proto_field f;
    bool bad;
    *value = key;
    while (pcs_proto_next(&m, &f, &bad)) {
        if (is_text(&f, 1)) key = text_of(&f);
        if (is_text(&f, 2)) *value = text_of(&f);
    }
    if (key.n <= n || memcmp(key.s, begins, n)) return false;
    *name = (pcs_str){ key.s + n, key.n - n };
    return true;
}

/* What inputs were fixed to in the net that this file was written from: ports behind the inputs. */
static precis_status read_fixed(pcs_onnx *net, pcs_proto m)
{
    pcs_netfile *f = &net->base;
    pcs_proto_field e;
    pcs_str name, value;
    bool bad;
    size_t n = 0;
    for (pcs_proto walk = m; pcs_proto_next(&walk, &e, &bad);)
        n += is_text(&e, 14) && fixed_entry(e.inner, &name, &value);
    if (!n) return PRECIS_OK;
    pcs_port *all = pcs_arena_alloc(&net->arena, f->n_inputs + n + 1, sizeof *all);
    if (!all) return PRECIS_ENOMEM;
    if (f->n_inputs) memcpy(all, f->inputs, f->n_inputs * sizeof *all);
    f->inputs = all;
    while (pcs_proto_next(&m, &e, &bad)) {
        if (!is_text(&e, 14) || !fixed_entry(e.inner, &name, &value)) continue;
        pcs_port *p = &all[f->n_inputs + f->n_fixed];
        *p = (pcs_port){ .name = pcs_arena_copy(&net->arena, name.s, name.n), .gone = true };
        if (!p->name) return PRECIS_ENOMEM;
        if (f->n_fixed == FIXED || strlen(p->name) != name.n || !pcs_port_read_fixed(p, value))
            return pcs_onnx_damage(net, name.s, "metadata", "an input with a value (" PCS_ONNX_FIXED "...) is damaged, "
                                   "or there are more than %d", FIXED);
        for (size_t i = 0; i < f->n_inputs + f->n_fixed; i++)
            if (!strcmp(all[i].name, p->name))
                return pcs_onnx_damage(net, name.s, "metadata", "input %.60s has a value and is an input, or has two",
                                       p->name);
        f->n_fixed++;
    }
    return PRECIS_OK;
}

/* ---- which ops ---------------------------------------------------------------------------------- */

static precis_status count_op(pcs_onnx *net, pcs_str domain, pcs_str op, const pcs_opsets *opsets)
{
    if (pcs_netfile_count_op(&net->base, domain, op, pcs_onnx_supports(net, domain, op, opsets))) return PRECIS_OK;
    return pcs_onnx_damage(net, op.s, "graph", "has more than %d different ops", PCS_LIMIT_NET_OPS);
}

static precis_status count_nodes(pcs_onnx *net, pcs_proto g, uint32_t number, const pcs_opsets *opsets, int depth);

/* A node, and the graphs in its attributes. */
static precis_status count_node(pcs_onnx *net, pcs_proto m, const pcs_opsets *opsets, int depth)
{
    pcs_str domain = { "", 0 }, op = { "", 0 };
    pcs_proto_field f, a;
    bool bad, inner_bad = false;
    precis_status st = PRECIS_OK;
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) {
        if (is_text(&f, 4)) op = text_of(&f);
        if (is_text(&f, 7)) domain = text_of(&f);
    }
    if (pcs_str_is(domain, "ai.onnx")) domain = (pcs_str){ "", 0 };
    st = op.n ? count_op(net, domain, op, opsets) : pcs_onnx_damage(net, m.p, "node", "has no op_type");
    while (!st && pcs_proto_next(&m, &f, &bad)) {
        if (!is_text(&f, 5)) continue;
        for (pcs_proto attr = f.inner; !st && pcs_proto_next(&attr, &a, &inner_bad);)
            if (is_text(&a, 6) || is_text(&a, 11)) st = count_nodes(net, a.inner, 1, opsets, depth + 1);
        if (!st && inner_bad) st = broken(net, f.inner, "attribute");
    }
    return !st && bad ? broken(net, m, "node") : st;
}

static precis_status count_nodes(pcs_onnx *net, pcs_proto g, uint32_t number, const pcs_opsets *opsets, int depth)
{
    pcs_proto_field f;
    bool bad;
    if (depth > PCS_LIMIT_NET_DEPTH)
        return pcs_onnx_damage(net, g.p, "graph", "graphs nest deeper than %d", PCS_LIMIT_NET_DEPTH);
    while (pcs_proto_next(&g, &f, &bad)) {
        const precis_status st = is_text(&f, number) ? count_node(net, f.inner, opsets, depth) : PRECIS_OK;
        if (st) return st;
    }
    return bad ? broken(net, g, "graph") : PRECIS_OK;
}

static precis_status count_ops(pcs_onnx *net)
{
    net->base.counts = pcs_arena_alloc(&net->arena, PCS_LIMIT_NET_OPS, sizeof *net->base.counts);
    if (!net->base.counts) return PRECIS_ENOMEM;
    precis_status st = count_nodes(net, net->graph, 1, &net->opsets, 0);
    for (size_t i = 0; i < net->n_functions && !st; i++)
        st = count_nodes(net, net->functions[i].body, 7, &net->functions[i].opsets, 1);
    return st;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static precis_status read_model(pcs_onnx *net, pcs_proto m)
{
    pcs_proto_field f;
    uint64_t seen = 0;
    bool bad;
    for (pcs_proto walk = m; pcs_proto_next(&walk, &f, &bad);) {
        precis_status st = PRECIS_OK;
        if (f.number == 1 && f.wire == PCS_PROTO_VARINT) net->ir = (int64_t)f.value;
        if (is_text(&f, 7) && !(st = once(net, &f, &seen, "model"))) net->graph = f.inner;
        if (st) return st;
        if (f.number == 20)
            return pcs_fail(net->ctx, PRECIS_EUNSUPPORTED, "%s: holds training_info; nets are only run here",
                            net->file.path);
    }
    if (bad) return broken(net, m, "model");
    if (!net->graph.p) return pcs_onnx_damage(net, m.p, "model", "holds no graph: it is no ONNX file");
    if (net->ir < 3 || net->ir > 64)
        return pcs_onnx_damage(net, m.p, "model", "ir_version %lld is none", (long long)net->ir);
    if (net->ir > 13)
        pcs_warn(net->ctx, "%s: IR version %lld is newer than 13; it is read as if it were 13", net->file.path,
                 (long long)net->ir);
    precis_status st = read_opsets(net, m, 8, &net->opsets);
    for (size_t i = 0; i < net->opsets.n && !st; i++)
        if (!net->opsets.list[i].domain.n && net->opsets.list[i].version > PCS_ONNX_NEWEST)
            pcs_warn(net->ctx, "%s: opset %lld is newer than %d; its ops are read as if they were of that one",
                     net->file.path, (long long)net->opsets.list[i].version, PCS_ONNX_NEWEST);
    if (!st) st = read_functions(net, m);
    if (!st) st = describe(net);
    if (!st) st = read_fixed(net, m);
    if (!st) st = count_ops(net);
    return st;
}

extern const pcs_netfile_reader pcs_netfile_onnx;

static precis_status fresh(precis_ctx *ctx, pcs_onnx **out)
{
    *out = pcs_alloc(ctx, 1, sizeof **out);
    if (!*out) return PRECIS_ENOMEM;
    (*out)->ctx = (*out)->base.ctx = ctx;
    (*out)->base.reader = &pcs_netfile_onnx;
    (*out)->file.fd = -1;
    pcs_arena_init(&(*out)->arena, ctx);
    return PRECIS_OK;
}

static precis_status finish(pcs_onnx **out, const uint8_t *data, size_t size)
{
    pcs_onnx *net = *out;
    net->start = data;
    net->base.path = net->file.path;
    net->ctx->file = net->file.path;
    const precis_status st = read_model(net, (pcs_proto){ data, data + size });
    net->ctx->file = NULL;
    if (st) pcs_onnx_close(out);
    return st;
}

precis_status pcs_onnx_open(precis_ctx *ctx, pcs_onnx **out, const char *path)
{
    precis_status st = fresh(ctx, out);
    if (st) return st;
    pcs_onnx *net = *out;
    const char *slash = strrchr(path, '/');
    net->folder =
        slash ? pcs_arena_copy(&net->arena, path, (size_t)(slash - path) + 1) : pcs_arena_copy(&net->arena, "", 0);
    st = net->folder ? pcs_file_open(ctx, &net->file, path) : PRECIS_ENOMEM;
    if (st) net->file = (pcs_file){ .fd = -1 };
    else if (net->file.size > (uint64_t)1 << 31)
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: %llu bytes; a protobuf message has 2 GB at most", path,
                      (unsigned long long)net->file.size);
    else if (!net->file.size) st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: is empty", path);
    if (!st) return finish(out, net->file.map, (size_t)net->file.size);
    pcs_onnx_close(out);
    return st;
}

void pcs_onnx_close(pcs_onnx **net)
{
    if (!net || !*net) return;
    pcs_onnx *n = *net;
    precis_ctx *ctx = n->ctx;
    for (size_t i = 0; i < n->n_external; i++) pcs_file_close(ctx, &n->external[i]);
    pcs_free(ctx, n->external);
    pcs_free(ctx, n->spans);
    if (n->file.fd >= 0) pcs_file_close(ctx, &n->file);
    pcs_arena_free(&n->arena);
    pcs_free(ctx, n);
    *net = NULL;
}

/* ---- the reader --------------------------------------------------------------------------------- */

/* A protobuf message that begins with ir_version, as every writer has it. */
static bool probe(const uint8_t *head, size_t n) { return n >= 2 && head[0] == 8 && head[1] >= 3 && head[1] <= 64; }

static precis_status open_file(precis_ctx *ctx, pcs_netfile **out, const char *path)
{
    pcs_onnx *net;
    const precis_status st = pcs_onnx_open(ctx, &net, path);
    *out = st ? NULL : &net->base;
    return st;
}

static void close_file(pcs_netfile *file)
{
    pcs_onnx *net = (pcs_onnx *)file;
    pcs_onnx_close(&net);
}

const pcs_netfile_reader pcs_netfile_onnx = {
    .name = "onnx",
    .fixes = true,
    .ending = ".onnx",
    .probe = probe,
    .open = open_file,
    .close = close_file,
    .import = pcs_onnx_import,
};
