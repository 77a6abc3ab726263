/* mp_int8, AVX2: rows as codes_row gives them, by all tokens. maddubs takes one operand without a sign, so the token's
 * codes take that of the weights; two products, of 128 * 127 at most, fit into 16 bits. */
#include "kernel/kernel.h"

#include <immintrin.h>

PCS_INLINE int32_t total(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/* Sums of tokens, whose codes of a step are 64 apart. */
PCS_INLINE void row_dots(const int8_t *c, const int8_t *q, size_t steps, int tokens, int32_t *sums)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum[4];
    for (int t = 0; t < tokens; t++) sum[t] = _mm256_setzero_si256();
    for (size_t s = 0; s < steps; s++, q += PCS_INT8_TILE)
        for (int h = 0; h < PCS_INT8_STEP; h += 32) {
            const __m256i w = _mm256_load_si256((const __m256i *)(const void *)(c + s * PCS_INT8_STEP + h));
            const __m256i size = _mm256_abs_epi8(w);
            for (int t = 0; t < tokens; t++) {
                const __m256i x = _mm256_load_si256((const __m256i *)(const void *)(q + PCS_INT8_STEP * t + h));
                const __m256i two = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, w));
                sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(two, ones));
            }
        }
    for (int t = 0; t < tokens; t++) sums[t] = total(sum[t]);
}

void pcs_mp_int8_avx2(const pcs_mp_int8_args *a)
{
    const size_t steps = pcs_int8_steps(a->k);
    int8_t *c = a->scratch;
    uint8_t *stored = (uint8_t *)c + steps * PCS_INT8_STEP + PCS_ROW_PAD;
    for (size_t n = a->n0; n < a->n1; n++) {
        float s = 0;
        if (a->packed) pcs_panels_row(a->f, a->k, a->w, n, stored);
        a->f->codes_row(a->packed ? stored : a->w + n * a->row_bytes, a->k, c, &s);
        const float bias = a->bias ? a->bias[n] : 0.0f;
        for (size_t t = 0; t < a->m;) {
            const pcs_act_int8 act = pcs_act_int8_row(&a->act, a->k, t);
            const size_t count = a->m - t >= 4 ? 4 : 1;
            _Alignas(16) int32_t sums[4];
            if (count == 4) row_dots(c, act.q, steps, 4, sums);
            else row_dots(c, act.q, steps, 1, sums);
            for (size_t i = 0; i < count; i++, t++)
                a->y[t * a->ldy + n] = (float)sums[i] * (act.d[i] * s) + bias;
        }
    }
}
