/* add - elementwise; shapes agree. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (b->dtype != PCS_F32 || a->dims != b->dims || memcmp(a->shape, b->shape, a->dims * sizeof a->shape[0])) return pcs_op_fail(g, n, "shapes differ");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *a = c->in[0].data, *b = c->in[1].data;
    float *y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) y[i] = a[i] + b[i];
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (uint32_t k = 0; k < 2; k++)
        for (uint64_t i = begin; g->in[k] && i < end; i++) g->in[k][i] += g->out[0][i];
}

const pcs_op pcs_op_add = {
    .name = "add", .by_rows = true, .min_in = 2, .max_in = 2, .infer = infer, .eval = eval, .backward = backward,
};
