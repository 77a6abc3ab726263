/* recipes.h - what the gradients of ops that go straight through a rounding must be, by their papers' formulas, in f64
 * and without a line of theirs; and the inputs that they are tried on. */
#ifndef RECIPES_H
#define RECIPES_H

#include "graph/graph.h"

#include <math.h>

/* What an input holds: F numbers of about `size`; A: such that are at least 0.15 from 0; P: positive; S: a step of
 * about `size`, positive; I: whole numbers below `most`, by turns; R: a route of `most` experts; Q: numbers of a
 * sequence, `most` rows each; T: positions in it; K: the dimensions of a shape; D: all different by 0.2, so that none
 * overtakes another; B: true and false by turns; Z: constants, ones and after the first two `size`; G: a region,
 * zeros and after the half ones. */
typedef struct {
    char kind;
    uint32_t dims;
    int64_t shape[4];
    int32_t most;
    float size;
} operand;

/* want[i]: the gradient by input i, as the recipe has it, of ops that go straight through. */
typedef void formula(const pcs_call *c, const float *d, double *const *want);

/* Of a product in bf16: operands are rounded, and products summed. */
static double bf16_of(float x)
{
    int e;
    if (x == 0) return 0;
    const double unit = ldexp(1, (frexp((double)x, &e), e) - 8);
    return rint((double)x / unit) * unit;
}

static void bf16_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t m = c->in[0].shape[0], k = c->in[0].shape[1], n = c->in[1].shape[0];
    const float *x = c->in[0].data, *w = c->in[1].data;
    for (int64_t t = 0; t < m; t++)
        for (int64_t r = 0; r < n; r++)
            for (int64_t i = 0; i < k; i++) {
                want[0][t * k + i] += bf16_of(d[t * n + r]) * bf16_of(w[r * k + i]);
                want[1][r * k + i] += bf16_of(d[t * n + r]) * bf16_of(x[t * k + i]);
            }
}

/* ---- recipes ------------------------------------------------------------------------------------------ */

static double ends(double q, double low, double high) { return q < low ? -1 : q > high ? 1 : 0; }

static void passes(const pcs_call *c, const float *d, double *const *want)
{
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++) want[0][i] = d[i];
}

/* Static fake_quant: 4 bits at a step of 0.25, symmetric or affine with a zero point of 5. */
static void passes_inside(const pcs_call *c, const float *d, double *const *want)
{
    const bool affine = c->attr[0].integer == 1;
    const double low = affine ? -5 : -8, high = affine ? 10 : 7;
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++)
        want[0][i] = ends(rint(((const float *)c->in[0].data)[i] / 0.25), low, high) == 0 ? d[i] : 0;
}

static void affine_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const float *x = c->in[0].data;
    const int64_t axis = c->attr[2].integer, n = pcs_arg_count(&c->in[0]);
    const double low = (double)c->attr[0].integer, high = (double)c->attr[1].integer, factor = c->attr[3].real;
    for (int64_t i = 0; i < n; i++) {
        const int64_t ch = axis < 0 ? 0 : i / (n / c->in[0].shape[0]);
        const float s = ((const float *)c->in[1].data)[ch];
        const double z = rint(((const float *)c->in[2].data)[ch]), q = rint((double)(x[i] * (1.0f / s))) + z;
        const double end = ends(q, low, high);
        want[0][i] = end == 0 ? d[i] : 0;
        want[1][ch] += factor * d[i] * (end < 0 ? low - z : end > 0 ? high - z : q - z - (double)x[i] / s);
        want[2][ch] -= end != 0 ? factor * d[i] * s : 0;
    }
}

static void lsq_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const float *x = c->in[0].data, s = *(const float *)c->in[1].data,
                beta = c->n_in > 2 ? *(const float *)c->in[2].data : 0;
    const double low = (double)c->attr[0].integer, high = (double)c->attr[1].integer;
    const int64_t n = pcs_arg_count(&c->in[0]);
    const double factor = c->attr[2].real > 0 ? c->attr[2].real : 1 / sqrt((double)n * high);
    for (int64_t i = 0; i < n; i++) {
        const double v = (x[i] - beta) / s, end = ends(v, low, high);
        want[0][i] = end == 0 ? d[i] : 0;
        want[1][0] += factor * d[i] * (end < 0 ? low : end > 0 ? high : c->attr[3].integer ? rint(v) - v : 0);
        if (c->n_in > 2) want[2][0] += end != 0 ? d[i] : 0;
    }
}

