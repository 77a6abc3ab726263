/* concat - values one after another along an axis (negative: from the last). */
#include "graph/graph.h"

#define MANY 4096 /* inputs */

enum { AXIS };

/* The axis as a dimension of x; x->dims when there is none. */
static uint32_t axis_of(const precis_attr *attr, uint32_t dims)
{
    const int64_t axis = attr[AXIS].integer, from = axis < 0 ? axis + dims : axis;
    return from < 0 || from >= dims ? dims : (uint32_t)from;
}

/* Elements that all inputs know, one after another. */
static precis_status join_known(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!g->values[n->in[i]].known) return PRECIS_OK;
    int64_t *known = pcs_arena_alloc(&g->arena, (size_t)out->shape[0] + 1, sizeof *known), *at = known;
    if (!known) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return g->error;
    }
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_value *x = &g->values[n->in[i]];
        memcpy(at, x->known, (size_t)x->shape[0] * sizeof *at);
        at += x->shape[0];
    }
    out->known = known;
    return PRECIS_OK;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *first = &g->values[n->in[0]];
    const uint32_t axis = axis_of(n->attr, first->dims);
    if (axis == first->dims) return pcs_op_fail(g, n, "has no axis %lld", (long long)n->attr[AXIS].integer);
    if (!pcs_dtype_bytes(first->dtype) || first->affine.scale > 0 || first->affine.scales)
        return pcs_op_fail(g, n, "takes elements, and no codes");
    int64_t all = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_value *x = &g->values[n->in[i]];
        bool same = x->dims == first->dims && x->dtype == first->dtype;
        for (uint32_t k = 0; k < x->dims && same; k++) same = k == axis || x->shape[k] == first->shape[k];
        if (!same) return pcs_op_fail(g, n, "input %u differs from input 0 in more than axis %u", i, axis);
        all = pcs_dim_sum(g, all, x->shape[axis]);
    }
    out->dtype = first->dtype;
    out->dims = first->dims;
    memcpy(out->shape, first->shape, sizeof out->shape);
    out->shape[axis] = all;
    if (g->error) return g->error;
    const bool shape = out->dims == 1 && (out->dtype == PCS_I64 || out->dtype == PCS_I32);
    return shape ? join_known(g, n, out) : PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *out = &c->out[0];
    const uint32_t axis = axis_of(c->attr, out->dims);
    size_t outer = 1, inner = pcs_dtype_bytes(out->dtype);
    for (uint32_t k = 0; k < axis; k++) outer *= (size_t)out->shape[k];
    for (uint32_t k = axis + 1; k < out->dims; k++) inner *= (size_t)out->shape[k];
    const size_t row = (size_t)out->shape[axis] * inner;
    for (size_t o = ith; o < outer; o += nth) {
        char *y = (char *)out->data + o * row;
        for (uint32_t i = 0; i < c->n_in; i++) {
            const size_t part = (size_t)c->in[i].shape[axis] * inner;
            memcpy(y, (const char *)c->in[i].data + o * part, part);
            y += part;
        }
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_arg *out = &c->out[0];
    const uint32_t axis = axis_of(c->attr, out->dims);
    size_t inner = 1, before = 0;
    for (uint32_t k = axis + 1; k < out->dims; k++) inner *= (size_t)out->shape[k];
    const size_t row = (size_t)out->shape[axis] * inner;
    for (uint32_t i = 0; i < c->n_in; i++) {
        const size_t part = (size_t)c->in[i].shape[axis] * inner;
        uint64_t begin, end;
        pcs_share((uint64_t)pcs_arg_count(&c->in[i]), 64, ith, nth, &begin, &end);
        for (uint64_t e = begin; g->in[i] && e < end; e++) g->in[i][e] += g->out[0][e / part * row + before + e % part];
        before += part;
    }
}

const pcs_op pcs_op_concat = {
    .name = "concat", .min_in = 1, .max_in = MANY, .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0)), .infer = infer,
    .eval = eval,
    .backward = backward,
};
