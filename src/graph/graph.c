/* graph.c - building, verifying and printing graphs. */
#include "graph/graph.h"
#include "base/overflow.h"
#include "graph/reason.h"

#include <stdio.h>
#include <stdlib.h>

#define OP(name) extern const pcs_op pcs_op_##name;
#include "graph/ops.def"
#undef OP

const pcs_op *const pcs_ops[] = {
#define OP(name) &pcs_op_##name,
#include "graph/ops.def"
#undef OP
    NULL,
};

const pcs_op *pcs_op_by_name(const char *name)
{
    for (size_t i = 0; pcs_ops[i]; i++)
        if (!strcmp(pcs_ops[i]->name, name)) return pcs_ops[i];
    return NULL;
}

precis_status precis_graph_open(precis_ctx *ctx, precis_graph **out)
{
    *out = NULL;
    precis_graph *g = pcs_alloc(ctx, 1, sizeof *g);
    if (!g) return PRECIS_ENOMEM;
    g->ctx = ctx;
    pcs_arena_init(&g->arena, ctx);
    *out = g;
    return PRECIS_OK;
}

void precis_graph_close(precis_graph **graph)
{
    if (!graph || !*graph) return;
    precis_graph *g = *graph;
    precis_ctx *ctx = g->ctx;
    pcs_free(ctx, g->values);
    pcs_free(ctx, g->nodes);
    pcs_free(ctx, g->dims);
    pcs_arena_free(&g->arena);
    pcs_free(ctx, g);
    *graph = NULL;
}

void pcs_node_reason(char *text, const pcs_node *n, const char *what, const char *fmt, va_list ap)
{
    const int len = snprintf(text, PCS_REASON, "node %s (%s)%s: ", n->name, n->op->name, what);
    if (len >= 0 && len < PCS_REASON) vsnprintf(text + len, PCS_REASON - (size_t)len, fmt, ap);
}

precis_status pcs_op_fail(precis_graph *g, const pcs_node *n, const char *fmt, ...)
{
    char text[PCS_REASON];
    va_list ap;
    va_start(ap, fmt);
    pcs_node_reason(text, n, "", fmt, ap);
    va_end(ap);
    pcs_graph_fail(g, PRECIS_EINVAL, "%s", text);
    return g->error;
}

precis_value pcs_graph_add_value(precis_graph *g, const pcs_value *v)
{
    if (g->error) return -1;
    if (v->dims > PCS_GRAPH_DIMS)
        return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: %u dimensions, at most %d", v->name, v->dims,
                              PCS_GRAPH_DIMS);
    int64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++) {
        const int64_t d = v->shape[i];
        const bool ok = pcs_dim_is_id(d) ? d - PCS_DIM_FIRST < (int64_t)g->n_dims && d >= PCS_DIM_FIRST
                                         : d >= 0 && (!d || pcs_i64_mul(n, d, &n)) && n <= (int64_t)1 << 48;
        if (!ok) return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: dimension %u is %lld", v->name, i, (long long)d);
    }
    char text[128];
    if (pcs_value_short(v, text, sizeof text)) return pcs_graph_fail(g, PRECIS_EFORMAT, "value %s: %s", v->name, text);
    if (g->n_values == g->cap_values) {
        const size_t cap = g->cap_values ? g->cap_values * 2 : 256;
        pcs_value *grown = pcs_grow(g->ctx, g->values, g->n_values * sizeof *grown, cap, sizeof *grown);
        if (!grown) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        g->values = grown;
        g->cap_values = cap;
    }
    const char *name = pcs_arena_copy(&g->arena, v->name ? v->name : "", strlen(v->name ? v->name : ""));
    if (!name) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    g->values[g->n_values] = *v;
    g->values[g->n_values].name = name;
    return (precis_value)g->n_values++;
}

/* A value that no node makes. */
static precis_value add_leaf(precis_graph *g, const pcs_value *what, const int64_t *shape)
{
    if (what->dims > PCS_GRAPH_DIMS)
        return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: too many dimensions", what->name);
    pcs_value v = *what;
    v.node = -1;
    for (uint32_t i = 0; i < v.dims; i++) v.shape[i] = shape[i];
    return pcs_graph_add_value(g, &v);
}

