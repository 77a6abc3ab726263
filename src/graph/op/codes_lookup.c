/* codes_lookup - each code becomes what a table of 256 has for it: any function of one value of codes. */
#include "base/pool.h"
#include "graph/op/codes.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (g->values[n->in[0]].dtype != PCS_U8 || !pcs_codes_holds(&g->values[n->in[1]], PCS_U8, 256))
        return pcs_op_fail(g, n, "takes U8 and a table of 256");
    pcs_codes_like(&g->values[n->in[0]], out);
    out->dtype = PCS_U8;
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const uint8_t *x = c->in[0].data, *table = c->in[1].data;
    uint8_t *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) y[i] = table[x[i]];
}

const pcs_op pcs_op_codes_lookup = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "codes_lookup",
    .min_in = 2,
    .max_in = 2,
    .infer = infer,
    .eval = eval,
};
