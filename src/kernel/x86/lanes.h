/* lanes.h - sums over lanes in mm's order, and spreading: shared by mm and mv. */
#ifndef PCS_LANES_H
#define PCS_LANES_H

#include "base/base.h"

#include <immintrin.h>

PCS_INLINE float sum8(__m256 r)
{
    const __m128 s = _mm_add_ps(_mm256_castps256_ps128(r), _mm256_extractf128_ps(r, 1));
    const __m128 p = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(p, _mm_movehdup_ps(p)));
}

/* Eight rows of eight dwords, transposed in place. */
PCS_INLINE void transpose8(__m256i r[8])
{
    __m256i t[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            r[4 * i + 2 * j] = _mm256_unpacklo_epi64(t[4 * i + j], t[4 * i + 2 + j]);
            r[4 * i + 2 * j + 1] = _mm256_unpackhi_epi64(t[4 * i + j], t[4 * i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        const __m256i low = _mm256_permute2x128_si256(r[i], r[4 + i], 0x20);
        r[4 + i] = _mm256_permute2x128_si256(r[i], r[4 + i], 0x31);
        r[i] = low;
    }
}

#if defined(__AVX512DQ__)
PCS_INLINE float sum16(__m512 v) { return sum8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1))); }

/* Each of eight floats twice. */
PCS_INLINE __m512 twice(__m256 v)
{
    return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), _mm512_castps256_ps512(v));
}

/* Lanes for four of sixteen slots from `first` on, each to four lanes. */
PCS_INLINE __m512i four_from(int first)
{
    return _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));
}
#endif

#endif
