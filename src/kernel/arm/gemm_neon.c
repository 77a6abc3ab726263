/* gemm, NEON: 4 x 16 outputs in registers. */
#include "kernel/kernel.h"

#include <arm_neon.h>

enum { ROWS = 4 };

/* `rows` rows by a panel, k ascending. */
PCS_INLINE void tile(const pcs_gemm_args *a, size_t m0, int rows)
{
    float32x4_t acc[ROWS * 4];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++)
            acc[4 * r + i] = a->accumulate ? vld1q_f32(a->y + (m0 + (size_t)r) * a->ldy + 4 * i) : vdupq_n_f32(0);
    const float *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k = 0; k < a->k; k++, b += a->ldb)
        for (int i = 0; i < 4; i++) {
            const float32x4_t v = vld1q_f32(b + 4 * i);
            for (int r = 0; r < rows; r++) acc[4 * r + i] = vfmaq_n_f32(acc[4 * r + i], v, x[(size_t)r * a->ldx + k]);
        }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++) vst1q_f32(a->y + (m0 + (size_t)r) * a->ldy + 4 * i, acc[4 * r + i]);
}

void pcs_gemm_neon(const pcs_gemm_args *a)
{
    size_t m = 0;
    for (; m + ROWS <= a->m; m += ROWS) tile(a, m, ROWS);
    for (; m < a->m; m++) tile(a, m, 1);
}

void pcs_gemm_wide_neon(const pcs_gemm_wide_args *args) { pcs_gemm_panels(args, 0, pcs_gemm_neon); }

enum { ROWS_F64 = 2 };

PCS_INLINE void tile_f64(const pcs_gemm_f64_args *a, size_t m0, int rows)
{
    float64x2_t acc[ROWS_F64 * 8];
    double *y = a->y + m0 * a->ldy;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 8; i++) acc[8 * r + i] = vld1q_f64(y + (size_t)r * a->ldy + 2 * i);
    const double *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k = 0; k < a->k; k++, b += 16)
        for (int i = 0; i < 8; i++) {
            const float64x2_t v = vld1q_f64(b + 2 * i);
            for (int r = 0; r < rows; r++) acc[8 * r + i] = vfmsq_n_f64(acc[8 * r + i], v, x[(size_t)r * a->ldx + k]);
        }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 8; i++) vst1q_f64(y + (size_t)r * a->ldy + 2 * i, acc[8 * r + i]);
}

void pcs_gemm_f64_neon(const pcs_gemm_f64_args *a)
{
    size_t m = 0;
    for (; m + ROWS_F64 <= a->m; m += ROWS_F64) tile_f64(a, m, ROWS_F64);
    for (; m < a->m; m++) tile_f64(a, m, 1);
}
