/* unpack_kv_vec.h - unpack_kv on vectors: 16 codes of a byte at a time. */
#ifndef PCS_UNPACK_KV_VEC_H
#define PCS_UNPACK_KV_VEC_H

#include "kernel/kernel.h"
#include "kernel/x86/vec.h"

#if VEC == 64
PCS_INLINE vecf codes_at(__m128i q, int h) { return (void)h, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)); }
PCS_INLINE vecf loadu(const float *p) { return _mm512_loadu_ps(p); }
PCS_INLINE void storeu(float *p, vecf v) { _mm512_storeu_ps(p, v); }
#else
PCS_INLINE vecf codes_at(__m128i q, int h) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(h ? _mm_unpackhi_epi64(q, q) : q)); }
PCS_INLINE vecf loadu(const float *p) { return _mm256_loadu_ps(p); }
PCS_INLINE void storeu(float *p, vecf v) { _mm256_storeu_ps(p, v); }
#endif

/* s: of each code, or of all. */
PCS_INLINE void put16(float *dst, __m128i q, const float *s, bool each)
{
    for (int h = 0; h < 16; h += V_ROWS) storeu(dst + h, v_mulf(codes_at(q, h), each ? loadu(s + h) : v_setf(*s)));
}

PCS_INLINE __m128i bytes16(const uint8_t *q) { return _mm_loadu_si128((const __m128i *)q); }
PCS_INLINE __m128i nibbles_of(__m128i q, int high) { return _mm_sub_epi8(_mm_and_si128(high ? _mm_srli_epi16(q, 4) : q, _mm_set1_epi8(15)), _mm_set1_epi8(8)); }

PCS_INLINE void unpack_keys(const pcs_unpack_kv_args *a)
{
    if (a->bits == 8)
        for (size_t i = 0; i < a->n; i++) put16(a->dst + 16 * i, bytes16(a->q + 16 * i), a->s, true);
    else
        for (size_t i = 0; i < a->n; i += 2) {
            const __m128i q = bytes16(a->q + 8 * i);
            put16(a->dst + 16 * i, nibbles_of(q, 0), a->s, true);
            if (i + 1 < a->n) put16(a->dst + 16 * i + 16, nibbles_of(q, 1), a->s, true);
        }
}

PCS_INLINE void unpack_values(const pcs_unpack_kv_args *a)
{
    const size_t half = a->width / 2;
    for (size_t j = 0; j < a->n; j++) {
        const uint8_t *q = a->q + j * a->width * (size_t)a->bits / 8;
        float *dst = a->dst + j * a->width;
        size_t i = 0;
        if (a->bits == 8) {
            for (; i < a->width; i += 16) put16(dst + i, bytes16(q + i), a->s + j, false);
            continue;
        }
        for (; i + 16 <= half; i += 16) {
            put16(dst + i, nibbles_of(bytes16(q + i), 0), a->s + j, false);
            put16(dst + half + i, nibbles_of(bytes16(q + i), 1), a->s + j, false);
        }
        for (; i < half; i++) {
            dst[i] = (float)((q[i] & 15) - 8) * a->s[j];
            dst[half + i] = (float)((q[i] >> 4) - 8) * a->s[j];
        }
    }
}

#define UNPACK_KV(isa) \
    void pcs_unpack_kv_##isa(const void *args) \
    { \
        const pcs_unpack_kv_args *a = args; \
        if (a->width) unpack_values(a); \
        else unpack_keys(a); \
    }

#endif
