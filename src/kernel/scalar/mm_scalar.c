/* mm, reference: any format. Plain on purpose: this file defines the answer. */
#include "kernel/rows.h"

#include <math.h>

static float dot(const pcs_row *r, const pcs_act *a, size_t m, size_t chunks, bool has_min)
{
    const int8_t *aq = a->q + m * chunks * PCS_CHUNK;
    const float *ad = a->d + m * chunks * 8, *as = a->s + m * chunks * 16;
    float acc[16] = { 0 }, min[16] = { 0 };
    for (size_t g = 0; g < chunks * 8; g++)
        for (size_t l = 0; l < 8; l++) {
            const int8_t *w = r->q + 32 * g + 4 * l, *x = aq + 32 * g + 4 * l;
            const int four = w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
            float *sum = &acc[g % 2 * 8 + l];
            *sum = fmaf(r->d[2 * g + l / 4] * ad[g], (float)four, *sum);
        }
    if (!has_min) return pcs_sum16(acc);
    for (size_t s = 0; s < chunks * 16; s++) min[s % 16] = fmaf(r->m[s], as[s], min[s % 16]);
    return pcs_sum16(acc) - pcs_sum16(min);
}

void pcs_mm_scalar(const void *args)
{
    const pcs_mm_args *a = args;
    const pcs_row r = pcs_row_in(a->scratch, a->k);
    for (size_t n = a->n0; n < a->n1; n++) {
        pcs_row_unpack(a->f, a->w + n * a->row_bytes, a->k, &r);
        pcs_row_pad(&r, a->k);
        for (size_t m = 0; m < a->m; m++)
            a->y[m * a->ldy + n] = dot(&r, &a->act, m, pcs_chunks(a->k), a->f->has_min) + (a->bias ? a->bias[n] : 0.0f);
    }
}
