/* sigmoid - 1 / (1 + e^-x). */
#include "base/fmath.h"
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *restrict x = c->in[0].data;
    float *restrict y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) y[i] = pcs_sigmoidf(x[i]);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *y = c->out[0].data;
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += g->out[0][i] * y[i] * (1.0f - y[i]);
}

const pcs_op pcs_op_sigmoid = {
    .name = "sigmoid", .by_rows = true, .min_in = 1, .max_in = 1, .infer = infer, .eval = eval, .backward = backward,
};
