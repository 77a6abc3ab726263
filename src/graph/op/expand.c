/* expand - spread over a shape, as NumPy does it: dimensions of one are repeated. */
#include "graph/element.h"

enum { SHAPE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const precis_attr *to = &n->attr[SHAPE];
    const uint32_t dims = to->n > x->dims ? to->n : x->dims;
    if (!pcs_dtype_bytes(x->dtype) || dims > PCS_GRAPH_DIMS)
        return pcs_op_fail(g, n, "gives %u dimensions, at most %d", dims, PCS_GRAPH_DIMS);
    out->dims = dims;
    out->dtype = x->dtype;
    for (uint32_t i = 0; i < dims; i++) {
        const int64_t a = i < dims - x->dims ? 1 : x->shape[i - (dims - x->dims)],
                      b = i < dims - to->n ? 1 : to->list[i - (dims - to->n)];
        if (a != b && a != 1 && b != 1)
            return pcs_op_fail(g, n, "dimension %u is %lld, not %lld", i, (long long)a, (long long)b);
        out->shape[i] = a == 1 ? b : a;
    }
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const uint32_t skip = y->dims - x->dims;
    int64_t dense[PCS_GRAPH_DIMS], strides[PCS_GRAPH_DIMS];
    pcs_dense(x->dims, x->shape, dense);
    for (uint32_t i = 0; i < y->dims; i++) strides[i] = i < skip || x->shape[i - skip] == 1 ? 0 : dense[i - skip];
    pcs_move(y, x, 0, strides, ith, nth);
}

static void ones_of(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *slope)
{
    (void)attr, (void)in, (void)made;
    for (size_t i = 0; i < n; i++) slope[i] = 1;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    pcs_elementwise_back(c, g, ith, nth, (pcs_slope_fn *const[]){ ones_of });
}

const pcs_op pcs_op_expand = {
    .backward = backward,
    .name = "expand", .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_LIST("shape")), .infer = infer, .eval = eval
};
