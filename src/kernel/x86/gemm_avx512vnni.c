/* gemm, AVX-512: 12 x 16 outputs in registers, or 12 x 32 where there are two panels, which share each number of x
 * that is broadcast. Rows of x are copied by parts of 256 first, once for all panels: at widths that are powers of
 * two their lines meet in one set of the L1 cache, which has 8 ways, and a row at a constant distance is an address
 * that costs nothing. */
#include "kernel/kernel.h"
#include "kernel/x86/lanes.h"

enum { ROWS = 12, PART = 256, STRIDE = PART + 16 };

/* n numbers of each row of a part, and of a panel, another one `step` behind. */
typedef struct { const float *part, *b; size_t step, n; } gemm_part;

/* y (+)= `rows` rows of the part by one panel or two. */
PCS_INLINE void gemm_products(const pcs_gemm_args *a, gemm_part of, float *y, int rows, int panels, bool add)
{
    const float *part = of.part, *b = of.b;
    __m512 acc[2 * ROWS];
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++)
            acc[panels * r + p] = add ? _mm512_loadu_ps(y + (size_t)r * a->ldy + 16 * p) : _mm512_setzero_ps();
    for (size_t k = 0; k < of.n; k++, b += a->ldb) {
        __m512 v[2];
        for (int p = 0; p < panels; p++) v[p] = _mm512_loadu_ps(b + (size_t)p * of.step);
        for (int r = 0; r < rows; r++) {
            const __m512 one = _mm512_set1_ps(part[(size_t)r * STRIDE + k]);
            for (int p = 0; p < panels; p++) acc[panels * r + p] = _mm512_fmadd_ps(one, v[p], acc[panels * r + p]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++) _mm512_storeu_ps(y + (size_t)r * a->ldy + 16 * p, acc[panels * r + p]);
}

/* Rows m0 and on by all panels from p0 on. */
PCS_INLINE void gemm_tile(const pcs_gemm_wide_args *w, size_t p0, size_t m0, int rows)
{
    _Alignas(64) float part[ROWS * STRIDE];
    const pcs_gemm_args *a = &w->one;
    for (size_t k0 = 0; k0 < a->k || !k0; k0 += PART) {
        const size_t n = a->k - k0 < PART ? a->k - k0 : PART;
        for (int r = 0; r < rows; r++)
            copy_row(part + r * STRIDE, a->x + (m0 + (size_t)r) * a->ldx + k0, n * sizeof *part);
        for (size_t p = p0; p < w->panels; p += 2) {
            const float *b = a->b + p * w->step + k0 * a->ldb;
            float *y = a->y + m0 * a->ldy + 16 * p;
            const bool add = k0 || a->accumulate;
            if (w->panels - p > 1) gemm_products(a, (gemm_part){ part, b, w->step, n }, y, rows, 2, add);
            else gemm_products(a, (gemm_part){ part, b, 0, n }, y, rows, 1, add);
        }
    }
}

PCS_INLINE void gemm_all(const pcs_gemm_wide_args *w, size_t p0)
{
    size_t m = 0;
    for (; m + ROWS <= w->one.m; m += ROWS) gemm_tile(w, p0, m, ROWS);
    for (; m + 4 <= w->one.m; m += 4) gemm_tile(w, p0, m, 4);
    for (; m < w->one.m; m++) gemm_tile(w, p0, m, 1);
}

void pcs_gemm_avx512vnni(const pcs_gemm_args *args) { gemm_all(&(pcs_gemm_wide_args){ *args, 1, 0 }, 0); }

enum { FEW = 4, WIDE = 4 };

/* `rows` rows by `panels` panels, straight from x: there are few of either. */
PCS_INLINE void gemm_few(const pcs_gemm_wide_args *w, size_t m0, size_t p0, int rows, int panels)
{
    const pcs_gemm_args *a = &w->one;
    const float *b = a->b + p0 * w->step, *x = a->x + m0 * a->ldx;
    float *y = a->y + m0 * a->ldy + 16 * p0;
    __m512 acc[FEW * WIDE];
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++)
            acc[r * panels + p] = a->accumulate ? _mm512_loadu_ps(y + (size_t)r * a->ldy + 16 * p)
                                                : _mm512_setzero_ps();
    for (size_t k = 0; k < a->k; k++, b += a->ldb) {
        __m512 v[WIDE];
        for (int p = 0; p < panels; p++) v[p] = _mm512_loadu_ps(b + (size_t)p * w->step);
        for (int r = 0; r < rows; r++)
            for (int p = 0; p < panels; p++)
                acc[r * panels + p] = _mm512_fmadd_ps(_mm512_set1_ps(x[(size_t)r * a->ldx + k]), v[p],
                                                      acc[r * panels + p]);
    }
    for (int r = 0; r < rows; r++)
        for (int p = 0; p < panels; p++) _mm512_storeu_ps(y + (size_t)r * a->ldy + 16 * p, acc[r * panels + p]);
}

void pcs_gemm_wide_avx512vnni(const pcs_gemm_wide_args *w)
{
    size_t p = 0;
    for (; p + WIDE <= w->panels && w->one.m < ROWS; p += WIDE) {
        size_t m = 0;
        for (; m + 4 <= w->one.m; m += 4) gemm_few(w, m, p, 4, WIDE);
        if (w->one.m - m == 3) gemm_few(w, m, p, 3, WIDE);
        else if (w->one.m - m == 2) gemm_few(w, m, p, 2, WIDE);
        else if (w->one.m - m == 1) gemm_few(w, m, p, 1, WIDE);
    }
    if (p < w->panels) gemm_all(w, p);
}

enum { PART_F64 = 128, STRIDE_F64 = PART_F64 + 8 };

PCS_INLINE void tile_f64(const pcs_gemm_f64_args *a, size_t m0, int rows)
{
    _Alignas(64) double part[ROWS * STRIDE_F64];
    __m512d lo[ROWS], hi[ROWS];
    double *y = a->y + m0 * a->ldy;
    for (int r = 0; r < rows; r++)
        lo[r] = _mm512_loadu_pd(y + (size_t)r * a->ldy), hi[r] = _mm512_loadu_pd(y + (size_t)r * a->ldy + 8);
    const double *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k0 = 0; k0 < a->k; k0 += PART_F64) {
        const size_t n = a->k - k0 < PART_F64 ? a->k - k0 : PART_F64;
        for (int r = 0; r < rows; r++) copy_row(part + r * STRIDE_F64, x + (size_t)r * a->ldx + k0, n * sizeof *x);
        for (size_t k = 0; k < n; k++, b += 16) {
            const __m512d b0 = _mm512_loadu_pd(b), b1 = _mm512_loadu_pd(b + 8);
            for (int r = 0; r < rows; r++) {
                const __m512d v = _mm512_set1_pd(part[(size_t)r * STRIDE_F64 + k]);
                lo[r] = _mm512_fnmadd_pd(v, b0, lo[r]);
                hi[r] = _mm512_fnmadd_pd(v, b1, hi[r]);
            }
        }
    }
    for (int r = 0; r < rows; r++)
        _mm512_storeu_pd(y + (size_t)r * a->ldy, lo[r]), _mm512_storeu_pd(y + (size_t)r * a->ldy + 8, hi[r]);
}

void pcs_gemm_f64_avx512vnni(const pcs_gemm_f64_args *a)
{
    size_t m = 0;
    for (; m + ROWS <= a->m; m += ROWS) tile_f64(a, m, ROWS);
    for (; m + 4 <= a->m; m += 4) tile_f64(a, m, 4);
    for (; m < a->m; m++) tile_f64(a, m, 1);
}