/* Of clip_range, whose range is given for all, for each row, or is a share of the row's root mean square. */
static void clip_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t rows = c->in[0].shape[0], k = c->in[0].shape[1];
    for (int64_t i = 0; i < rows * k; i++) {
        const float *row = (const float *)c->in[0].data + i / k * k;
        double squares = 0;
        for (int64_t j = 0; j < k; j++) squares += (double)row[j] * row[j] / (double)k;
        const int64_t at = c->n_in > 1 && c->in[1].shape[0] > 1 ? i / k : 0;
        const double range = c->n_in > 1 ? ((const float *)c->in[1].data)[at] : c->attr[0].real * sqrt(squares);
        const double x = row[i % k], end = ends(x, -range, range);
        want[0][i] = fabs(x) <= range * (1 + c->attr[1].real) ? d[i] : 0;
        if (c->n_in > 1) want[1][at] += c->attr[2].real * d[i] * end;
    }
}

/* Of range_step: x beyond the range stands for what was clipped at it. */
static void step_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t rows = c->in[0].shape[0], k = c->in[0].shape[1];
    const int64_t group = c->attr[0].integer ? c->attr[0].integer : k;
    const float *y = c->in[0].data, *x = c->in[1].data, *range = c->in[2].data;
    for (int64_t i = 0; i < rows * k; i++) {
        const int64_t at = c->in[2].shape[0] > 1 ? i / k : 0, first = i / k * k + i % k / group * group;
        bool reaches = false;
        for (int64_t j = first; j < first + group && j < (i / k + 1) * k; j++) reaches |= fabsf(x[j]) >= range[at];
        want[0][i] = d[i];
        if (reaches && fabsf(x[i]) < range[at])
            want[2][at] += c->attr[1].real * d[i] * ((double)y[i] - x[i]) / range[at];
    }
}

static void pact_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const float *x = c->in[0].data, alpha = *(const float *)c->in[1].data;
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++) {
        want[0][i] = x[i] >= 0 && x[i] < alpha ? d[i] : 0;
        want[1][0] += x[i] >= alpha ? d[i] : 0;
    }
}

static void pareto_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t rows = c->in[0].shape[0], k = c->in[0].shape[1], bits = c->attr[0].integer;
    const double top = pow(2, (double)bits - 1) - 1, levels = bits ? 2 : 1.5, h = bits ? 0.5 : 0;
    const double qp = bits < 3 ? 1 : top, end_of = (levels - h) / levels, edge = bits < 3 ? 0.99 : top;
    for (int64_t i = 0; i < rows * k; i++) {
        const double v = ((const float *)c->in[0].data)[i] / ((const float *)c->in[1].data)[i / k];
        const double end = bits == 1 ? ends(v, -1, 1) : ends(v, bits >= 3 ? -top - 1 : -edge, edge);
        const double grid = bits >= 3 ? rint(v) : (rint(v * levels - h) + h) / levels;
        const double inside = bits == 1 ? (v > 0) - (v < 0)
                              : end < 0 ? (bits >= 3 ? -top - 1 : -end_of)
                              : end > 0 ? (bits >= 3 ? top : end_of)
                                        : grid - v;
        want[0][i] = end == 0 ? d[i] : 0;
        want[1][i / k] += d[i] * inside / sqrt((double)(rows * k) * qp);
    }
}

static void sign_recipe(const pcs_call *c, const float *d, double *const *want)
{
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++)
        want[0][i] = fabs((double)((const float *)c->in[0].data)[i]) <= 1 ? d[i] : 0;
}

static void binary_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t k = c->in[0].shape[1];
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++) {
        const float *row = (const float *)c->in[0].data + i / k * k, w = row[i % k];
        double alpha = 0;
        for (int64_t j = 0; j < k; j++) alpha += fabs((double)row[j]) / (double)k;
        want[0][i] = d[i] * (1.0 / (double)k + (fabs((double)w) <= 1 ? alpha : 0));
    }
}

/* QuEST at 2 bits, or Quartet's blocks of 32. */
static void trust_recipe(const pcs_call *c, const float *d, double *const *want)
{
    const int64_t blocks = c->attr[0].integer, n = blocks ? 32 : c->in[0].shape[1];
    for (int64_t i = 0; i < pcs_arg_count(&c->in[0]); i++) {
        const float *row = (const float *)c->in[0].data + i / n * n, x = row[i % n],
                    y = ((const float *)c->out[0].data)[i];
        double squares = 0, mean = 0;
        for (int64_t j = 0; j < n; j++) mean += blocks ? row[j] / (double)n : 0;
        for (int64_t j = 0; j < n; j++) squares += (row[j] - mean) * (row[j] - mean) / (double)n;
        const double scale = exp2(floor(log2(2.92247856 / 6 * sqrt(squares) + 1e-8)));
        want[0][i] = (blocks ? fabs(x / scale) < 6 : fabs((double)y - x) <= sqrt(squares) * 1.49353 / 3) ? d[i] : 0;
    }
}

#endif
