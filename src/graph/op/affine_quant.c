/* affine_quant - rounded to codes and back by a scale and a zero point that are values:
 * s (clamp(nearest(x / s) + z) - z), as torch's fake_quantize does it: multiplied by 1 / s, and rounded before z is
 * added. One scale and zero point, or with axis >= 0 one of each along that axis.
 *
 * Gradients (torch's _fake_quantize_learnable, after LSQ, 1902.08153): x's where the rounded code lies in [low, high];
 * the scale's factor * sum of d times y / s - x / s inside, and low - z or high - z beyond; the zero point's factor *
 * sum of -s d beyond. factor: the gradient scale of LSQ, which the caller chooses. */
#include "graph/op/pair.h"
#include "graph/op/round.h"

enum { LOW, HIGH, AXIS, FACTOR };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t axis = n->attr[AXIS].integer, channels = axis < 0 ? 1 : axis < x->dims ? x->shape[axis] : -1;
    if (n->attr[LOW].integer >= n->attr[HIGH].integer) return pcs_op_fail(g, n, "low is not below high");
    if (channels < 0) return pcs_op_fail(g, n, "has no axis %lld of a fixed size", (long long)axis);
    for (uint32_t i = 1; i < 3; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (v->dtype != PCS_F32 || v->dims != 1 || v->shape[0] != channels)
            return pcs_op_fail(g, n, "input %u is not f32 [%lld]", i, (long long)channels);
    }
    return pcs_infer_like(g, n, 0, out);
}

typedef struct { float low, high, scale, zero, inverse; } grid;

static grid grid_of(const pcs_call *c, size_t channel)
{
    grid g = { .low = (float)c->attr[LOW].integer, .high = (float)c->attr[HIGH].integer };
    g.scale = ((const float *)c->in[1].data)[channel];
    g.zero = pcs_clamp(pcs_nearest(((const float *)c->in[2].data)[channel]), g.low, g.high);
    g.inverse = 1.0f / g.scale;
    return g;
}

static pcs_along along(const pcs_call *c)
{
    const pcs_along whole = { 1, 1, (size_t)pcs_arg_count(&c->in[0]) };
    return c->attr[AXIS].integer < 0 ? whole : pcs_along_of(&c->in[0], (size_t)c->attr[AXIS].integer);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_along a = along(c);
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const grid g = grid_of(c, i / a.inner % a.channels);
        y[i] = (pcs_clamp(pcs_nearest(x[i] * g.inverse) + g.zero, g.low, g.high) - g.zero) * g.scale;
    }
}

static void by_grid(const pcs_call *c, const pcs_grads *grads, size_t channel)
{
    const pcs_along a = along(c);
    const grid g = grid_of(c, channel);
    const float *x = c->in[0].data, *d = grads->out[0];
    double scale = 0, zero = 0;
    for (size_t o = 0; o < a.outer; o++)
        for (size_t i = (o * a.channels + channel) * a.inner, e = i + a.inner; i < e; i++) {
            const float q = pcs_nearest(x[i] * g.inverse) + g.zero;
            const bool below = q < g.low, above = q > g.high;
            const float inside = ((q - g.zero) * g.scale - x[i]) * g.inverse;
            scale += (double)d[i] * (below ? g.low - g.zero : above ? g.high - g.zero : inside);
            zero -= below || above ? (double)d[i] * g.scale : 0;
        }
    const double factor = c->attr[FACTOR].real;
    if (grads->in[1]) grads->in[1][channel] += (float)(scale * factor);
    if (grads->in[2]) grads->in[2][channel] += (float)(zero * factor);
}

static void backward(const pcs_call *c, const pcs_grads *grads, uint32_t ith, uint32_t nth)
{
    const pcs_along a = along(c);
    const float *x = c->in[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; grads->in[0] && i < end; i++) {
        const grid g = grid_of(c, i / a.inner % a.channels);
        const float q = pcs_nearest(x[i] * g.inverse) + g.zero;
        if (q >= g.low && q <= g.high) grads->in[0][i] += grads->out[0][i];
    }
    for (size_t ch = ith; (grads->in[1] || grads->in[2]) && ch < a.channels; ch += nth) by_grid(c, grads, ch);
}

const pcs_op pcs_op_affine_quant = {
    .name = "affine_quant", .min_in = 3, .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("low", -128), PCS_INT("high", 127), PCS_INT("axis", -1), PCS_REAL("factor", 1)),
    .infer = infer, .eval = eval, .backward = backward, .straight_through = true,
};
