/* unpack_kv_vec.h - unpack_kv on vectors: 16 codes of a byte at a time. */
#ifndef PCS_UNPACK_KV_VEC_H
#define PCS_UNPACK_KV_VEC_H

#include "kernel/kernel.h"
#include "kernel/simd/vec.h"

#if VEC == 64
PCS_INLINE vecf codes_at(vec16 q, int h) { return (void)h, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)); }
PCS_INLINE vecf loadu(const float *p) { return _mm512_loadu_ps(p); }
PCS_INLINE void storeu(float *p, vecf v) { _mm512_storeu_ps(p, v); }
#elif VEC == 32
PCS_INLINE vecf codes_at(vec16 q, int h)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(h ? _mm_unpackhi_epi64(q, q) : q));
}
PCS_INLINE vecf loadu(const float *p) { return _mm256_loadu_ps(p); }
PCS_INLINE void storeu(float *p, vecf v) { _mm256_storeu_ps(p, v); }
#elif VEC == 16
PCS_INLINE vecf codes_at(vec16 q, int h)
{
    const int16x8_t wide = vmovl_s8(vreinterpret_s8_u8(h < 8 ? vget_low_u8(q) : vget_high_u8(q)));
    return vcvtq_f32_s32(vmovl_s16(h % 8 ? vget_high_s16(wide) : vget_low_s16(wide)));
}
PCS_INLINE vecf loadu(const float *p) { return vld1q_f32(p); }
PCS_INLINE void storeu(float *p, vecf v) { vst1q_f32(p, v); }
#endif

/* s: of each code, or of all. */
PCS_INLINE void put16(float *dst, vec16 q, const float *s, bool each)
{
    for (int h = 0; h < 16; h += V_ROWS) storeu(dst + h, v_mulf(codes_at(q, h), each ? loadu(s + h) : v_setf(*s)));
}

PCS_INLINE vec16 bytes16(const uint8_t *q) { return v16_load(q); }
PCS_INLINE vec16 nibbles_of(vec16 q, int high)
{
    return v16_sub8(v16_and(high ? v16_shr16(q, 4) : q, v16_set8(15)), v16_set8(8));
}

PCS_INLINE void unpack_keys(const pcs_unpack_kv_args *a)
{
    if (a->bits == 8)
        for (size_t i = 0; i < a->n; i++) put16(a->dst + 16 * i, bytes16(a->q + 16 * i), a->s, true);
    else
        for (size_t i = 0; i < a->n; i += 2) {
            const vec16 q = bytes16(a->q + 8 * i);
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
    void pcs_unpack_kv_##isa(const pcs_unpack_kv_args *a) \
    { \
        if (a->width) unpack_values(a); \
        else unpack_keys(a); \
    }

#endif
