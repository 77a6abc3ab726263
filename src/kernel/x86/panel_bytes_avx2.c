/* panel_bytes, AVX2: sixteen codes of each of sixteen rows are turned, and an 8-bit float becomes one of 16 bits by
 * shifts. E5M2 is the upper half of one; E4M3 with its exponent 8 too low is one, too, whose NaN is no code of F16. */
#include "format/element.h"
#include "kernel/kernel.h"

#include <immintrin.h>

/* 16 rows of 16 bytes, transposed in place. */
static inline void transpose16(__m128i r[16])
{
    for (int step = 0; step < 4; step++) {
        __m128i t[16];
        for (int i = 0; i < 8; i++) {
            t[2 * i] = _mm_unpacklo_epi8(r[i], r[i + 8]);
            t[2 * i + 1] = _mm_unpackhi_epi8(r[i], r[i + 8]);
        }
        for (int i = 0; i < 16; i++) r[i] = t[i];
    }
}

/* Eight values of halves, where `nan` has all bits of a lane set a NaN of the same sign, times `up` and a scale. */
static inline __m256 eight_values(__m128i halves, __m128i nan, float up, __m256 scale)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), none = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
    const __m256 v = _mm256_mul_ps(_mm256_cvtph_ps(halves), _mm256_set1_ps(up));
    const __m256 mask = _mm256_castsi256_ps(_mm256_cvtepi16_epi32(nan));
    return _mm256_mul_ps(scale, _mm256_blendv_ps(v, _mm256_or_ps(_mm256_and_ps(v, sign), none), mask));
}

static inline void sixteen_columns(const pcs_panel_bytes_args *a, size_t at, bool e4m3, const __m256 scale[2])
{
    const __m256i seven = _mm256_set1_epi16(127), top = _mm256_set1_epi16(128);
    const float up = e4m3 ? 256.0f : 1.0f;
    __m128i r[16];
    for (size_t i = 0; i < 16; i++) r[i] = _mm_loadu_si128((const __m128i *)(a->src + i * a->step + at));
    transpose16(r);
    for (size_t i = 0; i < 16; i++) {
        const __m256i c = _mm256_cvtepu8_epi16(r[i]), size = _mm256_and_si256(c, seven);
        __m256i half = _mm256_slli_epi16(c, 8), nan = _mm256_setzero_si256();
        if (e4m3) {
            half = _mm256_or_si256(_mm256_slli_epi16(size, 7), _mm256_slli_epi16(_mm256_and_si256(c, top), 8));
            nan = _mm256_cmpeq_epi16(size, seven);
        }
        float *b = a->b + (at + i) * 16;
        _mm256_storeu_ps(b, eight_values(_mm256_castsi256_si128(half), _mm256_castsi256_si128(nan), up, scale[0]));
        _mm256_storeu_ps(b + 8, eight_values(_mm256_extracti128_si256(half, 1), _mm256_extracti128_si256(nan, 1), up,
                                             scale[1]));
    }
}

void pcs_panel_bytes_avx2(const pcs_panel_bytes_args *a)
{
    const bool e4m3 = a->e->exponent_bits == 4, whole = a->rows == 16 && (e4m3 || a->e->exponent_bits == 5);
    size_t at = 0;
    if (whole) {
        const __m256 scale[2] = { _mm256_loadu_ps(a->scale), _mm256_loadu_ps(a->scale + 8) };
        for (; at + 16 <= a->n; at += 16) sixteen_columns(a, at, e4m3, scale);
    }
    pcs_panel_bytes_args rest = *a;
    rest.src += at, rest.b += 16 * at, rest.n -= at;
    if (rest.n) pcs_panel_bytes_scalar(&rest);
}
