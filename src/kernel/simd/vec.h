/* vec.h - registers under the same names on every instruction set: one of 16 rows (VEC 64: AVX-512), of 8, half a
 * line (VEC 32: AVX2), or of 4 (VEC 16: NEON), and one of 16 bytes. */
#ifndef PCS_VEC_H
#define PCS_VEC_H

#include "base/base.h"

#define PCS_AHEAD(p) __builtin_prefetch(p, 0, 3) /* bytes that will be read */
#define PCS_AHEAD_L2(p) __builtin_prefetch(p, 0, 2)
/* Lines from `at` to `until` into the L1 cache, and those `more` bytes after them, when not 0, into the L2 cache.
 * Returns where it ended. */
PCS_INLINE const char *pcs_ask(const char *at, const char *until, size_t more)
{
    if (!more)
        for (; at < until; at += 64) PCS_AHEAD(at);
    for (; at < until; at += 64) {
        PCS_AHEAD(at);
        PCS_AHEAD_L2(at + more);
    }
    return at;
}
/* At most one of them. */
PCS_INLINE const char *pcs_ask_line(const char *at, const char *until, size_t more)
{
    if (at >= until) return at;
    PCS_AHEAD(at);
    if (more) PCS_AHEAD_L2(at + more);
    return at + 64;
}

#ifdef __x86_64__
#include <immintrin.h>

