/* gemm, reference. */
#include "kernel/kernel.h"

#include <math.h>

void pcs_gemm_scalar(const pcs_gemm_args *a)
{
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < 16; n++) {
            float sum = a->accumulate ? a->y[m * a->ldy + n] : 0.0f;
            for (size_t k = 0; k < a->k; k++) sum = fmaf(a->x[m * a->ldx + k], a->b[k * a->ldb + n], sum);
            a->y[m * a->ldy + n] = sum;
        }
}

void pcs_gemm_wide_scalar(const pcs_gemm_wide_args *args) { pcs_gemm_panels(args, 0, pcs_gemm_scalar); }

void pcs_gemm_f64_scalar(const pcs_gemm_f64_args *a)
{
    for (size_t m = 0; m < a->m; m++)
        for (size_t n = 0; n < 16; n++) {
            double sum = a->y[m * a->ldy + n];
            for (size_t k = 0; k < a->k; k++) sum = fma(-a->x[m * a->ldx + k], a->b[k * 16 + n], sum);
            a->y[m * a->ldy + n] = sum;
        }
}
