/* mmf, reference. */
#include "kernel/rows.h"

#include <math.h>

void pcs_mmf_scalar(const void *args)
{
    const pcs_mmf_args *a = args;
    float *w = a->scratch;
    for (size_t n = a->n0; n < a->n1; n++) {
        a->f->to_f32(a->k, a->w + n * a->row_bytes, w);
        for (size_t m = 0; m < a->m; m++) {
            float acc[16] = { 0 };
            for (size_t k = 0; k < a->k; k++) acc[k % 16] = fmaf(w[k], a->x[m * a->k + k], acc[k % 16]);
            a->y[m * a->ldy + n] = pcs_sum16(acc) + (a->bias ? a->bias[n] : 0.0f);
        }
    }
}
