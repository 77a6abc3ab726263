/* gemm, AVX2 + FMA: 6 x 16 outputs in registers; rows of x are copied by parts, as with AVX-512. */
#include "kernel/kernel.h"
#include "kernel/x86/lanes.h"

enum { ROWS = 6, PART = 256, STRIDE = PART + 16 };

PCS_INLINE void tile(const pcs_gemm_args *a, size_t m0, int rows)
{
    _Alignas(32) float part[ROWS * STRIDE];
    __m256 lo[ROWS], hi[ROWS];
    for (int r = 0; r < rows; r++) {
        const float *y = a->y + (m0 + (size_t)r) * a->ldy;
        lo[r] = a->accumulate ? _mm256_loadu_ps(y) : _mm256_setzero_ps();
        hi[r] = a->accumulate ? _mm256_loadu_ps(y + 8) : _mm256_setzero_ps();
    }
    const float *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k0 = 0; k0 < a->k; k0 += PART) {
        const size_t n = a->k - k0 < PART ? a->k - k0 : PART;
        for (int r = 0; r < rows; r++) copy_row(part + r * STRIDE, x + (size_t)r * a->ldx + k0, n * sizeof *x);
        for (size_t k = 0; k < n; k++, b += a->ldb) {
            const __m256 b0 = _mm256_loadu_ps(b), b1 = _mm256_loadu_ps(b + 8);
            for (int r = 0; r < rows; r++) {
                const __m256 v = _mm256_broadcast_ss(part + (size_t)r * STRIDE + k);
                lo[r] = _mm256_fmadd_ps(v, b0, lo[r]);
                hi[r] = _mm256_fmadd_ps(v, b1, hi[r]);
            }
        }
    }
    for (int r = 0; r < rows; r++) {
        float *y = a->y + (m0 + (size_t)r) * a->ldy;
        _mm256_storeu_ps(y, lo[r]);
        _mm256_storeu_ps(y + 8, hi[r]);
    }
}

void pcs_gemm_avx2(const pcs_gemm_args *a)
{
    size_t m = 0;
    for (; m + ROWS <= a->m; m += ROWS) tile(a, m, ROWS);
    for (; m + 2 <= a->m; m += 2) tile(a, m, 2);
    for (; m < a->m; m++) tile(a, m, 1);
}

/* `rows` rows by two panels, straight from x: there are few of either. */
PCS_INLINE void few(const pcs_gemm_wide_args *w, size_t m0, size_t p0, int rows)
{
    const pcs_gemm_args *a = &w->one;
    const float *b = a->b + p0 * w->step, *x = a->x + m0 * a->ldx;
    float *y = a->y + m0 * a->ldy + 16 * p0;
    __m256 acc[3 * 4];
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++)
            acc[4 * r + i] = a->accumulate ? _mm256_loadu_ps(y + (size_t)r * a->ldy + 8 * i) : _mm256_setzero_ps();
    for (size_t k = 0; k < a->k; k++, b += a->ldb)
        for (int i = 0; i < 4; i++) {
            const __m256 v = _mm256_loadu_ps(b + (size_t)(i / 2) * w->step + 8 * (i % 2));
            for (int r = 0; r < rows; r++)
                acc[4 * r + i] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + (size_t)r * a->ldx + k), v, acc[4 * r + i]);
        }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++) _mm256_storeu_ps(y + (size_t)r * a->ldy + 8 * i, acc[4 * r + i]);
}

void pcs_gemm_wide_avx2(const pcs_gemm_wide_args *w)
{
    size_t p = 0;
    for (; p + 2 <= w->panels && w->one.m < ROWS; p += 2) {
        size_t m = 0;
        for (; m + 3 <= w->one.m; m += 3) few(w, m, p, 3);
        if (w->one.m - m == 2) few(w, m, p, 2);
        else if (w->one.m - m == 1) few(w, m, p, 1);
    }
    pcs_gemm_panels(w, p, pcs_gemm_avx2);
}

enum { ROWS_F64 = 3, PART_F64 = 128, STRIDE_F64 = PART_F64 + 4 };

PCS_INLINE void tile_f64(const pcs_gemm_f64_args *a, size_t m0, int rows)
{
    _Alignas(32) double part[ROWS_F64 * STRIDE_F64];
    __m256d acc[ROWS_F64 * 4];
    double *y = a->y + m0 * a->ldy;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++) acc[4 * r + i] = _mm256_loadu_pd(y + (size_t)r * a->ldy + 4 * i);
    const double *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k0 = 0; k0 < a->k; k0 += PART_F64) {
        const size_t n = a->k - k0 < PART_F64 ? a->k - k0 : PART_F64;
        for (int r = 0; r < rows; r++) copy_row(part + r * STRIDE_F64, x + (size_t)r * a->ldx + k0, n * sizeof *x);
        for (size_t k = 0; k < n; k++, b += 16)
            for (int r = 0; r < rows; r++) {
                const __m256d v = _mm256_broadcast_sd(part + (size_t)r * STRIDE_F64 + k);
                for (int i = 0; i < 4; i++)
                    acc[4 * r + i] = _mm256_fnmadd_pd(v, _mm256_loadu_pd(b + 4 * i), acc[4 * r + i]);
            }
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < 4; i++) _mm256_storeu_pd(y + (size_t)r * a->ldy + 4 * i, acc[4 * r + i]);
}

void pcs_gemm_f64_avx2(const pcs_gemm_f64_args *a)
{
    size_t m = 0;
    for (; m + ROWS_F64 <= a->m; m += ROWS_F64) tile_f64(a, m, ROWS_F64);
    for (; m < a->m; m++) tile_f64(a, m, 1);
}
