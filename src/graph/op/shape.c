/* shape - the dimensions of a value, as i64[dims]. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    int64_t *known = pcs_arena_alloc(&g->arena, x->dims + 1, sizeof *known);
    if (!known) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return g->error;
    }
    memcpy(known, x->shape, x->dims * sizeof *known);
    out->dtype = PCS_I64;
    out->dims = 1;
    out->shape[0] = x->dims;
    out->known = known;
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    (void)nth;
    if (ith == 0) memcpy(c->out[0].data, c->in[0].shape, c->in[0].dims * sizeof(int64_t));
}

const pcs_op pcs_op_shape = {
    .name = "shape", .min_in = 1, .max_in = 1, .infer = infer, .eval = eval,
    .not_differentiable = "its result is dimensions",
};
