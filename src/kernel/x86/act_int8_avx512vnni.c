/* act_int8, AVX-512: what gcc does not find in the loops of kernel/act_int8.h. */
#define ACT_INT8_OWN
#include "base/base.h"

#include <immintrin.h>

static int32_t act_int8_top(const float *x, size_t k);
static int32_t act_int8_step(const float *x, float d, float over, int8_t *q);
#include "kernel/act_int8.h"

static int32_t act_int8_top(const float *x, size_t k)
{
    const __m512i size = _mm512_set1_epi32(0x7fffffff);
    const __m512i zero = _mm512_setzero_si512();
    __m512i top[4] = { zero, zero, zero, zero };
    size_t i = 0;
    for (; i + 64 <= k; i += 64)
        for (size_t l = 0; l < 4; l++)
            top[l] = _mm512_max_epi32(top[l], _mm512_and_si512(_mm512_loadu_si512(x + i + 16 * l), size));
    for (; i < k; i += 16) {
        const __mmask16 mask = k - i < 16 ? (__mmask16)((1u << (k - i)) - 1) : 0xffff;
        top[0] = _mm512_max_epi32(top[0], _mm512_and_si512(_mm512_maskz_loadu_epi32(mask, x + i), size));
    }
    top[0] = _mm512_max_epi32(top[0], top[1]);
    return _mm512_reduce_max_epi32(_mm512_max_epi32(top[0], _mm512_max_epi32(top[2], top[3])));
}

static int32_t act_int8_step(const float *x, float d, float over, int8_t *q)
{
    const __m512 by = _mm512_set1_ps(over), near = _mm512_set1_ps(ACT_INT8_NEAR);
    __m512i sum = _mm512_setzero_si512();
    __m512 far = _mm512_setzero_ps();
    for (int i = 0; i < PCS_INT8_STEP; i += 16) {
        const __m512 v = _mm512_mul_ps(_mm512_loadu_ps(x + i), by);
        const __m512i code = _mm512_cvtps_epi32(v); /* to nearest, ties to even */
        far = _mm512_max_ps(far, _mm512_abs_ps(_mm512_sub_ps(v, _mm512_cvtepi32_ps(code))));
        sum = _mm512_add_epi32(sum, code);
        _mm_storeu_si128((__m128i *)(void *)(q + i), _mm512_cvtepi32_epi8(code));
    }
    if (over > 0 && _mm512_cmp_ps_mask(far, near, _CMP_LT_OQ) == 0xffff) return _mm512_reduce_add_epi32(sum);
    return act_int8_divided(x, d, q);
}

ACT_INT8(avx512vnni)
