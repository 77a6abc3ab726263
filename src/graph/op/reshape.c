/* reshape - the same elements under another shape, which input 1 says (i64, known before the graph runs), as ONNX's
 * Reshape: 0 keeps the dimension of that place, one -1 takes what is left. */
#include "graph/op/pair.h"

/* The dimension that -1 stands for: all elements over those of the other dimensions. */
static int64_t what_is_left(precis_graph *g, const pcs_value *x, const pcs_value *out, uint32_t at)
{
    int64_t others[PCS_GRAPH_DIMS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < out->dims; i++)
        if (i != at) others[n++] = out->shape[i];
    return pcs_dim_quotient(g, x->dims, x->shape, n, others);
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *to = &g->values[n->in[1]];
    if (!pcs_dtype_bytes(x->dtype) || x->affine.scales)
        return pcs_op_fail(g, n, "takes elements, of one scale if they are codes");
    if (to->dtype != PCS_I64 || to->dims != 1 || !to->known)
        return pcs_op_fail(g, n, "its shape is not known before it runs");
    if (to->shape[0] > PCS_GRAPH_DIMS)
        return pcs_op_fail(g, n, "%lld dimensions, at most %d", (long long)to->shape[0], PCS_GRAPH_DIMS);
    out->dtype = x->dtype;
    out->affine = x->affine;
    out->dims = (uint32_t)to->shape[0];
    uint32_t open = out->dims;
    for (uint32_t i = 0; i < out->dims; i++) {
        const int64_t d = to->known[i];
        const bool id = pcs_dim_is_id(d);
        if ((!id && d < -1) || (d == 0 && i >= x->dims) || (d == -1 && open < out->dims))
            return pcs_op_fail(g, n, "dimension %u cannot be %lld", i, (long long)d);
        if (d == -1) open = i;
        out->shape[i] = d == 0 ? x->shape[i] : d == -1 ? 1 : d;
    }
    const int64_t left = what_is_left(g, x, out, open);
    const bool fits = open < out->dims ? left != PCS_DIM_ERROR : left == 1;
    if (!g->error && !fits) return pcs_op_fail(g, n, "its elements do not fill that shape");
    if (open < out->dims) out->shape[open] = left;
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    (void)c, (void)ith, (void)nth;
}

const pcs_op pcs_op_reshape = {
    .name = "reshape", .min_in = 2, .max_in = 2, .view = true, .reads_shape = 1,
    .infer = infer, .eval = eval, .backward = pcs_back_same,
};
