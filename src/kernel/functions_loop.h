/* functions_loop.h - the loops of functions.h, compiled once per instruction set. */
#ifndef PCS_FUNCTIONS_LOOP_H
#define PCS_FUNCTIONS_LOOP_H

#include "base/builtins.h"
#include "base/fmath_more.h"
#include "kernel/kernel.h"

/* n results of expr of x and y, where operands advance by what is a constant here: only then are there vectors. */
#define PCS_EACH(a, DX, DY, expr) \
    for (size_t i = 0; i < (a)->n; i++) { \
        const float x = (a)->x[i * (DX)], y = (a)->y[i * (DY)]; \
        (void)x, (void)y; \
        (a)->to[i] = (expr); \
    }
#define PCS_BOTH(a, expr) \
    if ((a)->dx && (a)->dy) { PCS_EACH(a, 1, 1, expr) } \
    else if ((a)->dx) { PCS_EACH(a, 1, 0, expr) } \
    else { PCS_EACH(a, 0, (a)->dy, expr) }

PCS_INLINE void pcs_elements_loop(const pcs_elements_args *args)
{
    const pcs_elements_args local = *args, *const a = &local;
    const float alpha = a->alpha;
    switch (a->f) {
    case PCS_OF_ADD: PCS_BOTH(a, x + y) break;
    case PCS_OF_SUB: PCS_BOTH(a, x - y) break;
    case PCS_OF_MUL: PCS_BOTH(a, x * y) break;
    case PCS_OF_DIV: PCS_BOTH(a, x / y) break;
    case PCS_OF_MIN: PCS_BOTH(a, x != x || x < y ? x : y) break;
    case PCS_OF_MAX: PCS_BOTH(a, x != x || x > y ? x : y) break;
    case PCS_OF_RELU: PCS_EACH(a, 1, 0, x > 0 ? x : x != x ? x : 0) break;
    case PCS_OF_SIGMOID: PCS_EACH(a, 1, 0, pcs_m_sigmoidf(x)) break;
    case PCS_OF_TANH: PCS_EACH(a, 1, 0, pcs_m_tanhf(x)) break;
    case PCS_OF_ERF: PCS_EACH(a, 1, 0, pcs_m_erff(x)) break;
    case PCS_OF_SWISH: PCS_EACH(a, 1, 0, x / (1.0f + pcs_m_decayf(-alpha * x))) break;
    default: break;
    }
}

PCS_INLINE void pcs_extremes_loop(const pcs_extremes_args *a)
{
    const float *const x = a->x;
    float least[16] = { 0 }, most[16] = { 0 }, odd[16] = { 0 };
    size_t i = 0;
    for (; i + 16 <= a->n; i += 16)
        PCS_LANES(l, 16)
        {
            const float v = x[i + l];
            least[l] = v < least[l] ? v : least[l];
            most[l] = v > most[l] ? v : most[l];
            odd[l] += v - v;
        }
    for (size_t l = 0; i < a->n; i++, l++) {
        least[l] = x[i] < least[l] ? x[i] : least[l];
        most[l] = x[i] > most[l] ? x[i] : most[l];
        odd[l] += x[i] - x[i];
    }
    for (size_t l = 1; l < 16; l++) {
        least[0] = least[l] < least[0] ? least[l] : least[0];
        most[0] = most[l] > most[0] ? most[l] : most[0];
        odd[0] += odd[l];
    }
    *a->least = odd[0] != 0 ? (float)PCS_NAN : least[0];
    *a->most = odd[0] != 0 ? (float)PCS_NAN : most[0];
}

PCS_INLINE float pcs_row_top(const float *x, size_t n)
{
    float top[16], most = x[0];
    size_t i = 0;
    PCS_LANES(l, 16) top[l] = x[0];
    for (; i + 16 <= n; i += 16) PCS_LANES(l, 16) top[l] = x[i + l] > top[l] || x[i + l] != x[i + l] ? x[i + l] : top[l];
    for (; i < n; i++) most = x[i] > most || x[i] != x[i] ? x[i] : most;
    for (size_t l = 0; l < 16; l++) most = top[l] > most || top[l] != top[l] ? top[l] : most;
    return most;
}

/* Eight rows at a time: each sum waits for itself alone. */
PCS_INLINE void pcs_softmax_rows_loop(const pcs_rows_args *a)
{
    const size_t n = a->n;
    for (size_t r = 0; r < a->rows && n; r += 8) {
        const size_t rows = a->rows - r < 8 ? a->rows - r : 8;
        const float *const x = a->x + r * n;
        float *const y = a->y + r * n;
        double sum[8] = { 0 };
        for (size_t k = 0; k < rows; k++) {
            const float top = pcs_row_top(x + k * n, n), *const from = x + k * n;
            float *const to = y + k * n;
            for (size_t i = 0; i < n; i++) to[i] = pcs_expf(from[i] - top);
        }
        if (rows == 8)
            for (size_t i = 0; i < n; i++) PCS_LANES(k, 8) sum[k] += (double)y[(size_t)k * n + i];
        else
            for (size_t k = 0; k < rows; k++)
                for (size_t i = 0; i < n; i++) sum[k] += (double)y[k * n + i];
        for (size_t k = 0; k < rows; k++) {
            float *const to = y + k * n;
            for (size_t i = 0; i < n; i++) to[i] = (float)((double)to[i] / sum[k]);
        }
    }
}

PCS_INLINE float pcs_lanes16(float *lane)
{
    for (int step = 8; step; step /= 2) PCS_LANES(l, step) lane[l] += lane[l + step];
    return lane[0];
}

PCS_INLINE void pcs_layer_norm_loop(const pcs_rows_args *a)
{
    const size_t n = a->n, whole = n / 16 * 16;
    for (size_t r = 0; r < a->rows; r++) {
        const float *const x = a->x + r * n, *const w = a->w, *const b = a->b;
        float *const y = a->y + r * n, sum[16] = { 0 }, squares[16] = { 0 };
        for (size_t i = 0; i < whole; i += 16) PCS_LANES(l, 16) sum[l] += x[i + l];
        for (size_t i = whole; i < n; i++) sum[i - whole] += x[i];
        const float mean = pcs_lanes16(sum) / (float)n;
        for (size_t i = 0; i < whole; i += 16) PCS_LANES(l, 16) squares[l] += (x[i + l] - mean) * (x[i + l] - mean);
        for (size_t i = whole; i < n; i++) squares[i - whole] += (x[i] - mean) * (x[i] - mean);
        const float s = 1.0f / pcs_sqrtf(pcs_lanes16(squares) / (float)n + a->eps);
        if (b)
            for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * s * w[i] + b[i];
        else
            for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * s * w[i] + 0.0f;
    }
}

#endif
