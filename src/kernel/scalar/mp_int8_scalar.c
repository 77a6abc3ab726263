/* mp_int8, reference: any format with codes_row. Plain on purpose: this file defines the answer. */
#include "kernel/kernel.h"

static int32_t codes_by(const int8_t *q, const int8_t *c, size_t k)
{
    int32_t sum = 0;
    for (size_t i = 0; i < k; i++) sum += q[i / PCS_INT8_STEP * PCS_INT8_TILE + i % PCS_INT8_STEP] * c[i];
    return sum;
}

void pcs_mp_int8_scalar(const pcs_mp_int8_args *a)
{
    int8_t *c = a->scratch;
    uint8_t *stored = (uint8_t *)c + pcs_int8_steps(a->k) * PCS_INT8_STEP + PCS_ROW_PAD;
    for (size_t n = a->n0; n < a->n1; n++) {
        float s = 0;
        if (a->packed) pcs_panels_row(a->f, a->k, a->w, n, stored);
        a->f->codes_row(a->packed ? stored : a->w + n * a->row_bytes, a->k, c, &s);
        for (size_t t = 0; t < a->m; t++) {
            const pcs_act_int8 act = pcs_act_int8_row(&a->act, a->k, t);
            const float sum = (float)codes_by(act.q, c, a->k);
            a->y[t * a->ldy + n] = sum * (*act.d * s) + (a->bias ? a->bias[n] : 0.0f);
        }
    }
}