typedef __m128i vec16;
PCS_INLINE vec16 v16_load(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
PCS_INLINE void v16_store(void *p, vec16 v) { _mm_storeu_si128((__m128i *)p, v); }
PCS_INLINE vec16 v16_set8(int x) { return _mm_set1_epi8((char)x); }
PCS_INLINE vec16 v16_set16(int x) { return _mm_set1_epi16((short)x); }
PCS_INLINE vec16 v16_set32(uint32_t x) { return _mm_set1_epi32((int)x); }
/* Places of byte `at` of each dword, four times. */
PCS_INLINE vec16 v16_byte_of_dwords(char at)
{
    return _mm_setr_epi8(at, at, at, at, (char)(4 + at), (char)(4 + at), (char)(4 + at), (char)(4 + at), (char)(8 + at),
                         (char)(8 + at), (char)(8 + at), (char)(8 + at), (char)(12 + at), (char)(12 + at),
                         (char)(12 + at), (char)(12 + at));
}
PCS_INLINE vec16 v16_and(vec16 a, vec16 b) { return _mm_and_si128(a, b); }
PCS_INLINE vec16 v16_or(vec16 a, vec16 b) { return _mm_or_si128(a, b); }
PCS_INLINE vec16 v16_add8(vec16 a, vec16 b) { return _mm_add_epi8(a, b); }
PCS_INLINE vec16 v16_sub8(vec16 a, vec16 b) { return _mm_sub_epi8(a, b); }
PCS_INLINE vec16 v16_shr16(vec16 a, int n) { return _mm_srl_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec16 v16_shl16(vec16 a, int n) { return _mm_sll_epi16(a, _mm_cvtsi32_si128(n)); }
/* 16-bit lanes below 256 as bytes. */
PCS_INLINE vec16 v16_narrow(vec16 a, vec16 b) { return _mm_packus_epi16(a, b); }
/* Bytes of a and b in turn, of their lower and of their upper eight. */
PCS_INLINE vec16 v16_zip_low(vec16 a, vec16 b) { return _mm_unpacklo_epi8(a, b); }
PCS_INLINE vec16 v16_zip_high(vec16 a, vec16 b) { return _mm_unpackhi_epi8(a, b); }
#elif defined(__aarch64__)
#include <arm_neon.h>

typedef uint8x16_t vec16;
PCS_INLINE uint16x8_t u16_of(vec16 a) { return vreinterpretq_u16_u8(a); }
PCS_INLINE vec16 u8_of(uint16x8_t a) { return vreinterpretq_u8_u16(a); }
PCS_INLINE vec16 v16_load(const void *p) { return vld1q_u8(p); }
PCS_INLINE void v16_store(void *p, vec16 v) { vst1q_u8(p, v); }
PCS_INLINE vec16 v16_set8(int x) { return vdupq_n_u8((uint8_t)x); }
PCS_INLINE vec16 v16_set16(int x) { return u8_of(vdupq_n_u16((uint16_t)x)); }
PCS_INLINE vec16 v16_set32(uint32_t x) { return vreinterpretq_u8_u32(vdupq_n_u32(x)); }
PCS_INLINE vec16 v16_byte_of_dwords(int at)
{
    static const uint8_t dwords[16] = { 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12 };
    return vaddq_u8(vld1q_u8(dwords), vdupq_n_u8((uint8_t)at));
}
PCS_INLINE vec16 v16_and(vec16 a, vec16 b) { return vandq_u8(a, b); }
PCS_INLINE vec16 v16_or(vec16 a, vec16 b) { return vorrq_u8(a, b); }
PCS_INLINE vec16 v16_add8(vec16 a, vec16 b) { return vaddq_u8(a, b); }
PCS_INLINE vec16 v16_sub8(vec16 a, vec16 b) { return vsubq_u8(a, b); }
PCS_INLINE vec16 v16_shr16(vec16 a, int n) { return u8_of(vshlq_u16(u16_of(a), vdupq_n_s16((int16_t)-n))); }
PCS_INLINE vec16 v16_shl16(vec16 a, int n) { return u8_of(vshlq_u16(u16_of(a), vdupq_n_s16((int16_t)n))); }
PCS_INLINE vec16 v16_narrow(vec16 a, vec16 b) { return vcombine_u8(vmovn_u16(u16_of(a)), vmovn_u16(u16_of(b))); }
PCS_INLINE vec16 v16_zip_low(vec16 a, vec16 b) { return vzip1q_u8(a, b); }
PCS_INLINE vec16 v16_zip_high(vec16 a, vec16 b) { return vzip2q_u8(a, b); }
#endif

#if VEC == 64
typedef __m512i vec;
typedef __m512 vecf;
PCS_INLINE vec v_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
PCS_INLINE void v_store(uint8_t *p, vec v) { _mm512_store_si512(p, v); }
PCS_INLINE vec v_set8(int x) { return _mm512_set1_epi8((char)x); }
PCS_INLINE vec v_set32(int32_t x) { return _mm512_set1_epi32(x); }
PCS_INLINE vec v_and(vec a, vec b) { return _mm512_and_si512(a, b); }
PCS_INLINE vec v_or(vec a, vec b) { return _mm512_or_si512(a, b); }
PCS_INLINE vec v_xor(vec a, vec b) { return _mm512_xor_si512(a, b); }
PCS_INLINE vec v_add8(vec a, vec b) { return _mm512_add_epi8(a, b); }
PCS_INLINE vec v_add32(vec a, vec b) { return _mm512_add_epi32(a, b); }
PCS_INLINE vec v_shr32(vec a, int n) { return _mm512_srai_epi32(a, n); } /* signed */
PCS_INLINE vec v_shr16(vec a, int n) { return _mm512_srl_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl16(vec a, int n) { return _mm512_sll_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shuffle8(vec table, vec index) { return _mm512_shuffle_epi8(table, index); }
PCS_INLINE vec v_spread128(vec16 x) { return _mm512_broadcast_i32x4(x); }
/* `value` where all bits of `bit` are in v, else 0, by bytes. */
PCS_INLINE vec v_where(vec v, vec bit, vec value)
{
    return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(v, bit), value);
}
/* By bytes a - b; and b - a where the bit is in v, else a. */
PCS_INLINE vec v_sub8(vec a, vec b) { return _mm512_sub_epi8(a, b); }
PCS_INLINE vec v_from_where(vec v, vec bit, int b, vec a)
{
    return _mm512_mask_sub_epi8(a, _mm512_test_epi8_mask(v, bit), v_set8(b), a);
}
/* Lanes of 32 bits, without a sign; numbers of 16 bits by the indices in them, with what is after each. */
PCS_INLINE vec v_lshr32(vec a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl32(vec a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_gather16(const uint16_t *table, vec index) { return _mm512_i32gather_epi32(index, table, 2); }
/* As many bytes as there are rows, each in its lane. */
PCS_INLINE vec v_bytes(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
PCS_INLINE vecf v_zero(void) { return _mm512_setzero_ps(); }
PCS_INLINE vecf v_setf(float x) { return _mm512_set1_ps(x); }
PCS_INLINE vecf v_loadf(const float *p) { return _mm512_load_ps(p); }
PCS_INLINE void v_storef(float *p, vecf v) { _mm512_store_ps(p, v); }
PCS_INLINE vecf v_mulf(vecf a, vecf b) { return _mm512_mul_ps(a, b); }
PCS_INLINE vecf v_fma(vecf a, vecf b, vecf c) { return _mm512_fmadd_ps(a, b, c); }
PCS_INLINE vecf v_fnma(vecf a, vecf b, vecf c) { return _mm512_fnmadd_ps(a, b, c); }
PCS_INLINE vecf v_float(vec a) { return _mm512_cvtepi32_ps(a); }
PCS_INLINE vecf v_halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
PCS_INLINE vecf v_bf16(const uint8_t *p)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
PCS_INLINE vecf v_floats(const uint8_t *p) { return _mm512_loadu_ps((const float *)(const void *)p); }
PCS_INLINE vecf v_unsigned(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
PCS_INLINE vecf v_signed(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
#elif VEC == 32
typedef __m256i vec;
typedef __m256 vecf;
PCS_INLINE vec v_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
PCS_INLINE void v_store(uint8_t *p, vec v) { _mm256_store_si256((__m256i *)p, v); }
PCS_INLINE vec v_set8(int x) { return _mm256_set1_epi8((char)x); }
PCS_INLINE vec v_set32(int32_t x) { return _mm256_set1_epi32(x); }
PCS_INLINE vec v_and(vec a, vec b) { return _mm256_and_si256(a, b); }
PCS_INLINE vec v_or(vec a, vec b) { return _mm256_or_si256(a, b); }
PCS_INLINE vec v_xor(vec a, vec b) { return _mm256_xor_si256(a, b); }
PCS_INLINE vec v_add8(vec a, vec b) { return _mm256_add_epi8(a, b); }
PCS_INLINE vec v_add32(vec a, vec b) { return _mm256_add_epi32(a, b); }
PCS_INLINE vec v_shr32(vec a, int n) { return _mm256_srai_epi32(a, n); } /* signed */
PCS_INLINE vec v_shr16(vec a, int n) { return _mm256_srl_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl16(vec a, int n) { return _mm256_sll_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shuffle8(vec table, vec index) { return _mm256_shuffle_epi8(table, index); }
PCS_INLINE vec v_spread128(vec16 x) { return _mm256_broadcastsi128_si256(x); }
PCS_INLINE vec v_where(vec v, vec bit, vec value)
{
    return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit), value);
}
PCS_INLINE vec v_sub8(vec a, vec b) { return _mm256_sub_epi8(a, b); }
PCS_INLINE vec v_from_where(vec v, vec bit, int b, vec a)
{
    const vec minus = v_where(v, bit, v_set8(-1)); /* -1 - a, and 1 + b */
    return v_add8(v_xor(a, minus), v_and(minus, v_set8(b + 1)));
}
PCS_INLINE vec v_lshr32(vec a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl32(vec a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_gather16(const uint16_t *table, vec index)
{
    return _mm256_i32gather_epi32((const int *)(const void *)table, index, 2);
}
PCS_INLINE vec v_bytes(const uint8_t *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
PCS_INLINE vecf v_zero(void) { return _mm256_setzero_ps(); }
PCS_INLINE vecf v_setf(float x) { return _mm256_set1_ps(x); }
PCS_INLINE vecf v_loadf(const float *p) { return _mm256_load_ps(p); }
PCS_INLINE void v_storef(float *p, vecf v) { _mm256_store_ps(p, v); }
PCS_INLINE vecf v_mulf(vecf a, vecf b) { return _mm256_mul_ps(a, b); }
PCS_INLINE vecf v_fma(vecf a, vecf b, vecf c) { return _mm256_fmadd_ps(a, b, c); }
PCS_INLINE vecf v_fnma(vecf a, vecf b, vecf c) { return _mm256_fnmadd_ps(a, b, c); }
PCS_INLINE vecf v_float(vec a) { return _mm256_cvtepi32_ps(a); }
PCS_INLINE vecf v_halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
PCS_INLINE vecf v_bf16(const uint8_t *p)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
PCS_INLINE vecf v_floats(const uint8_t *p) { return _mm256_loadu_ps((const float *)(const void *)p); }
PCS_INLINE vecf v_unsigned(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
PCS_INLINE vecf v_signed(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
#elif VEC == 16
typedef vec16 vec;
typedef float32x4_t vecf;
PCS_INLINE vec v_load(const uint8_t *p) { return vld1q_u8(p); }
PCS_INLINE void v_store(uint8_t *p, vec v) { vst1q_u8(p, v); }
PCS_INLINE vec v_set8(int x) { return vdupq_n_u8((uint8_t)x); }
PCS_INLINE vec v_set32(int32_t x) { return vreinterpretq_u8_s32(vdupq_n_s32(x)); }
PCS_INLINE vec v_and(vec a, vec b) { return vandq_u8(a, b); }
PCS_INLINE vec v_or(vec a, vec b) { return vorrq_u8(a, b); }
PCS_INLINE vec v_xor(vec a, vec b) { return veorq_u8(a, b); }
PCS_INLINE vec v_add8(vec a, vec b) { return vaddq_u8(a, b); }
PCS_INLINE vec v_shr16(vec a, int n) { return v16_shr16(a, n); }
PCS_INLINE vec v_shl16(vec a, int n) { return v16_shl16(a, n); }
PCS_INLINE vec v_shuffle8(vec table, vec index) { return vqtbl1q_u8(table, index); }
PCS_INLINE vec v_spread128(vec16 x) { return x; }
PCS_INLINE vec v_where(vec v, vec bit, vec value) { return vandq_u8(vceqq_u8(vandq_u8(v, bit), bit), value); }
PCS_INLINE vec v_sub8(vec a, vec b) { return vsubq_u8(a, b); }
PCS_INLINE vec v_from_where(vec v, vec bit, int b, vec a)
{
    return vbslq_u8(vceqq_u8(vandq_u8(v, bit), bit), vsubq_u8(v_set8(b), a), a);
}
PCS_INLINE vec v_lshr32(vec a, int n)
{
    return vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a), vdupq_n_s32(-n)));
}
PCS_INLINE vec v_shl32(vec a, int n)
{
    return vreinterpretq_u8_u32(vshlq_u32(vreinterpretq_u32_u8(a), vdupq_n_s32(n)));
}
PCS_INLINE vec v_gather16(const uint16_t *table, vec index)
{
    const uint32x4_t at = vreinterpretq_u32_u8(index);
    const uint32_t v[4] = { table[vgetq_lane_u32(at, 0)], table[vgetq_lane_u32(at, 1)], table[vgetq_lane_u32(at, 2)],
                            table[vgetq_lane_u32(at, 3)] };
    return vreinterpretq_u8_u32(vld1q_u32(v));
}
PCS_INLINE vecf v_zero(void) { return vdupq_n_f32(0); }
PCS_INLINE vecf v_setf(float x) { return vdupq_n_f32(x); }
PCS_INLINE vecf v_loadf(const float *p) { return vld1q_f32(p); }
PCS_INLINE void v_storef(float *p, vecf v) { vst1q_f32(p, v); }
PCS_INLINE vecf v_mulf(vecf a, vecf b) { return vmulq_f32(a, b); }
PCS_INLINE vecf v_fma(vecf a, vecf b, vecf c) { return vfmaq_f32(c, a, b); }
PCS_INLINE vecf v_fnma(vecf a, vecf b, vecf c) { return vfmsq_f32(c, a, b); }
PCS_INLINE vecf v_float(vec a) { return vcvtq_f32_s32(vreinterpretq_s32_u8(a)); }
PCS_INLINE vecf v_halves(const uint8_t *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
PCS_INLINE vecf v_bf16(const uint8_t *p)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}
PCS_INLINE vecf v_floats(const uint8_t *p) { return vreinterpretq_f32_u8(vld1q_u8(p)); }
PCS_INLINE uint8x8_t four_bytes(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, 4);
    return vreinterpret_u8_u32(vdup_n_u32(x));
}
PCS_INLINE vec v_bytes(const uint8_t *p)
{
    return vreinterpretq_u8_u32(vmovl_u16(vget_low_u16(vmovl_u8(four_bytes(p)))));
}
PCS_INLINE vecf v_unsigned(const uint8_t *p) { return vcvtq_f32_u32(vreinterpretq_u32_u8(v_bytes(p))); }
PCS_INLINE vecf v_signed(const uint8_t *p)
{
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(four_bytes(p))))));
}
#endif

enum { V_ROWS = VEC / 4 };

/* Four activations, for every row. */
PCS_INLINE vec v_four(const int8_t *x)
{
    int32_t v;
    memcpy(&v, x, 4);
    return v_set32(v);
}

#endif
