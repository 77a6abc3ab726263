/* pareto - weights [rows, k] on ParetoQ's grids (2502.02631, models/utils_quant.py) with a learned alpha [rows].
 *
 * bits 0 (ternary) and 2 are stretched: (nearest(clamp(w / alpha, -.99, .99) L - h) + h) / L with L 1.5, h 0, or L 2, h
 * .5; 1 is the sign; 3 and more are LSQ's grid. Gradients: w's where it is not clipped; alpha's, over its row, the sum
 * of d times the end of the grid where it is clipped and what rounding adds elsewhere, times 1 / sqrt(numbers of the
 * matrix * Qp). */
#include "graph/graph.h"
#include "base/builtins.h"
#include "graph/op/round.h"

enum { BITS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *w = &g->values[n->in[0]], *a = &g->values[n->in[1]];
    const int64_t bits = n->attr[BITS].integer;
    if (bits < 0 || bits > 8 || w->dims != 2 || a->dtype != PCS_F32 || a->dims != 1 || a->shape[0] != w->shape[0])
        return pcs_op_fail(g, n, "takes w[rows, k], alpha[rows] and 0 to 8 bits");
    return pcs_infer_like(g, n, 0, out);
}

/* A grid in units of alpha: codes, and what they are clipped at. */
typedef struct { bool stretched, sign; float levels, shift, low, high, end_low, end_high, qp; } code_levels;

static code_levels levels_of(int bits)
{
    if (bits == 1) return (code_levels){ .sign = true, .low = -1, .high = 1, .end_low = -1, .end_high = 1, .qp = 1 };
    if (bits != 0 && bits != 2) {
        const float top = (float)((1 << (bits - 1)) - 1);
        return (code_levels){ .low = -top - 1, .high = top, .end_low = -top - 1, .end_high = top, .qp = top };
    }
    code_levels g = {
        .stretched = true, .levels = bits ? 2.0f : 1.5f, .shift = bits ? 0.5f : 0.0f, .low = -0.99f, .high = 0.99f
    };
    g.end_high = (g.levels - g.shift) / g.levels;
    g.end_low = -g.end_high;
    g.qp = 1; /* of integers of 2 bits, and of signs */
    return g;
}

/* w / alpha on the grid. */
static float on_grid(const code_levels *g, float v)
{
    if (g->sign) return v > 0 ? 1.0f : v < 0 ? -1.0f : v; /* 0 and NaN stay */
    if (!g->stretched) return pcs_clamp(pcs_nearest(v), g->low, g->high);
    return (pcs_nearest(pcs_clamp(v, g->low, g->high) * g->levels - g->shift) + g->shift) / g->levels;
}

static float alpha_of(const pcs_call *c, size_t row)
{
    const float a = ((const float *)c->in[1].data)[row];
    return a > 1e-5f ? a : 1e-5f;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const code_levels g = levels_of((int)c->attr[BITS].integer);
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *w = (const float *)c->in[0].data + r * k, alpha = alpha_of(c, r);
        for (size_t i = 0; i < k; i++) ((float *)c->out[0].data)[r * k + i] = on_grid(&g, w[i] / alpha) * alpha;
    }
}

static void backward(const pcs_call *c, const pcs_grads *grads, uint32_t ith, uint32_t nth)
{
    const code_levels g = levels_of((int)c->attr[BITS].integer);
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    const double factor = 1.0 / pcs_sqrt((double)(rows * k) * g.qp);
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *w = (const float *)c->in[0].data + r * k, *d = grads->out[0] + r * k, alpha = alpha_of(c, r);
        double sum = 0;
        for (size_t i = 0; i < k; i++) {
            const float v = w[i] / alpha;
            const bool below = v < g.low, above = v > g.high;
            if (grads->in[0] && !below && !above) grads->in[0][r * k + i] += d[i];
            const float inside = g.sign ? on_grid(&g, v) : on_grid(&g, v) - v;
            sum += (double)d[i] * (g.sign ? inside : below ? g.end_low : above ? g.end_high : inside);
        }
        if (grads->in[1]) grads->in[1][r] += (float)(sum * factor);
    }
}

const pcs_op pcs_op_pareto = {
    .name = "pareto",
    .min_in = 2,
    .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("bits", 2)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .straight_through = true,
};
