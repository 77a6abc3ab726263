/* codes_256.h - sums of 8 outputs a register as codes or as numbers, by AVX2; the order of codes_512.h. */
#ifndef PCS_CODES_256_H
#define PCS_CODES_256_H

#include "kernel/kernel.h"

#include <immintrin.h>

typedef struct {
    __m256 hi;
    __m256i zero, lo;
} codes_limits;

PCS_INLINE codes_limits codes_limits_of(pcs_codes_to to)
{
    return (codes_limits){ _mm256_set1_ps((float)(to.hi - to.zero)), _mm256_set1_epi16((short)to.zero),
                           _mm256_set1_epi8((char)to.lo) };
}
PCS_INLINE __m256i codes_rounded(__m256 t, const codes_limits *l)
{
    return _mm256_cvtps_epi32(_mm256_min_ps(t, l->hi));
}
PCS_INLINE __m256i codes_scaled(__m256i sum, __m256 factor, const codes_limits *l)
{
    return codes_rounded(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), factor), l);
}
/* Four registers as 32 codes, lanes of 128 bits in turns; and in their order. */
PCS_INLINE __m256i codes_pack_lanes(const __m256i *r, const codes_limits *l)
{
    const __m256i low = _mm256_adds_epi16(_mm256_packs_epi32(r[0], r[1]), l->zero),
                  high = _mm256_adds_epi16(_mm256_packs_epi32(r[2], r[3]), l->zero);
    return _mm256_max_epu8(_mm256_packus_epi16(low, high), l->lo);
}
PCS_INLINE __m256i codes_pack(const __m256i *r, const codes_limits *l)
{
    return _mm256_permutevar8x32_epi32(codes_pack_lanes(r, l), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
PCS_INLINE void codes_store(uint8_t *y, __m256i codes, size_t n)
{
    if (n >= 32) {
        _mm256_storeu_si256((__m256i *)(void *)y, codes);
        return;
    }
    _Alignas(32) uint8_t room[32];
    _mm256_storeu_si256((__m256i *)(void *)room, codes);
    memcpy(y, room, n);
}
PCS_INLINE void codes_store_numbers(float *y, __m256 v, size_t n)
{
    if (n >= 8) {
        _mm256_storeu_ps(y, v);
        return;
    }
    _Alignas(32) float room[8];
    _mm256_storeu_ps(room, v);
    memcpy(y, room, n * sizeof *y);
}

/* What becomes of the sums of one row and one panel: two registers. */
PCS_INLINE void codes_finish(const pcs_codes_gemm_args *a, size_t m, size_t n, const __m256i *acc, bool numbers)
{
    const size_t left = a->n - n < 16 ? a->n - n : 16;
    const __m256 f0 = _mm256_loadu_ps(a->factor + n), f1 = _mm256_loadu_ps(a->factor + n + 8);
    if (numbers) {
        __m256 y0 = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[0]), f0), y1 = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[1]), f1);
        if (a->bias) {
            y0 = _mm256_add_ps(y0, _mm256_loadu_ps(a->bias + n));
            y1 = _mm256_add_ps(y1, _mm256_loadu_ps(a->bias + n + 8));
        }
        codes_store_numbers(a->yf + m * a->ldy + n, y0, left);
        if (left > 8) codes_store_numbers(a->yf + m * a->ldy + n + 8, y1, left - 8);
        return;
    }
    const codes_limits l = codes_limits_of(a->to);
    const __m256i none = _mm256_setzero_si256();
    const __m256i q[4] = { codes_scaled(acc[0], f0, &l), codes_scaled(acc[1], f1, &l), none, none };
    codes_store(a->y + m * a->ldy + n, codes_pack(q, &l), left);
}

/* Panels one after another, rows shared out to blocks evenly. */
typedef void codes_block_fn(const pcs_codes_gemm_args *a, size_t m, size_t n);
PCS_INLINE void codes_blocks(const pcs_codes_gemm_args *a, codes_block_fn *const *blocks, size_t most)
{
    for (size_t n = 0; n < a->n; n += PCS_CODES_PANEL)
        for (size_t m = 0; m < a->m;) {
            const size_t left = a->m - m, count = (left + most - 1) / most, rows = (left + count - 1) / count;
            blocks[rows - 1](a, m, n);
            m += rows;
        }
}

#endif
