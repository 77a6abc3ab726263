/* ste_sign - 1 or -1, 1 for 0, a NaN for a NaN, through which the gradient passes straight where |x| <= 1 (BinaryNet,
 * 1602.02830; Larq calls it so, too). The sign that is 0 for 0 is a row of unary.def. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) y[i] = x[i] < 0 ? -1.0f : x[i] >= 0 ? 1.0f : x[i];
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data;
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += x[i] >= -1 && x[i] <= 1 ? g->out[0][i] : 0.0f;
}

const pcs_op pcs_op_ste_sign = {
    .name = "ste_sign", .by_rows = true, .min_in = 1, .max_in = 1, .infer = infer, .eval = eval, .backward = backward,
    .straight_through = true,
};
