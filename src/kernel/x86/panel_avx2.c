/* panel, AVX2: eight rows of eight numbers at a time. */
#include "kernel/kernel.h"

#include <immintrin.h>

static void eight(const pcs_panel_args *a, size_t r0, size_t k)
{
    __m256 r[8], t[8];
    for (size_t i = 0; i < 8; i++) r[i] = r0 + i < a->rows ? _mm256_loadu_ps(a->w + (r0 + i) * a->ldw + k) : _mm256_setzero_ps();
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            r[4 * i + 2 * j] = _mm256_shuffle_ps(t[4 * i + j], t[4 * i + 2 + j], 0x44);
            r[4 * i + 2 * j + 1] = _mm256_shuffle_ps(t[4 * i + j], t[4 * i + 2 + j], 0xee);
        }
    for (size_t i = 0; i < 4; i++) {
        _mm256_storeu_ps(a->b + (k + i) * 16 + r0, _mm256_permute2f128_ps(r[i], r[4 + i], 0x20));
        _mm256_storeu_ps(a->b + (k + 4 + i) * 16 + r0, _mm256_permute2f128_ps(r[i], r[4 + i], 0x31));
    }
}

void pcs_panel_avx2(const void *args)
{
    const pcs_panel_args *a = args;
    size_t k = 0;
    for (; k + 8 <= a->k; k += 8)
        for (size_t r = 0; r < 16; r += 8) eight(a, r, k);
    for (; k < a->k; k++)
        for (size_t r = 0; r < 16; r++) a->b[k * 16 + r] = r < a->rows ? a->w[r * a->ldw + k] : 0.0f;
}
