/* relu2glu - relu(gate)^2 * up (So et al. 2021; BitNet b1.58 2B4T, section 2). */
#include "graph/op/pair.h"

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_result(c, ith, nth, &begin, &end);
    const float *restrict g = c->in[0].data, *restrict u = c->in[1].data;
    float *restrict y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) {
        const float r = g[i] > 0 ? g[i] : 0.0f;
        y[i] = r * r * u[i];
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *gate = c->in[0].data, *up = c->in[1].data, *d = g->out[0];
    for (uint64_t i = begin; i < end; i++) {
        const float r = gate[i] > 0 ? gate[i] : 0.0f;
        if (g->in[0]) g->in[0][i] += d[i] * 2.0f * r * up[i];
        if (g->in[1]) g->in[1][i] += d[i] * r * r;
    }
}

const pcs_op pcs_op_relu2glu = {
    .name = "relu2glu", .by_rows = true, .by_numbers = true, .min_in = 2, .max_in = 2,
    .infer = pcs_infer_pair, .eval = eval,
    .backward = backward,
};