precis_value precis_graph_input(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_leaf(g, &(pcs_value){ .name = name, .dtype = PCS_F32, .role = PCS_INPUT, .dims = dims }, shape);
}

precis_value pcs_graph_input_i32(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_leaf(g, &(pcs_value){ .name = name, .dtype = PCS_I32, .role = PCS_INPUT, .dims = dims }, shape);
}

precis_value pcs_graph_state(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_leaf(g, &(pcs_value){ .name = name, .dtype = PCS_STATE, .role = PCS_LASTING, .dims = dims }, shape);
}

precis_value pcs_graph_stored(precis_graph *g, const char *name, const pcs_format *f, uint32_t dims,
                              const int64_t *shape, pcs_store store)
{
    const pcs_value v = {
        .name = name, .dtype = PCS_STORED, .role = PCS_CONSTANT, .dims = dims, .store = store, .format = f,
    };
    return add_leaf(g, &v, shape);
}

/* Of an array that its maker gives with a shape, and so with as many bytes as that takes. */
static pcs_store as_many(pcs_dtype d, uint32_t dims, const int64_t *shape, const void *data, pcs_keeper keeper)
{
    pcs_value like = { .dtype = d, .dims = dims < PCS_GRAPH_DIMS ? dims : PCS_GRAPH_DIMS };
    for (uint32_t i = 0; i < like.dims; i++) like.shape[i] = shape[i];
    return pcs_store_rows(data, pcs_value_bytes(&like), keeper);
}

precis_value pcs_graph_codes(precis_graph *g, const char *name, const pcs_code_value *codes)
{
    const pcs_value v = {
        .name = name, .dtype = codes->dtype, .role = PCS_CONSTANT, .dims = codes->dims,
        .store = as_many(codes->dtype, codes->dims, codes->shape, codes->data, PCS_KEPT_BY_CALLER),
        .affine = *codes->affine, .known = codes->dtype == PCS_I64 ? codes->data : NULL,
    };
    return add_leaf(g, &v, codes->shape);
}

precis_value pcs_graph_weight(precis_graph *g, const char *name, const pcs_tensor *t, uint32_t dims,
                              const int64_t *shape, uint64_t first)
{
    if (t->panels && first % PCS_PANEL)
        return pcs_graph_fail(g, PRECIS_EUNSUPPORTED,
                              "tensor %s is packed, and a part of it begins at row %llu, within a panel; run the model "
                              "as it was before it was packed",
                              name, (unsigned long long)first);
    const pcs_store store = pcs_store_tensor(t, first);
    if ((t->data || t->panels) && pcs_store_empty(&store))
        return pcs_graph_fail(g, PRECIS_EFORMAT, "tensor %s ends before row %llu", name, (unsigned long long)first);
    return pcs_graph_stored(g, name, t->format, dims, shape, store);
}

precis_value precis_graph_constant(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape,
                                   const float *data)
{
    if (g->error) return -1;
    int64_t n = 1;
    for (uint32_t i = 0; i < dims; i++)
        if (shape[i] < 0 || !pcs_i64_mul(n, shape[i], &n) || n > (int64_t)1 << 40)
            return pcs_graph_fail(g, PRECIS_EINVAL, "constant %s: dimension %u is %lld", name, i, (long long)shape[i]);
    float *copy = pcs_arena_alloc(&g->arena, n ? (size_t)n : 1, sizeof *copy);
    if (!copy) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    if (n && !data) return pcs_graph_fail(g, PRECIS_EINVAL, "constant %s has fewer elements than its shape", name);
    if (n) memcpy(copy, data, (size_t)n * sizeof *copy);
    const pcs_store store = as_many(PCS_F32, dims, shape, copy, PCS_KEPT_BY_GRAPH);
    return add_leaf(
        g, &(pcs_value){ .name = name, .dtype = PCS_F32, .role = PCS_CONSTANT, .dims = dims, .store = store }, shape);
}

/* ---- attributes ------------------------------------------------------------------------------- */

precis_attr precis_attr_int(const char *name, int64_t value)
{
    return (precis_attr){ .name = name, .kind = PRECIS_ATTR_INT, .integer = value, .tensor = -1 };
}

