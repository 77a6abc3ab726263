/* where - of two operands of one type the first where the condition (a BOOL) holds, else the second; all three spread.
 */
#include "graph/element.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *c = &g->values[n->in[0]], *x = &g->values[n->in[1]], *y = &g->values[n->in[2]];
    if (c->dtype != PCS_BOOL || x->dtype != y->dtype || !pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "takes a BOOL and two operands of one type, not %s, %s and %s",
                           pcs_dtype_name(c->dtype), pcs_dtype_name(x->dtype), pcs_dtype_name(y->dtype));
    out->dtype = x->dtype;
    return pcs_infer_spread(g, n, 0, 3, out);
}

static void choose_narrow(const precis_attr *attr, size_t n, const void *const *in, void *out)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        ((uint32_t *)out)[i] =
            ((const int64_t *)in[0])[i] ? ((const uint32_t *)in[1])[i] : ((const uint32_t *)in[2])[i];
}

static void wide(const precis_attr *attr, size_t n, const void *const *in, void *out)
{
    (void)attr;
    for (size_t i = 0; i < n; i++)
        ((uint64_t *)out)[i] =
            ((const int64_t *)in[0])[i] ? ((const uint64_t *)in[1])[i] : ((const uint64_t *)in[2])[i];
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    pcs_elementwise(c, ith, nth, pcs_domain_of(c->out[0].dtype) == PCS_IN_F32 ? choose_narrow : wide);
}

static void of_first(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *slope)
{
    (void)attr, (void)made;
    for (size_t i = 0; i < n; i++) slope[i] = in[0][i] != 0;
}

static void of_second(const precis_attr *attr, size_t n, const float *const *in, const float *made, float *slope)
{
    (void)attr, (void)made;
    for (size_t i = 0; i < n; i++) slope[i] = in[0][i] == 0;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    pcs_elementwise_back(c, g, ith, nth, (pcs_slope_fn *const[]){ NULL, of_first, of_second });
}

const pcs_op pcs_op_where = {
    .backward = backward, .name = "where", .min_in = 3, .max_in = 3, .infer = infer,
    .eval = eval
};
