/* vec.h - one register of 16 rows (AVX-512) or of 8, half a line (VEC 32), under the same names. */
#ifndef PCS_VEC_H
#define PCS_VEC_H

#include "base/base.h"

#include <immintrin.h>

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
PCS_INLINE vec v_set16(int x) { return _mm512_set1_epi16((short)x); }
PCS_INLINE vec v_mul16(vec a, vec b) { return _mm512_mullo_epi16(a, b); }
PCS_INLINE vec v_shr16(vec a, int n) { return _mm512_srl_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl16(vec a, int n) { return _mm512_sll_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shuffle8(vec table, vec index) { return _mm512_shuffle_epi8(table, index); }
PCS_INLINE vec v_spread128(__m128i x) { return _mm512_broadcast_i32x4(x); }
/* `value` where all bits of `bit` are in v, else 0, by bytes. */
PCS_INLINE vec v_where(vec v, vec bit, vec value) { return _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(v, bit), value); }
PCS_INLINE vecf v_zero(void) { return _mm512_setzero_ps(); }
PCS_INLINE vecf v_setf(float x) { return _mm512_set1_ps(x); }
PCS_INLINE vecf v_loadf(const float *p) { return _mm512_load_ps(p); }
PCS_INLINE void v_storef(float *p, vecf v) { _mm512_store_ps(p, v); }
PCS_INLINE vecf v_mulf(vecf a, vecf b) { return _mm512_mul_ps(a, b); }
PCS_INLINE vecf v_fma(vecf a, vecf b, vecf c) { return _mm512_fmadd_ps(a, b, c); }
PCS_INLINE vecf v_fnma(vecf a, vecf b, vecf c) { return _mm512_fnmadd_ps(a, b, c); }
PCS_INLINE vecf v_float(vec a) { return _mm512_cvtepi32_ps(a); }
PCS_INLINE vecf v_halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
PCS_INLINE vecf v_bf16(const uint8_t *p) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16)); }
PCS_INLINE vecf v_floats(const uint8_t *p) { return _mm512_loadu_ps((const float *)(const void *)p); }
PCS_INLINE vecf v_unsigned(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p))); }
PCS_INLINE vecf v_signed(const uint8_t *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p))); }
#else
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
PCS_INLINE vec v_set16(int x) { return _mm256_set1_epi16((short)x); }
PCS_INLINE vec v_mul16(vec a, vec b) { return _mm256_mullo_epi16(a, b); }
PCS_INLINE vec v_shr16(vec a, int n) { return _mm256_srl_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shl16(vec a, int n) { return _mm256_sll_epi16(a, _mm_cvtsi32_si128(n)); }
PCS_INLINE vec v_shuffle8(vec table, vec index) { return _mm256_shuffle_epi8(table, index); }
PCS_INLINE vec v_spread128(__m128i x) { return _mm256_broadcastsi128_si256(x); }
PCS_INLINE vec v_where(vec v, vec bit, vec value) { return _mm256_and_si256(_mm256_cmpeq_epi8(_mm256_and_si256(v, bit), bit), value); }
PCS_INLINE vecf v_zero(void) { return _mm256_setzero_ps(); }
PCS_INLINE vecf v_setf(float x) { return _mm256_set1_ps(x); }
PCS_INLINE vecf v_loadf(const float *p) { return _mm256_load_ps(p); }
PCS_INLINE void v_storef(float *p, vecf v) { _mm256_store_ps(p, v); }
PCS_INLINE vecf v_mulf(vecf a, vecf b) { return _mm256_mul_ps(a, b); }
PCS_INLINE vecf v_fma(vecf a, vecf b, vecf c) { return _mm256_fmadd_ps(a, b, c); }
PCS_INLINE vecf v_fnma(vecf a, vecf b, vecf c) { return _mm256_fnmadd_ps(a, b, c); }
PCS_INLINE vecf v_float(vec a) { return _mm256_cvtepi32_ps(a); }
PCS_INLINE vecf v_halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
PCS_INLINE vecf v_bf16(const uint8_t *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16)); }
PCS_INLINE vecf v_floats(const uint8_t *p) { return _mm256_loadu_ps((const float *)(const void *)p); }
PCS_INLINE vecf v_unsigned(const uint8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
PCS_INLINE vecf v_signed(const uint8_t *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p))); }
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
