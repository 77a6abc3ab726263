/* peak, AVX-512 VNNI: twelve chains hide the latency of vpdpbusd on two ports. */
#include "kernel/kernel.h"

#include <immintrin.h>

void pcs_peak_avx512vnni(const pcs_peak_args *a)
{
    __m512i acc[12], x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(5);
    for (int i = 0; i < 12; i++) acc[i] = _mm512_set1_epi32(i);
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < 12; i++) acc[i] = _mm512_dpbusd_epi32(acc[i], x, y);
    for (int i = 1; i < 12; i++) acc[0] = _mm512_xor_si512(acc[0], acc[i]);
    *a->sink = (uint32_t)_mm512_reduce_add_epi32(acc[0]);
    *a->multiplications = a->rounds * 12 * 64;
}

void pcs_peakf_avx512vnni(const pcs_peak_args *a)
{
    __m512 acc[12], x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(0.25f);
    for (int i = 0; i < 12; i++) acc[i] = _mm512_set1_ps((float)i);
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < 12; i++) acc[i] = _mm512_fmadd_ps(acc[i], x, y);
    for (int i = 1; i < 12; i++) acc[0] = _mm512_add_ps(acc[0], acc[i]);
    *a->sink = (uint32_t)_mm512_reduce_add_ps(acc[0]);
    *a->multiplications = a->rounds * 12 * 16;
}
