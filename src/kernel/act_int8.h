/* act_int8.h - act_int8, compiled once per instruction set: no number depends on another, but for maxima and whole
 * sums. */
#ifndef PCS_ACT_INT8_H
#define PCS_ACT_INT8_H

#include "kernel/kernel.h"

/* Whole numbers by the low bits of 1.5 * 2^23 + v, ties to even. */
#define ACT_MAGIC 12582912.0f
#define ACT_INT8_NEAR 0.4999f /* how far from a whole number a product surely has the quotient's code */

/* Codes of a step by the definition, and their sum. */
PCS_INLINE int32_t act_int8_divided(const float *x, float d, int8_t *q)
{
    int32_t sum = 0;
    for (int i = 0; i < PCS_INT8_STEP; i++) {
        float v = x[i] / d;
        v = v < -127.0f ? -127.0f : v > 127.0f ? 127.0f : v;
        q[i] = (int8_t)((int32_t)pcs_f32_bits(v + ACT_MAGIC) - 0x4b400000);
        sum += q[i];
    }
    return sum;
}

#ifndef ACT_INT8_OWN /* else whoever includes this has both */
/* The bits of the largest magnitude; those of a NaN are the largest. */
PCS_INLINE int32_t act_int8_top(const float *x, size_t k)
{
    int32_t top[16] = { 0 }, most = 0;
    size_t i = 0;
    for (; i + 16 <= k; i += 16)
        PCS_LANES(l, 16)
        {
            const int32_t size = (int32_t)(pcs_f32_bits(x[i + (size_t)l]) & 0x7fffffff);
            top[l] = size > top[l] ? size : top[l];
        }
    for (; i < k; i++) {
        const int32_t size = (int32_t)(pcs_f32_bits(x[i]) & 0x7fffffff);
        most = size > most ? size : most;
    }
    for (int l = 0; l < 16; l++) most = top[l] > most ? top[l] : most;
    return most;
}

/* Codes of a step. A product with 1 / d is the quotient within 127 * 2^-22, so that it has its code unless it lies that
 * near to a tie: then, and where 1 / d is not exact enough, the step is divided. */
PCS_INLINE int32_t act_int8_step(const float *x, float d, float over, int8_t *q)
{
    float far[16] = { 0 }, most = 0;
    int32_t sum[16] = { 0 }, all = 0;
    for (int i = 0; i < PCS_INT8_STEP; i += 16)
        PCS_LANES(l, 16)
        {
            const float v = x[i + l] * over, r = v + ACT_MAGIC, off = v - (r - ACT_MAGIC);
            const float size = off < 0 ? -off : off;
            const int32_t code = (int32_t)pcs_f32_bits(r) - 0x4b400000;
            far[l] = size > far[l] ? size : far[l];
            sum[l] += code;
            q[i + l] = (int8_t)code;
        }
    for (int l = 0; l < 16; l++) most = far[l] > most ? far[l] : most, all += sum[l];
    return most < ACT_INT8_NEAR && over > 0 ? all : act_int8_divided(x, d, q);
}

#endif

/* Codes of a row of k, whose steps are tiles apart, and their sum. */
PCS_INLINE int32_t act_int8_row(const float *x, size_t k, float d, int8_t *q)
{
    const size_t steps = pcs_int8_steps(k), whole = k / PCS_INT8_STEP;
    int32_t sum = 0;
    if (!(d > 0 && d - d == 0)) {
        for (size_t s = 0; s < steps; s++) memset(q + s * PCS_INT8_TILE, 0, PCS_INT8_STEP);
        return 0;
    }
    const float over = d > 0x1p-100f ? 1.0f / d : 0.0f;
    for (size_t s = 0; s < whole; s++) sum += act_int8_step(x + s * PCS_INT8_STEP, d, over, q + s * PCS_INT8_TILE);
    if (whole == steps) return sum;
    float rest[PCS_INT8_STEP] = { 0 };
    memcpy(rest, x + whole * PCS_INT8_STEP, (k - whole * PCS_INT8_STEP) * sizeof *rest);
    return sum + act_int8_step(rest, d, over, q + whole * PCS_INT8_TILE);
}

PCS_INLINE void act_int8_rows(const pcs_act_int8_args *a)
{
    const size_t steps = pcs_int8_steps(a->k);
    for (size_t r = a->m0; r < a->m1; r++) {
        const pcs_act_int8 row = pcs_act_int8_row(&a->act, a->k, r);
        const float *x = a->x + r * a->k, top = pcs_bits_f32((uint32_t)act_int8_top(x, a->k));
        *row.d = top == top ? top / 127.0f : pcs_bits_f32(0x7fc00000);
        *row.sum = act_int8_row(x, a->k, *row.d, row.q);
    }
    if (a->m1 < a->m || !a->m) return;
    for (size_t r = a->m; r % PCS_INT8_ROWS; r++) {
        const pcs_act_int8 row = pcs_act_int8_row(&a->act, a->k, r);
        *row.d = 0;
        *row.sum = 0;
        for (size_t s = 0; s < steps; s++) memset(row.q + s * PCS_INT8_TILE, 0, PCS_INT8_STEP);
    }
}

#define ACT_INT8(isa) \
    void pcs_act_int8_##isa(const pcs_act_int8_args *a) { act_int8_rows(a); }

#endif
