/* gemm, AVX-512: 6 x 16 outputs in registers. Not more rows: at widths that are powers of two their lines meet in one set of the L1 cache, which has 8 ways (12 rows: 14.3 s
 * instead of 12.0 for 1,024 tokens of 1.1B on Zen 4). */
#include "kernel/kernel.h"

#include <immintrin.h>

PCS_INLINE void tile(const pcs_gemm_args *a, size_t m0, int rows)
{
    __m512 acc[6];
    for (int r = 0; r < rows; r++) acc[r] = a->accumulate ? _mm512_loadu_ps(a->y + (m0 + (size_t)r) * a->ldy) : _mm512_setzero_ps();
    const float *b = a->b, *x = a->x + m0 * a->ldx;
    for (size_t k = 0; k < a->k; k++, b += a->ldb) {
        const __m512 v = _mm512_loadu_ps(b);
        for (int r = 0; r < rows; r++) acc[r] = _mm512_fmadd_ps(_mm512_set1_ps(x[(size_t)r * a->ldx + k]), v, acc[r]);
    }
    for (int r = 0; r < rows; r++) _mm512_storeu_ps(a->y + (m0 + (size_t)r) * a->ldy, acc[r]);
}

void pcs_gemm_avx512vnni(const void *args)
{
    const pcs_gemm_args *a = args;
    size_t m = 0;
    for (; m + 6 <= a->m; m += 6) tile(a, m, 6);
    for (; m + 4 <= a->m; m += 4) tile(a, m, 4);
    for (; m < a->m; m++) tile(a, m, 1);
}
