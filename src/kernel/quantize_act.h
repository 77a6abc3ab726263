/* quantize_act.h - the loop, compiled once per instruction set; no lane depends on another but for
 * maxima and integer sums, so every compilation gives the same bits. */
#ifndef PCS_QUANTIZE_ACT_H
#define PCS_QUANTIZE_ACT_H

#include "base/f16.h"
#include "kernel/kernel.h"

PCS_INLINE void pcs_quantize_group(const float *x, int8_t *q, float *d, float *s, int32_t *z)
{
    float top = 0.0f;
    for (int i = 0; i < 32; i++) {
        const float v = x[i] < 0 ? -x[i] : x[i];
        top = v > top ? v : top;
    }
    *d = top * (1.0f / 127.0f);
    const float inv = top > 1e-36f ? 127.0f / top : 0.0f;
    for (int i = 0; i < 32; i++)
        q[i] = (int8_t)(uint8_t)pcs_f32_bits(x[i] * inv + 12582912.0f); /* its low byte; NaN gives some byte */
    int a = 0, b = 0;
    for (int i = 0; i < 16; i++) a += q[i];
    for (int i = 16; i < 32; i++) b += q[i];
    z[0] = a;
    z[1] = b;
    s[0] = *d * (float)a;
    s[1] = *d * (float)b;
}

PCS_INLINE void pcs_quantize_rows(const pcs_quantize_act_args *a)
{
    const size_t chunks = pcs_chunks(a->k), pad = chunks * PCS_CHUNK;
    for (size_t m = a->m0; m < a->m1; m++) {
        const float *x = a->x + m * a->k;
        int8_t *q = a->act.q + m * pad;
        float *d = a->act.d + m * chunks * 8, *s = a->act.s + m * chunks * 16;
        int32_t *z = a->act.z + m * chunks * 16;
        for (size_t g = 0; g < a->k / 32; g++) pcs_quantize_group(x + 32 * g, q + 32 * g, d + g, s + 2 * g, z + 2 * g);
        memset(q + a->k, 0, pad - a->k);
        size_t whole = a->k / 32;
        if (a->k % 32) {
            float rest[32] = { 0 };
            memcpy(rest, x + 32 * whole, (a->k % 32) * sizeof *rest);
            pcs_quantize_group(rest, q + 32 * whole, d + whole, s + 2 * whole, z + 2 * whole);
            whole++;
        }
        for (size_t g = whole; g < chunks * 8; g++) d[g] = s[2 * g] = s[2 * g + 1] = 0.0f, z[2 * g] = z[2 * g + 1] = 0;
    }
}

#endif
