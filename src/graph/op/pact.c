/* pact - activations clipped at a learned alpha [1] and rounded to 2^bits - 1 steps (1805.06085, equations 1 to 3).
 *
 * Gradients: x's where 0 <= x < alpha; alpha's the sum of d where x >= alpha. */
#include "graph/graph.h"
#include "graph/op/round.h"

enum { BITS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[1]];
    const int64_t bits = n->attr[BITS].integer;
    if (bits < 1 || bits > 16 || a->dtype != PCS_F32 || a->dims != 1 || a->shape[0] != 1)
        return pcs_op_fail(g, n, "takes x, alpha f32 [1] and 1 to 16 bits");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data, alpha = *(const float *)c->in[1].data;
    const float levels = (float)((1 << c->attr[BITS].integer) - 1);
    float *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++)
        y[i] = pcs_nearest(pcs_clamp(x[i], 0, alpha) * (levels / alpha)) * (alpha / levels);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data, alpha = *(const float *)c->in[1].data;
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    uint64_t begin, end;
    pcs_share(n, 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++)
        if (x[i] >= 0 && x[i] < alpha) g->in[0][i] += g->out[0][i];
    double sum = 0;
    for (size_t i = 0; g->in[1] && ith == nth - 1 && i < n; i++) sum += x[i] >= alpha ? (double)g->out[0][i] : 0;
    if (g->in[1] && ith == nth - 1) g->in[1][0] += (float)sum;
}

const pcs_op pcs_op_pact = {
    .name = "pact", .min_in = 2, .max_in = 2, .attrs = PCS_ATTR_TABLE(PCS_INT("bits", 4)), .infer = infer, .eval = eval,
    .backward = backward, .straight_through = true,
};
