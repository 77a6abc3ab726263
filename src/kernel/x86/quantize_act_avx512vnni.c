/* quantize_act, AVX-512 VNNI: the same operations as the loop of quantize_act.h, on registers of 16; the low byte of
 * x / d + 1.5 * 2^23 is the code. */
#include "kernel/kernel.h"

#include <immintrin.h>

PCS_INLINE void quantize_group(__m512 x0, __m512 x1, int8_t *q, float *d, float *s, int32_t *z)
{
    const __m512 size = _mm512_castsi512_ps(_mm512_set1_epi32(0x7fffffff)), zero = _mm512_setzero_ps();
    const __m512 a0 = _mm512_and_ps(x0, size), a1 = _mm512_and_ps(x1, size);
    /* max(v, top) gives top where v is no number, as the comparison of the loop does */
    const float top = _mm512_reduce_max_ps(_mm512_max_ps(a1, _mm512_max_ps(a0, zero)));
    *d = top * (1.0f / 127.0f);
    const __m512 inv = _mm512_set1_ps(top > 1e-36f ? 127.0f / top : 0.0f), magic = _mm512_set1_ps(12582912.0f);
    const __m128i q0 = _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(x0, inv), magic)));
    const __m128i q1 = _mm512_cvtepi32_epi8(_mm512_castps_si512(_mm512_add_ps(_mm512_mul_ps(x1, inv), magic)));
    _mm_storeu_si128((__m128i *)q, q0);
    _mm_storeu_si128((__m128i *)(q + 16), q1);
    const __m256i both = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), _mm256_set_m128i(q1, q0));
    const __m256i two = _mm256_add_epi32(both, _mm256_shuffle_epi32(both, 0x4e)),
                  one = _mm256_add_epi32(two, _mm256_shuffle_epi32(two, 0xb1));
    z[0] = _mm256_cvtsi256_si32(one);
    z[1] = _mm256_extract_epi32(one, 4);
    s[0] = *d * (float)z[0];
    s[1] = *d * (float)z[1];
}

void pcs_quantize_act_avx512vnni(const pcs_quantize_act_args *a)
{
    const size_t chunks = pcs_chunks(a->k), pad = chunks * PCS_CHUNK;
    for (size_t m = a->m0; m < a->m1; m++) {
        const float *x = a->x + m * a->k;
        int8_t *q = a->act.q + m * pad;
        float *d = a->act.d + m * chunks * 8, *s = a->act.s + m * chunks * 16;
        int32_t *z = a->act.z + m * chunks * 16;
        size_t g = 0;
        for (; g < a->k / 32; g++)
            quantize_group(_mm512_loadu_ps(x + 32 * g), _mm512_loadu_ps(x + 32 * g + 16), q + 32 * g, d + g, s + 2 * g,
                           z + 2 * g);
        memset(q + 32 * g, 0, pad - 32 * g);
        const size_t rest = a->k % 32;
        if (rest) {
            const __mmask16 low = (__mmask16)(rest < 16 ? (1u << rest) - 1 : 0xffff),
                            high = (__mmask16)(rest > 16 ? (1u << (rest - 16)) - 1 : 0);
            quantize_group(_mm512_maskz_loadu_ps(low, x + 32 * g), _mm512_maskz_loadu_ps(high, x + 32 * g + 16),
                           q + 32 * g, d + g, s + 2 * g, z + 2 * g);
            g++;
        }
        for (; g < chunks * 8; g++) d[g] = s[2 * g] = s[2 * g + 1] = 0.0f, z[2 * g] = z[2 * g + 1] = 0;
    }
}
