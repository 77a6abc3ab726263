/* codes_512.h - sums of 16 outputs a register as codes or as numbers, by AVX-512. */
#ifndef PCS_CODES_512_H
#define PCS_CODES_512_H

#include "kernel/kernel.h"

#include <immintrin.h>

typedef struct {
    __m512 hi;
    __m512i zero, lo;
} codes_limits_512;

PCS_INLINE codes_limits_512 codes_limits_of(pcs_codes_to to)
{
    return (codes_limits_512){ _mm512_set1_ps((float)(to.hi - to.zero)), _mm512_set1_epi16((short)to.zero),
                           _mm512_set1_epi8((char)to.lo) };
}

/* Rounded, not yet moved by zero. What is far below is held by the saturation of packs and by lo; what is far above by
 * hi, since a conversion of it would be the least integer. min's second operand is taken where the first is NaN. */
PCS_INLINE __m512i codes_rounded(__m512 t, const codes_limits_512 *l)
{
    return _mm512_cvtps_epi32(_mm512_min_ps(t, l->hi));
}
PCS_INLINE __m512i codes_scaled(__m512i sum, __m512 factor, const codes_limits_512 *l)
{
    return codes_rounded(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), factor), l);
}

/* Four registers as 64 codes: lanes of 128 bits are in turns of the four. */
PCS_INLINE __m512i codes_pack_lanes(const __m512i *r, const codes_limits_512 *l)
{
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(r[0], r[1]), l->zero),
                  high = _mm512_adds_epi16(_mm512_packs_epi32(r[2], r[3]), l->zero);
    return _mm512_max_epu8(_mm512_packus_epi16(low, high), l->lo);
}
/* Four registers of 16 neighbours each, as 64 codes in their order. */
PCS_INLINE __m512i codes_pack(const __m512i *r, const codes_limits_512 *l)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, codes_pack_lanes(r, l));
}
PCS_INLINE __mmask64 codes_mask(size_t n) { return n >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1; }

#endif
