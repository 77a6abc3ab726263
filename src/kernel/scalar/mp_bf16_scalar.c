/* mp_bf16, reference: any format. Plain on purpose: this file defines the answer. */
#include "kernel/kernel.h"

#include <math.h>

static float row(const float *w, const uint16_t *a, size_t steps)
{
    float sum = 0.0f;
    for (size_t s = 0; s < steps; s++, w += PCS_BF16_STEP, a += PCS_BF16_TILE * PCS_BF16_STEP) {
        float even = 0.0f, odd = 0.0f;
        for (size_t i = 0; i < PCS_BF16_STEP; i += 2) {
            even = fmaf(pcs_bf16_to_f32(a[i]), w[i], even);
            odd = fmaf(pcs_bf16_to_f32(a[i + 1]), w[i + 1], odd);
        }
        sum = sum + (even + odd);
    }
    return sum;
}

void pcs_mp_bf16_scalar(const pcs_mp_bf16_args *a)
{
    const size_t steps = pcs_bf16_steps(a->k);
    float *w = a->scratch;
    uint8_t *stored = (uint8_t *)(w + steps * PCS_BF16_STEP);
    for (size_t n = a->n0; n < a->n1; n++) {
        const float *x = (const float *)(const void *)a->w + n;
        if (a->packed) pcs_panels_row(a->f, a->k, a->w, n, stored);
        if (!a->turned) pcs_decode(a->f, a->k, a->packed ? stored : a->w + n * a->row_bytes, w);
        for (size_t i = 0; a->turned && i < a->k; i++) w[i] = x[i * a->turned];
        for (size_t i = 0; i < a->k; i++) w[i] = pcs_bf16_to_f32(pcs_bf16_number(w[i]));
        for (size_t i = a->k; i < steps * PCS_BF16_STEP; i++) w[i] = 0.0f;
        for (size_t t = 0; t < a->m; t++)
            a->y[t * a->ldy + n] = row(w, pcs_act_bf16_row(a->act, a->k, t), steps) + (a->bias ? a->bias[n] : 0.0f);
    }
}
