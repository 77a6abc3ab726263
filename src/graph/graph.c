/* graph.c - building, verifying and printing graphs. */
#include "graph/graph.h"

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
    pcs_arena_free(&g->arena);
    pcs_free(ctx, g);
    *graph = NULL;
}

precis_value pcs_graph_fail(precis_graph *g, precis_status status, const char *fmt, ...)
{
    if (g->error) return -1;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(g->message, sizeof g->message, fmt, ap);
    va_end(ap);
    g->error = status;
    return -1;
}

precis_status pcs_op_fail(precis_graph *g, const pcs_node *n, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    pcs_graph_fail(g, PRECIS_EINVAL, "node %s (%s): %s", n->name, n->op->name, text);
    return g->error;
}

precis_value pcs_graph_add_value(precis_graph *g, const pcs_value *v)
{
    if (g->error) return -1;
    if (v->dims > PCS_GRAPH_DIMS) return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: %u dimensions, at most %d", v->name, v->dims, PCS_GRAPH_DIMS);
    int64_t n = 1;
    for (uint32_t i = 0; i < v->dims; i++)
        if (v->shape[i] < PRECIS_DIM_OUTPUTS || (v->shape[i] > 0 && __builtin_mul_overflow(n, v->shape[i], &n)) || n > (int64_t)1 << 48)
            return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: dimension %u is %lld", v->name, i, (long long)v->shape[i]);
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

static precis_value add_plain(precis_graph *g, const char *name, pcs_dtype dtype, uint32_t dims, const int64_t *shape, const void *data,
                              const pcs_format *f)
{
    if (dims > PCS_GRAPH_DIMS) return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: too many dimensions", name);
    pcs_value v = { .name = name, .dtype = dtype, .dims = dims, .node = -1, .data = data, .format = f, .input = !data && dtype != PCS_STATE };
    for (uint32_t i = 0; i < dims; i++) v.shape[i] = shape[i];
    return pcs_graph_add_value(g, &v);
}

precis_value precis_graph_input(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_plain(g, name, PCS_F32, dims, shape, NULL, NULL);
}

precis_value pcs_graph_input_i32(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_plain(g, name, PCS_I32, dims, shape, NULL, NULL);
}

precis_value pcs_graph_state(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape)
{
    return add_plain(g, name, PCS_STATE, dims, shape, NULL, NULL);
}

precis_value pcs_graph_stored(precis_graph *g, const char *name, const pcs_format *f, uint32_t dims, const int64_t *shape, const void *data)
{
    return add_plain(g, name, PCS_STORED, dims, shape, data, f);
}

precis_value pcs_graph_weight(precis_graph *g, const char *name, const pcs_tensor *t, uint32_t dims, const int64_t *shape, uint64_t first)
{
    if (!t->panels) return pcs_graph_stored(g, name, t->format, dims, shape, t->data + first * (dims == 1 ? t->format->bytes : pcs_tensor_row_bytes(t)));
    if (first % PCS_PANEL) return pcs_graph_fail(g, PRECIS_EUNSUPPORTED, "tensor %s is packed, and a part of it begins at row %llu, within a panel; run the model as it was before it was packed", name, (unsigned long long)first);
    const precis_value v = pcs_graph_stored(g, name, t->format, dims, shape, NULL);
    if (v < 0) return v;
    g->values[v].panels = t->panels + first / PCS_PANEL * pcs_panel_bytes(t->format, (size_t)t->ne[0]);
    g->values[v].input = false;
    return v;
}

precis_value precis_graph_constant(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape, const float *data)
{
    if (g->error) return -1;
    int64_t n = 1;
    for (uint32_t i = 0; i < dims; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(n, shape[i], &n) || n > (int64_t)1 << 40)
            return pcs_graph_fail(g, PRECIS_EINVAL, "constant %s: dimension %u is %lld", name, i, (long long)shape[i]);
    float *copy = pcs_arena_alloc(&g->arena, n ? (size_t)n : 1, sizeof *copy);
    if (!copy) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    memcpy(copy, data, (size_t)n * sizeof *copy);
    return add_plain(g, name, PCS_F32, dims, shape, copy, NULL);
}

double *pcs_node_attr(pcs_node *n, const char *name)
{
    for (int i = 0; i < PCS_ATTRS && n->op->attrs[i]; i++)
        if (!strcmp(n->op->attrs[i], name)) return &n->attr[i];
    return NULL;
}

/* "stride=2 pad=1" into the slots. */
static precis_status parse_attributes(precis_graph *g, pcs_node *n, const char *text)
{
    for (int i = 0; i < PCS_ATTRS; i++) n->attr[i] = n->op->defaults[i];
    while (text && *text) {
        while (*text == ' ') text++;
        const char *eq = strchr(text, '=');
        char name[32];
        if (!eq || (size_t)(eq - text) >= sizeof name) return pcs_op_fail(g, n, "attributes end in \"%.40s\"; write name=number", text);
        memcpy(name, text, (size_t)(eq - text));
        name[eq - text] = 0;
        double *slot = pcs_node_attr(n, name);
        if (!slot) return pcs_op_fail(g, n, "no attribute %s", name);
        char *end;
        *slot = strtod(eq + 1, &end);
        if (end == eq + 1 || (*end && *end != ' ')) return pcs_op_fail(g, n, "attribute %s is no number", name);
        text = end;
        while (*text == ' ') text++;
    }
    return PRECIS_OK;
}

precis_value precis_graph_node(precis_graph *g, const char *name, const char *op, const char *attributes, uint32_t n, const precis_value *inputs)
{
    if (g->error) return -1;
    pcs_node node = { .op = pcs_op_by_name(op), .n_in = n };
    if (!node.op) return pcs_graph_fail(g, PRECIS_EUNSUPPORTED, "node %s: no op %s", name, op);
    node.name = pcs_arena_copy(&g->arena, name, strlen(name));
    if (!node.name) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    if (n < node.op->min_in || n > node.op->max_in || n > PCS_NODE_INPUTS) {
        pcs_op_fail(g, &node, "%u inputs, not %u to %u", n, node.op->min_in, node.op->max_in);
        return -1;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (inputs[i] < 0 || (size_t)inputs[i] >= g->n_values) {
            pcs_op_fail(g, &node, "input %u does not exist", i);
            return -1;
        }
        node.in[i] = inputs[i];
    }
    pcs_value out = { .name = name, .dtype = PCS_F32, .node = (int32_t)g->n_nodes };
    if (parse_attributes(g, &node, attributes) || node.op->infer(g, &node, &out)) return -1;
    if (g->n_nodes == g->cap_nodes) {
        const size_t cap = g->cap_nodes ? g->cap_nodes * 2 : 256;
        pcs_node *grown = pcs_grow(g->ctx, g->nodes, g->n_nodes * sizeof *grown, cap, sizeof *grown);
        if (!grown) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        g->nodes = grown;
        g->cap_nodes = cap;
    }
    node.out = pcs_graph_add_value(g, &out);
    if (node.out >= 0) g->nodes[g->n_nodes++] = node;
    return node.out;
}

void precis_graph_output(precis_graph *g, precis_value v)
{
    if (v < 0 || (size_t)v >= g->n_values) pcs_graph_fail(g, PRECIS_EINVAL, "output %d does not exist", v);
    else g->values[v].output = true;
}

precis_status precis_graph_verify(precis_graph *g)
{
    for (size_t i = 0; i < g->n_nodes && !g->error; i++) {
        const pcs_node *n = &g->nodes[i];
        pcs_value out = { .name = n->name, .dtype = PCS_F32 };
        if (n->op->infer(g, n, &out)) break;
        const pcs_value *v = &g->values[n->out];
        if (out.dims != v->dims || memcmp(out.shape, v->shape, sizeof out.shape[0] * out.dims)) pcs_op_fail(g, n, "its shape changed");
    }
    return g->error ? pcs_fail(g->ctx, g->error, "%s", g->message) : PRECIS_OK;
}

size_t precis_graph_values(const precis_graph *g) { return g->n_values; }
const char *precis_graph_value_name(const precis_graph *g, precis_value v) { return v < 0 || (size_t)v >= g->n_values ? "" : g->values[v].name; }

const char *precis_graph_value_op(const precis_graph *g, precis_value v)
{
    return v < 0 || (size_t)v >= g->n_values || g->values[v].node < 0 ? "" : g->nodes[g->values[v].node].op->name;
}

uint32_t precis_graph_value_shape(const precis_graph *g, precis_value v, int64_t shape[PRECIS_MAX_DIMS])
{
    if (v < 0 || (size_t)v >= g->n_values) return 0;
    memcpy(shape, g->values[v].shape, sizeof g->values[v].shape);
    return g->values[v].dims;
}

void precis_graph_print(const precis_graph *g, void (*line)(void *user, const char *text), void *user)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        const pcs_value *v = &g->values[n->out];
        char text[512];
        int at = snprintf(text, sizeof text, "%%%d = %s(", n->out, n->op->name);
        for (uint32_t k = 0; k < n->n_in && at < 400; k++) at += snprintf(text + at, sizeof text - (size_t)at, "%s%%%d", k ? ", " : "", n->in[k]);
        at += snprintf(text + at, sizeof text - (size_t)at, ")");
        for (int k = 0; k < PCS_ATTRS && n->op->attrs[k] && at < 400; k++)
            at += snprintf(text + at, sizeof text - (size_t)at, " %s=%g", n->op->attrs[k], n->attr[k]);
        at += snprintf(text + at, sizeof text - (size_t)at, " : [");
        for (uint32_t k = 0; k < v->dims && at < 440; k++) {
            const int64_t d = v->shape[k];
            if (d < 0) at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", k ? ", " : "", d == PRECIS_DIM_TOKENS ? "tokens" : "outputs");
            else at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", k ? ", " : "", (long long)d);
        }
        snprintf(text + at, sizeof text - (size_t)at, "]  %.40s", n->name);
        line(user, text);
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
