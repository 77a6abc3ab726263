/* pointwise.h - swiglu, geglu, softmax and what scores logits, compiled once per instruction set. No lane depends on
 * another but by maxima and by sums in 16 fixed lanes, and nothing is fused, so every compilation gives the same
 * bits. */
#ifndef PCS_POINTWISE_H
#define PCS_POINTWISE_H

#include "base/fmath.h"
#include "base/lane_sums.h"
#include "kernel/kernel.h"

PCS_INLINE void pcs_swiglu_loop(const pcs_glu_args *a)
{
    const float *restrict g = a->gate, *restrict u = a->up;
    float *restrict y = a->y;
    for (size_t i = 0; i < a->n; i++) y[i] = g[i] * pcs_sigmoidf(g[i]) * u[i];
}

/* gelu by its tanh form (Hendrycks and Gimpel 2016). */
PCS_INLINE void pcs_geglu_loop(const pcs_glu_args *a)
{
    const float *restrict g = a->gate, *restrict u = a->up;
    float *restrict y = a->y;
    for (size_t i = 0; i < a->n; i++)
        y[i] = 0.5f * g[i] * (1.0f + pcs_tanhf(0.79788456f * g[i] * (1.0f + 0.044715f * g[i] * g[i]))) * u[i];
}

/* 16 numbers to their exponentials less top's. */
PCS_INLINE void pcs_exp16(float *s, float top) { PCS_LANES(l, 16) s[l] = pcs_expf(s[l] - top); }

PCS_INLINE void pcs_softmax_loop(const pcs_softmax_args *a)
{
    float *const s = a->s, lane[16] = { 0 }, tops[16],
                 tail[16]; /* tail: the last numbers, 16 at a time as all others */
    const float least = -3.4e38f, scale = a->scale;
    const size_t n = a->n, whole = n / 16 * 16, rest = n - whole, lead = (16 - a->first % 16) % 16,
                 head = lead < n ? lead : n; /* head: numbers before the first of lane 0 */
    PCS_LANES(l, 16) tail[l] = tops[l] = least;
    for (size_t l = 0; l < rest; l++) tail[l] = s[whole + l] * scale;
    for (size_t j = 0; j < whole; j += 16) PCS_LANES(l, 16) s[j + l] *= scale;
    for (size_t j = 0; j < whole && a->cap > 0; j += 16)
        PCS_LANES(l, 16) s[j + l] = a->cap * pcs_tanhf(s[j + l] / a->cap);
    for (size_t l = 0; l < rest && a->cap > 0; l++) tail[l] = a->cap * pcs_tanhf(tail[l] / a->cap);
    for (size_t j = 0; j < whole; j += 16) PCS_LANES(l, 16) tops[l] = s[j + l] > tops[l] ? s[j + l] : tops[l];
    PCS_LANES(l, 16) tops[l] = tail[l] > tops[l] ? tail[l] : tops[l];
    for (int step = 8; step; step /= 2)
        PCS_LANES(l, step) tops[l] = tops[l + step] > tops[l] ? tops[l + step] : tops[l];
    const float top = tops[0];
    for (size_t j = 0; j < whole; j += 16) pcs_exp16(s + j, top);
    pcs_exp16(tail, top); /* 0 after the last */
    for (size_t l = 0; l < rest; l++) s[whole + l] = tail[l];
    size_t j = 0;
    for (; j < head; j++) lane[16 - lead + j] += s[j];
    for (; j + 16 <= n; j += 16) PCS_LANES(l, 16) lane[l] += s[j + l];
    for (size_t l = 0; j < n; j++, l++) lane[l] += s[j];
    for (int step = 8; step; step /= 2) PCS_LANES(l, step) lane[l] += lane[l + step];
    const float inv = 1.0f / lane[0];
    for (j = 0; j < whole; j += 16) PCS_LANES(l, 16) s[j + l] *= inv;
    for (; j < n; j++) s[j] *= inv;
}

PCS_INLINE void pcs_log_sum_loop(const pcs_log_sum_args *a)
{
    const float *x = a->x;
    const size_t n = a->n, whole = n / 16 * 16;
    float tops[16], top = x[0];
    int32_t at[16];
    double lane[16] = { 0 };
    PCS_LANES(l, 16) tops[l] = -__builtin_inff(), at[l] = 0;
    for (size_t i = 0; i < whole; i += 16)
        PCS_LANES(l, 16)
        {
            const float v = x[i + l];
            at[l] = v > tops[l] ? (int32_t)i : at[l];
            tops[l] = v > tops[l] ? v : tops[l];
        }
    size_t best = 0;
    for (size_t l = 0; l < 16 && whole; l++)
        if (tops[l] > top || (tops[l] == top && (size_t)at[l] + l < best)) top = tops[l], best = (size_t)at[l] + l;
    for (size_t i = whole; i < n; i++)
        if (x[i] > top) top = x[i], best = i;
    for (size_t i = 0; i < whole; i += 16) PCS_LANES(l, 16) lane[l] += (double)pcs_expf(x[i + l] - top);
    for (size_t i = whole; i < n; i++) lane[i % 16] += (double)pcs_expf(x[i] - top);
    *a->best = best;
    *a->sum = (double)top + pcs_log(pcs_sixteen_lanes(lane));
}

PCS_INLINE void pcs_divergence_loop(const pcs_divergence_args *a)
{
    const float *p = a->p, *q = a->q, shift = (float)a->lp;
    const double lp = a->lp, lq = a->lq;
    const size_t n = a->n, whole = n / 16 * 16;
    double lane[16] = { 0 };
    for (size_t i = 0; i < whole; i += 16)
        PCS_LANES(l, 16)
        lane[l] += (double)pcs_expf(p[i + l] - shift) * (((double)p[i + l] - lp) - ((double)q[i + l] - lq));
    for (size_t i = whole; i < n; i++)
        lane[i % 16] += (double)pcs_expf(p[i] - shift) * (((double)p[i] - lp) - ((double)q[i] - lq));
    *a->kl = pcs_sixteen_lanes(lane);
}

PCS_INLINE void pcs_dot_loop(const pcs_dot_args *arg)
{
    const double *a = arg->a, *b = arg->b;
    double lane[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= arg->n; i += 8) PCS_LANES(l, 8) lane[l] += a[i + l] * b[i + l];
    for (; i < arg->n; i++) lane[i % 8] += a[i] * b[i];
    *arg->sum = pcs_eight_lanes(lane);
}

#endif