precis_attr precis_attr_real(const char *name, double value)
{
    return (precis_attr){ .name = name, .kind = PRECIS_ATTR_REAL, .real = value, .tensor = -1 };
}

precis_attr precis_attr_list(const char *name, uint32_t n, const int64_t *values)
{
    return (precis_attr){ .name = name, .kind = PRECIS_ATTR_LIST, .n = n, .list = values, .tensor = -1 };
}

precis_attr precis_attr_text(const char *name, const char *value)
{
    return (precis_attr){ .name = name, .kind = PRECIS_ATTR_TEXT, .text = value, .tensor = -1 };
}

precis_attr precis_attr_tensor(const char *name, precis_value value)
{
    return (precis_attr){ .name = name, .kind = PRECIS_ATTR_TENSOR, .tensor = value };
}

uint32_t pcs_op_attrs(const pcs_op *op)
{
    uint32_t n = 0;
    while (op->attrs && op->attrs[n].kind) n++;
    return n;
}

/* What the caller gave for one of the op's attributes, with its lists and texts copied. */
static precis_status set_attribute(precis_graph *g, const pcs_node *n, precis_attr *slot, const precis_attr *given)
{
    static const char *const kinds[] = { "nothing", "a whole number", "a number", "a list of whole numbers",
                                         "a text",  "a tensor" };
    const char *name = slot->name;
    if (slot->kind == PRECIS_ATTR_REAL && given->kind == PRECIS_ATTR_INT) {
        slot->real = (double)given->integer;
        return PRECIS_OK;
    }
    if (slot->kind != given->kind) return pcs_op_fail(g, n, "attribute %s takes %s", name, kinds[slot->kind]);
    *slot = *given;
    slot->name = name;
    if (given->kind == PRECIS_ATTR_TENSOR && (given->tensor < 0 || (size_t)given->tensor >= g->n_values))
        return pcs_op_fail(g, n, "attribute %s is no value of the graph", name);
    bool ok = true;
    if (given->kind == PRECIS_ATTR_LIST) {
        int64_t *copy = pcs_arena_alloc(&g->arena, given->n ? given->n : 1, sizeof *copy);
        if (copy && given->n) memcpy(copy, given->list, given->n * sizeof *copy);
        slot->list = copy;
        ok = copy != NULL;
    }
    if (given->kind == PRECIS_ATTR_TEXT) {
        slot->text = pcs_arena_copy(&g->arena, given->text, strlen(given->text));
        ok = slot->text != NULL;
    }
    if (!ok) pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    return g->error;
}

/* The defaults of the op, then what the caller gave. */
static precis_status set_attributes(precis_graph *g, pcs_node *n, const precis_attr *given)
{
    const uint32_t count = pcs_op_attrs(n->op);
    precis_attr *attr = pcs_arena_alloc(&g->arena, count + 1, sizeof *attr);
    if (!attr) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return g->error;
    }
    if (count) memcpy(attr, n->op->attrs, count * sizeof *attr);
    n->attr = attr;
    for (; given && given->kind; given++) {
        uint32_t i = 0;
        while (i < count && strcmp(attr[i].name, given->name)) i++;
        if (i == count) return pcs_op_fail(g, n, "no attribute %s", given->name);
        if (set_attribute(g, n, &attr[i], given)) return g->error;
    }
    return PRECIS_OK;
}

/* ---- nodes ------------------------------------------------------------------------------------ */

static precis_status set_inputs(precis_graph *g, pcs_node *n, const precis_value *inputs)
{
    if (n->n_in < n->op->min_in || n->n_in > n->op->max_in)
        return pcs_op_fail(g, n, "%u inputs, not %u to %u", n->n_in, n->op->min_in, n->op->max_in);
    n->in = pcs_arena_alloc(&g->arena, n->n_in + 1, sizeof *n->in);
    if (!n->in) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return g->error;
    }
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (inputs[i] < 0 || (size_t)inputs[i] >= g->n_values) return pcs_op_fail(g, n, "input %u does not exist", i);
        n->in[i] = inputs[i];
    }
    return PRECIS_OK;
}

/* The results' values as the op infers them: preset, freed by the caller with free_results; NULL with the error kept.
 * They are of this node alone: what each check of a graph left behind would be more than the graph. */
