/* peak, AVX-VNNI: vpdpbusd on half the width. */
#include "kernel/kernel.h"

#include <immintrin.h>

void pcs_peak_avxvnni(const pcs_peak_args *a)
{
    __m256i acc[12], x = _mm256_set1_epi8(3), y = _mm256_set1_epi8(5);
    for (int i = 0; i < 12; i++) acc[i] = _mm256_set1_epi32(i);
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < 12; i++) acc[i] = _mm256_dpbusd_avx_epi32(acc[i], x, y);
    for (int i = 1; i < 12; i++) acc[0] = _mm256_xor_si256(acc[0], acc[i]);
    *a->sink = (uint32_t)_mm256_extract_epi32(acc[0], 0);
    *a->multiplications = a->rounds * 12 * 32;
}
