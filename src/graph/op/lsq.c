/* lsq - learned step size (1902.08153, equations 1 to 5), with an offset LSQ+ (2004.09576, equations 2 to 6): inputs x,
 * s [1] and, for LSQ+, beta [1]; y = nearest(clamp((x - beta) / s, low, high)) s + beta.
 *
 * Gradients: x's strictly inside the range; s's factor * sum of d times low | high | nearest(v) - v with v = (x - beta)
 * / s; beta's the sum of d beyond the range. factor 0: LSQ's own, 1 / sqrt(n * high), n: all of x for weights; for
 * activations the caller gives one of the features of the layer, not of the batch. rounding=0: what rounding adds
 * does not count for s, as PACT's clip has it (1805.06085, equation 3, with s = alpha / high). */
#include "base/fmath.h"
#include "base/builtins.h"
#include "graph/graph.h"
#include "graph/op/round.h"

enum { LOW, HIGH, FACTOR, ROUNDING };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (n->attr[LOW].integer >= n->attr[HIGH].integer || n->attr[HIGH].integer < 1)
        return pcs_op_fail(g, n, "low is not below high, or high is no positive code");
    for (uint32_t i = 1; i < n->n_in; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (v->dtype != PCS_F32 || v->dims != 1 || v->shape[0] != 1)
            return pcs_op_fail(g, n, "input %u is not f32 [1]", i);
    }
    return pcs_infer_like(g, n, 0, out);
}

typedef struct { float low, high, s, beta; } lsq_grid;

static lsq_grid steps_of(const pcs_call *c)
{
    return (lsq_grid){ (float)c->attr[LOW].integer, (float)c->attr[HIGH].integer, *(const float *)c->in[1].data,
                   c->n_in > 2 ? *(const float *)c->in[2].data : 0.0f };
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const lsq_grid g = steps_of(c);
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++)
        y[i] = pcs_nearest(pcs_clamp((x[i] - g.beta) / g.s, g.low, g.high)) * g.s + g.beta;
}

/* One thread: the sums are over all numbers. */
static void by_steps(const pcs_call *c, const pcs_grads *grads)
{
    const lsq_grid g = steps_of(c);
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    const float *x = c->in[0].data, *d = grads->out[0];
    double step = 0, offset = 0;
    for (size_t i = 0; i < n; i++) {
        const float v = (x[i] - g.beta) / g.s;
        const bool below = v <= g.low, above = v >= g.high;
        const float within = c->attr[ROUNDING].integer ? pcs_nearest(v) - v : 0;
        step += (double)d[i] * (below ? g.low : above ? g.high : within);
        offset += below || above ? (double)d[i] : 0;
    }
    const double own = 1.0 / (double)pcs_sqrt((double)n * g.high), factor = c->attr[FACTOR].real;
    if (grads->in[1]) grads->in[1][0] += (float)(step * (factor > 0 ? factor : own));
    if (c->n_in > 2 && grads->in[2]) grads->in[2][0] += (float)offset;
}

static void backward(const pcs_call *c, const pcs_grads *grads, uint32_t ith, uint32_t nth)
{
    const lsq_grid g = steps_of(c);
    const float *x = c->in[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; grads->in[0] && i < end; i++) {
        const float v = (x[i] - g.beta) / g.s;
        if (v > g.low && v < g.high) grads->in[0][i] += grads->out[0][i];
    }
    if (ith == nth - 1) by_steps(c, grads);
}

const pcs_op pcs_op_lsq = {
    .name = "lsq",
    .min_in = 2,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("low", -8), PCS_INT("high", 7), PCS_REAL("factor", 0),
                            PCS_INT("rounding", 1)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .straight_through = true,
};
