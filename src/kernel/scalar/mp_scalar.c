/* mp, reference: any format. Plain on purpose: this file defines the answer. */
#include "kernel/rows.h"

#include <math.h>

static float row_sum(const pcs_row *r, const pcs_act *a, size_t m, size_t k, const pcs_format *f)
{
    const size_t chunks = pcs_chunks(k);
    const int8_t *x = a->q + m * chunks * PCS_CHUNK;
    const float *d = a->d + m * chunks * 8, *s = a->s + m * chunks * 16;
    const size_t group = pcs_mp_wide(f) ? 32 : 16, halves = group / 16;
    float acc = 0.0f;
    for (size_t g = 0; g < pcs_mp_groups(f, k); g++) {
        int32_t dot = 0;
        for (size_t i = 0; i < group; i++) dot += r->q[g * group + i] * x[g * group + i];
        acc = fmaf(r->d[g * halves] * d[g * group / 32], (float)dot, acc);
        if (f->has_min) acc = fmaf(-r->m[g * halves], halves == 2 ? s[2 * g] + s[2 * g + 1] : s[g], acc);
    }
    return acc;
}

void pcs_mp_scalar(const pcs_mp_args *a)
{
    const pcs_row r = pcs_row_in(a->scratch, a->k);
    uint8_t *stored = (uint8_t *)(r.m + pcs_chunks(a->k) * 16);
    for (size_t n = a->n0; n < a->n1; n++) {
        if (a->packed) pcs_panels_row(a->f, a->k, a->w, n, stored);
        pcs_row_unpack(a->f, a->packed ? stored : a->w + n * a->row_bytes, a->k, &r);
        pcs_row_pad(&r, a->k);
        for (size_t m = 0; m < a->m; m++)
            a->y[m * a->ldy + n] = row_sum(&r, &a->act, m, a->k, a->f) + (a->bias ? a->bias[n] : 0.0f);
    }
}
