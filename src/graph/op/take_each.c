/* take_each - out[i][j][k] = x[i][ids[i][j][k]][k] for the axis in the middle: ONNX's GatherElements. Indices as
 * take's. */
#include "graph/element.h"

enum { AXIS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    const uint32_t axis = pcs_axis(n->attr[AXIS].integer, x->dims);
    if (!pcs_dtype_bytes(x->dtype) || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64) || axis == x->dims ||
        ids->dims != x->dims)
        return pcs_op_fail(g, n, "takes elements with an axis %lld, and whole numbers of as many dimensions",
                           (long long)n->attr[AXIS].integer);
    for (uint32_t i = 0; i < x->dims; i++)
        if ((i != axis && ids->shape[i] != x->shape[i] &&
             (pcs_dim_is_id(x->shape[i]) || pcs_dim_is_id(ids->shape[i]) || ids->shape[i] > x->shape[i])) ||
            x->shape[i] == 0)
            return pcs_op_fail(g, n, "has more indices along dimension %u than elements", i);
    out->dtype = x->dtype;
    out->dims = ids->dims;
    memcpy(out->shape, ids->shape, sizeof out->shape);
    return PRECIS_OK;
}

/* The element of x that result i is. */
static size_t element_of(const pcs_call *c, uint32_t axis, const int64_t *dense, uint64_t i)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const int64_t id = pcs_int_at(&c->in[1], i), n = x->shape[axis], at = id < 0 ? id + n : id;
    int64_t rest = (int64_t)i, from = 0;
    if (at < 0 || at >= n) pcs_outside(c);
    for (uint32_t k = y->dims; k-- > 0; rest /= y->shape[k])
        from += (k == axis ? (at < 0 || at >= n ? 0 : at) : rest % y->shape[k]) * dense[k];
    return (size_t)from;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const uint32_t axis = pcs_axis(c->attr[AXIS].integer, x->dims);
    const size_t bytes = pcs_dtype_bytes(x->dtype);
    int64_t dense[PCS_GRAPH_DIMS];
    uint64_t begin, end;
    pcs_dense(x->dims, x->shape, dense);
    pcs_share((uint64_t)pcs_arg_count(y), 16, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++)
        memcpy((char *)y->data + i * bytes, (const char *)x->data + element_of(c, axis, dense, i) * bytes, bytes);
}

/* A thread has some elements of x, and looks for them among all results. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const uint32_t axis = pcs_axis(c->attr[AXIS].integer, c->in[0].dims);
    int64_t dense[PCS_GRAPH_DIMS];
    uint64_t begin, end;
    pcs_dense(c->in[0].dims, c->in[0].shape, dense);
    pcs_share((uint64_t)pcs_arg_count(&c->in[0]), 16, ith, nth, &begin, &end);
    for (uint64_t i = 0; g->in[0] && i < (uint64_t)pcs_arg_count(&c->out[0]); i++) {
        const size_t at = element_of(c, axis, dense, i);
        if (at >= begin && at < end) g->in[0][at] += g->out[0][i];
    }
}

const pcs_op pcs_op_take_each = { .backward = backward, .name = "take_each",
                                  .min_in = 2,
                                  .max_in = 2,
                                  .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0)),
                                  .infer = infer,
                                  .eval = eval };
