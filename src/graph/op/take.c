/* take - parts of x along an axis, by index (I32 or I64; negative: from the end). gather is take of the first
 * dimension. An index that is outside takes the first part, and the result is refused. */
#include "graph/element.h"

enum { AXIS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    const uint32_t axis = pcs_axis(n->attr[AXIS].integer, x->dims);
    if (!pcs_dtype_bytes(x->dtype) || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64) || axis == x->dims)
        return pcs_op_fail(g, n, "takes elements with an axis %lld, and whole numbers",
                           (long long)n->attr[AXIS].integer);
    if (ids->dims + x->dims - 1 > PCS_GRAPH_DIMS)
        return pcs_op_fail(g, n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
    if (x->shape[axis] == 0) return pcs_op_fail(g, n, "takes from no elements");
    out->dtype = x->dtype;
    for (uint32_t i = 0; i < axis; i++) out->shape[out->dims++] = x->shape[i];
    for (uint32_t i = 0; i < ids->dims; i++) out->shape[out->dims++] = ids->shape[i];
    for (uint32_t i = axis + 1; i < x->dims; i++) out->shape[out->dims++] = x->shape[i];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const uint32_t axis = pcs_axis(c->attr[AXIS].integer, x->dims);
    size_t part = pcs_dtype_bytes(x->dtype), outer = 1;
    for (uint32_t i = 0; i < axis; i++) outer *= (size_t)x->shape[i];
    for (uint32_t i = axis + 1; i < x->dims; i++) part *= (size_t)x->shape[i];
    const int64_t n = x->shape[axis];
    const size_t count = (size_t)pcs_arg_count(&c->in[1]);
    for (size_t t = ith; t < outer * count; t += nth) {
        const int64_t id = pcs_int_at(&c->in[1], t % count), at = id < 0 ? id + n : id;
        if (at < 0 || at >= n) pcs_outside(c);
        const size_t from = t / count * (size_t)n + (size_t)(at < 0 || at >= n ? 0 : at);
        memcpy((char *)c->out[0].data + t * part, (const char *)x->data + from * part, part);
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    pcs_take_back(c, g, pcs_axis(c->attr[AXIS].integer, c->in[0].dims), ith, nth);
}

const pcs_op pcs_op_take = {
    .backward = backward,
    .name = "take", .min_in = 2, .max_in = 2, .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0)), .infer = infer, .eval = eval
};
