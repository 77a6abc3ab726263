/* panel, AVX2: eight rows of eight numbers at a time. */
#include "kernel/kernel.h"
#include "kernel/x86/lanes.h"

#include <immintrin.h>

static void eight_columns(const pcs_panel_args *a, size_t r0, size_t k)
{
    __m256i r[8];
    for (size_t i = 0; i < 8; i++)
        r[i] = r0 + i < a->rows ? _mm256_castps_si256(_mm256_loadu_ps(a->w + (r0 + i) * a->ldw + k))
                                : _mm256_setzero_si256();
    transpose8(r);
    for (size_t i = 0; i < 8; i++) _mm256_storeu_ps(a->b + (k + i) * 16 + r0, _mm256_castsi256_ps(r[i]));
}

void pcs_panel_avx2(const pcs_panel_args *a)
{
    size_t k = 0;
    for (; k + 8 <= a->k; k += 8)
        for (size_t r = 0; r < 16; r += 8) eight_columns(a, r, k);
    for (; k < a->k; k++)
        for (size_t r = 0; r < 16; r++) a->b[k * 16 + r] = r < a->rows ? a->w[r * a->ldw + k] : 0.0f;
}
