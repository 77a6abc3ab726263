/* flatten - x[batch, ...] as [batch, rest]; the same bytes. */
#include "graph/op/pair.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    int64_t rest = 1;
    for (uint32_t i = 1; i < x->dims; i++) rest = pcs_dim_product(g, rest, x->shape[i]);
    if (x->dtype != PCS_F32 || !x->dims) return pcs_op_fail(g, n, "takes f32 of at least one dimension");
    out->dims = 2;
    out->shape[0] = x->shape[0];
    out->shape[1] = rest;
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    (void)c, (void)ith, (void)nth;
}

const pcs_op pcs_op_flatten = {
    .name = "flatten", .min_in = 1, .max_in = 1, .view = true, .infer = infer, .eval = eval, .backward = pcs_back_same,
};