enum { FEW_RESULTS = 4 };

static void free_results(const precis_graph *g, pcs_value *out, const pcs_value *few)
{
    if (out != few) pcs_free(g->ctx, out);
}

static pcs_value *infer_results(precis_graph *g, const pcs_node *n, int32_t index, pcs_value few[FEW_RESULTS])
{
    pcs_value *out = n->n_out <= FEW_RESULTS ? few : pcs_alloc(g->ctx, n->n_out, sizeof *out);
    if (!out) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return NULL;
    }
    for (uint32_t i = 0; i < n->n_out; i++) out[i] = (pcs_value){ .name = n->name, .dtype = PCS_F32, .node = index };
    if (!n->op->infer(g, n, out)) return out;
    free_results(g, out, few);
    return NULL;
}

precis_status pcs_graph_push(precis_graph *g, const pcs_node *n)
{
    if (g->n_nodes == g->cap_nodes) {
        const size_t cap = g->cap_nodes ? g->cap_nodes * 2 : 256;
        pcs_node *grown = pcs_grow(g->ctx, g->nodes, g->n_nodes * sizeof *grown, cap, sizeof *grown);
        if (!grown) {
            pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
            return g->error;
        }
        g->nodes = grown;
        g->cap_nodes = cap;
    }
    g->nodes[g->n_nodes++] = *n;
    return PRECIS_OK;
}

precis_value precis_graph_node(precis_graph *g, const char *name, const char *op, const precis_attr *attributes,
                               uint32_t n, const precis_value *inputs)
{
    if (g->error) return -1;
    pcs_node node = { .op = pcs_op_by_name(op), .n_in = n };
    if (!node.op) return pcs_graph_fail(g, PRECIS_EUNSUPPORTED, "node %s: no op %s", name, op);
    node.name = pcs_arena_copy(&g->arena, name, strlen(name));
    if (!node.name) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    if (set_inputs(g, &node, inputs) || set_attributes(g, &node, attributes)) return -1;
    node.n_out = node.op->results ? node.op->results(&node) : 1;
    node.out = pcs_arena_alloc(&g->arena, node.n_out, sizeof *node.out);
    if (!node.out) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    pcs_value few[FEW_RESULTS], *out = infer_results(g, &node, (int32_t)g->n_nodes, few);
    for (uint32_t i = 0; i < node.n_out && out; i++) node.out[i] = pcs_graph_add_value(g, &out[i]);
    free_results(g, out, few);
    if (!out || g->error) return -1;
    return pcs_graph_push(g, &node) ? -1 : node.out[0];
}

precis_value precis_graph_result(precis_graph *g, precis_value v, uint32_t i)
{
    if (g->error) return -1;
    if (v < 0 || (size_t)v >= g->n_values || g->values[v].node < 0)
        return pcs_graph_fail(g, PRECIS_EINVAL, "value %d is no result of a node", v);
    const pcs_node *n = &g->nodes[g->values[v].node];
    if (i >= n->n_out)
        return pcs_graph_fail(g, PRECIS_EINVAL, "node %s has %u results, no number %u", n->name, n->n_out, i);
    return n->out[i];
}

void precis_graph_output(precis_graph *g, precis_value v)
{
    if (v < 0 || (size_t)v >= g->n_values) pcs_graph_fail(g, PRECIS_EINVAL, "output %d does not exist", v);
    else g->values[v].output = true;
}

/* Does a node still give what it gave when it was made? */
static bool same_result(const pcs_value *a, const pcs_value *b)
{
    return a->dtype == b->dtype && a->dims == b->dims && !memcmp(a->shape, b->shape, sizeof a->shape[0] * a->dims);
}

precis_status precis_graph_verify(precis_graph *g)
{
    for (size_t i = 0; i < g->n_nodes && !g->error; i++) {
        const pcs_node *n = &g->nodes[i];
        pcs_value few[FEW_RESULTS], *out = infer_results(g, n, (int32_t)i, few);
        for (uint32_t k = 0; out && k < n->n_out; k++)
            if (!same_result(&out[k], &g->values[n->out[k]])) pcs_op_fail(g, n, "its shape changed");
        free_results(g, out, few);
    }
    return g->error ? pcs_fail(g->ctx, g->error, "%s", g->message) : PRECIS_OK;
}

