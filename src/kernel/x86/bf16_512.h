/* bf16_512.h - f32 to bf16 in lines of tiles, on 512 bits. */
#ifndef PCS_BF16_512_H
#define PCS_BF16_512_H

#include "kernel/kernel.h"

#include <immintrin.h>

enum { MB_TILE = PCS_BF16_TILE * PCS_BF16_STEP }; /* numbers of a tile */

/* 16 rows' numbers, even and odd, as a line. */
PCS_INLINE __m512i mb_line(__m512 even, __m512 odd)
{
#ifdef __AVX512BF16__
    const __m512i turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
#else
    const __m512i half = _mm512_set1_epi32(0x7fff), one = _mm512_set1_epi32(1);
    __m512i e = _mm512_castps_si512(even), o = _mm512_castps_si512(odd);
    e = _mm512_add_epi32(_mm512_add_epi32(e, half), _mm512_and_si512(_mm512_srli_epi32(e, 16), one));
    o = _mm512_add_epi32(_mm512_add_epi32(o, half), _mm512_and_si512(_mm512_srli_epi32(o, 16), one));
    return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(e, 16), o);
#endif
}

/* Numbers that are too small are 0. */
PCS_INLINE __m512i mb_flushed(__m512i line)
{
    const __m512i size = _mm512_and_si512(line, _mm512_set1_epi16(0x7fff));
    return _mm512_maskz_mov_epi16(_mm512_cmpge_epu16_mask(size, _mm512_set1_epi16(PCS_BF16_LEAST)), line);
}

/* Up to 16 rows of k numbers that lie turned: number i of them at x + i * step. */
typedef struct { const float *x; size_t step, k; __mmask16 rows; } mb_turned;

PCS_INLINE __mmask16 mb_first(size_t rows) { return rows < 16 ? (__mmask16)((1u << rows) - 1) : 0xffff; }

PCS_INLINE __m512 mb_turned_load(const mb_turned *t, size_t i)
{
    return i < t->k ? _mm512_maskz_loadu_ps(t->rows, t->x + i * t->step) : _mm512_setzero_ps();
}

/* Line i of step s: two neighbours of each row. */
PCS_INLINE __m512i mb_turned_line(const mb_turned *t, size_t s, size_t i)
{
    const size_t at = s * PCS_BF16_STEP + 2 * i;
    return mb_flushed(mb_line(mb_turned_load(t, at), mb_turned_load(t, at + 1)));
}

#endif
