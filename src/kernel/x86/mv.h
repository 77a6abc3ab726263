/* mv.h - what the one-token kernels of all instruction sets share. */
#ifndef PCS_MV_H
#define PCS_MV_H

#include "base/f16.h"
#include "kernel/rows.h"
#include "kernel/x86/lanes.h"

#define MV_AHEAD 4096 /* bytes that the prefetch runs ahead of the rows in work (kernels.md, section 0) */

/* Eight halves at `stride` bytes as floats. */
PCS_INLINE __m256 mv_halves(const uint8_t *w, int stride)
{
    __m128i h = _mm_cvtsi32_si128(pcs_load16(w));
    h = _mm_insert_epi16(h, pcs_load16(w + stride), 1);
    h = _mm_insert_epi16(h, pcs_load16(w + 2 * stride), 2);
    h = _mm_insert_epi16(h, pcs_load16(w + 3 * stride), 3);
    h = _mm_insert_epi16(h, pcs_load16(w + 4 * stride), 4);
    h = _mm_insert_epi16(h, pcs_load16(w + 5 * stride), 5);
    h = _mm_insert_epi16(h, pcs_load16(w + 6 * stride), 6);
    h = _mm_insert_epi16(h, pcs_load16(w + 7 * stride), 7);
    return _mm256_cvtph_ps(h);
}

/* The 6-bit scales and mins of Q4_K and Q5_K as eight bytes each (pcs_k4_scales_get, four at a time). */
PCS_INLINE uint64_t mv_k4_scales(const uint8_t *p)
{
    const uint32_t a = pcs_load32(p), c = pcs_load32(p + 8);
    return (a & 0x3f3f3f3fu) | (uint64_t)((c & 0x0f0f0f0fu) | (a >> 2 & 0x30303030u)) << 32;
}
PCS_INLINE uint64_t mv_k4_mins(const uint8_t *p)
{
    const uint32_t b = pcs_load32(p + 4), c = pcs_load32(p + 8);
    return (b & 0x3f3f3f3fu) | (uint64_t)((c >> 4 & 0x0f0f0f0fu) | (b >> 2 & 0x30303030u)) << 32;
}

#endif