size_t precis_graph_values(const precis_graph *g) { return g->n_values; }
const char *precis_graph_value_name(const precis_graph *g, precis_value v)
{
    return v < 0 || (size_t)v >= g->n_values ? "" : g->values[v].name;
}

const char *precis_graph_value_op(const precis_graph *g, precis_value v)
{
    return v < 0 || (size_t)v >= g->n_values || g->values[v].node < 0 ? "" : g->nodes[g->values[v].node].op->name;
}

uint32_t precis_graph_value_shape(const precis_graph *g, precis_value v, int64_t shape[PRECIS_MAX_DIMS])
{
    if (v < 0 || (size_t)v >= g->n_values) return 0;
    memcpy(shape, g->values[v].shape, PRECIS_MAX_DIMS * sizeof *shape);
    return g->values[v].dims;
}

const pcs_value *pcs_node_weight(const precis_graph *g, const pcs_node *n)
{
    const int32_t made_by = n->op->weight ? g->values[n->in[n->op->weight]].node : -1;
    if (made_by < 0 || !g->nodes[made_by].op->decodes) return NULL;
    const pcs_value *stored = &g->values[g->nodes[made_by].in[0]];
    return stored->dtype == PCS_STORED ? stored : NULL;
}

/* ---- printing --------------------------------------------------------------------------------- */

/* A line that is filled from the left; what does not fit is left out. */
typedef struct { char text[512]; size_t at; } print_line;

static void put(print_line *l, const char *fmt, ...) PCS_PRINTF(2, 3);
static void put(print_line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(l->text + l->at, sizeof l->text - l->at, fmt, ap);
    va_end(ap);
    if (n > 0) l->at += (size_t)n;
    if (l->at >= sizeof l->text) l->at = sizeof l->text - 1;
}

static void put_attribute(print_line *l, const precis_attr *a)
{
    switch (a->kind) {
    case PRECIS_ATTR_NONE: break;
    case PRECIS_ATTR_INT: put(l, " %s=%lld", a->name, (long long)a->integer); break;
    case PRECIS_ATTR_REAL: put(l, " %s=%g", a->name, a->real); break;
    case PRECIS_ATTR_TEXT: put(l, " %s=%s", a->name, a->text ? a->text : ""); break;
    case PRECIS_ATTR_TENSOR: put(l, " %s=%%%d", a->name, a->tensor); break;
    case PRECIS_ATTR_LIST:
        put(l, " %s=[", a->name);
        for (uint32_t i = 0; i < a->n; i++) put(l, "%s%lld", i ? ", " : "", (long long)a->list[i]);
        put(l, "]");
        break;
    }
}

static void put_shape(print_line *l, const precis_graph *g, const pcs_value *v)
{
    put(l, "[");
    for (uint32_t k = 0; k < v->dims; k++) {
        char text[128];
        pcs_dim_text(g, v->shape[k], text, sizeof text);
        put(l, "%s%s", k ? ", " : "", text);
    }
    put(l, "]");
}

void precis_graph_print(const precis_graph *g, void (*line)(void *user, const char *text), void *user)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        print_line l = { .at = 0 };
        for (uint32_t k = 0; k < n->n_out; k++) put(&l, "%s%%%d", k ? ", " : "", n->out[k]);
        put(&l, " = %s(", n->op->name);
        for (uint32_t k = 0; k < n->n_in; k++) put(&l, "%s%%%d", k ? ", " : "", n->in[k]);
        put(&l, ")");
        for (uint32_t k = 0; k < pcs_op_attrs(n->op); k++) put_attribute(&l, &n->attr[k]);
        put(&l, " : ");
        for (uint32_t k = 0; k < n->n_out; k++) put_shape(&l, g, &g->values[n->out[k]]);
        put(&l, "  %.40s", n->name);
        line(user, l.text);
    }
}

precis_status pcs_infer_like(precis_graph *g, const pcs_node *n, uint32_t i, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[i]];
    if (x->dtype != PCS_F32) return pcs_op_fail(g, n, "input %u is not f32", i);
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
    return PRECIS_OK;
}
