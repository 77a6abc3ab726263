/* peak, AVX2: pairs of bytes, eight of them summed in 16 bits, as 4-bit codes allow, then pairs of words and their
 * sum: 18 instructions for 256 products. */
#include "kernel/kernel.h"

#include <immintrin.h>

void pcs_peak_avx2(const pcs_peak_args *a)
{
    __m256i acc[8], x = _mm256_set1_epi8(3), y = _mm256_set1_epi8(5);
    const __m256i one = _mm256_set1_epi16(1);
    for (int i = 0; i < 8; i++) acc[i] = _mm256_set1_epi32(i);
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < 8; i++) {
            __m256i pairs = _mm256_setzero_si256();
            for (int k = 0; k < 8; k++) {
                __asm__ volatile("" : "+x"(x)); /* or the products would be taken out of the loop */
                pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(x, y));
            }
            acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(pairs, one));
        }
    for (int i = 1; i < 8; i++) acc[0] = _mm256_xor_si256(acc[0], acc[i]);
    *a->sink = (uint32_t)_mm256_extract_epi32(acc[0], 0);
    *a->multiplications = a->rounds * 8 * 8 * 32;
}

void pcs_peakf_avx2(const pcs_peak_args *a)
{
    __m256 acc[12], x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(0.25f);
    for (int i = 0; i < 12; i++) acc[i] = _mm256_set1_ps((float)i);
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < 12; i++) acc[i] = _mm256_fmadd_ps(acc[i], x, y);
    for (int i = 1; i < 12; i++) acc[0] = _mm256_add_ps(acc[0], acc[i]);
    *a->sink = (uint32_t)_mm256_cvtss_f32(acc[0]);
    *a->multiplications = a->rounds * 12 * 8;
}
