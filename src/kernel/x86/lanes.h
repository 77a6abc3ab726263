/* lanes.h - what the kernels of AVX2 and AVX-512 share: a transposition, a copy. */
#ifndef PCS_LANES_H
#define PCS_LANES_H

#include "base/base.h"

#include <immintrin.h>

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

/* A row of 4-byte or 8-byte numbers by whole registers: the compiler would make it rep movsq, which takes a quarter
 * of the time of a gemm. */
PCS_INLINE void copy_row(void *to, const void *from, size_t bytes)
{
    size_t at = 0;
    for (; at + 32 <= bytes; at += 32) {
        _mm256_storeu_si256((__m256i *)((char *)to + at),
                            _mm256_loadu_si256((const __m256i *)((const char *)from + at)));
        __asm__("" ::: "memory");
    }
    for (; at < bytes; at += 4) memcpy((char *)to + at, (const char *)from + at, 4);
}

#endif
