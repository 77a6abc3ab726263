/* unpack_legacy.h - codes and scales of the types with blocks of 32, by AVX2. One function per format:
 * `n` weights of a row, the layout of pcs_row. */
#ifndef PCS_UNPACK_LEGACY_H
#define PCS_UNPACK_LEGACY_H

#include "base/f16.h"
#include "kernel/rows.h"

#include <immintrin.h>

PCS_INLINE float half_at(const uint8_t *p) { return _cvtsh_ss(pcs_load16(p)); }

/* 16 bytes as 32 nibbles: low ones first. */
PCS_INLINE __m256i nibbles(const uint8_t *p)
{
    const __m128i b = _mm_loadu_si128((const __m128i *)p);
    return _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(b, 4), b), _mm256_set1_epi8(15));
}

/* 32 bits as 32 bytes of 0 or 16. */
PCS_INLINE __m256i fifth_bits(uint32_t bits)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201u);
    const __m256i v = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread), bit);
    return _mm256_and_si256(_mm256_cmpeq_epi8(v, bit), _mm256_set1_epi8(16));
}

PCS_INLINE void put(const pcs_row *r, size_t b, __m256i q, float d)
{
    _mm256_store_si256((__m256i *)(r->q + 32 * b), q);
    r->d[2 * b] = r->d[2 * b + 1] = d;
}

PCS_INLINE void unpack_q4_0(const uint8_t *w, size_t k, const pcs_row *r)
{
    for (size_t b = 0; b < k / 32; b++, w += 18) put(r, b, _mm256_sub_epi8(nibbles(w + 2), _mm256_set1_epi8(8)), half_at(w));
}

PCS_INLINE void unpack_q4_1(const uint8_t *w, size_t k, const pcs_row *r)
{
    for (size_t b = 0; b < k / 32; b++, w += 20) {
        put(r, b, nibbles(w + 4), half_at(w));
        r->m[2 * b] = r->m[2 * b + 1] = -half_at(w + 2);
    }
}

PCS_INLINE void unpack_q5_0(const uint8_t *w, size_t k, const pcs_row *r)
{
    for (size_t b = 0; b < k / 32; b++, w += 22)
        put(r, b, _mm256_sub_epi8(_mm256_or_si256(nibbles(w + 6), fifth_bits(pcs_load32(w + 2))), _mm256_set1_epi8(16)), half_at(w));
}

PCS_INLINE void unpack_q5_1(const uint8_t *w, size_t k, const pcs_row *r)
{
    for (size_t b = 0; b < k / 32; b++, w += 24) {
        put(r, b, _mm256_or_si256(nibbles(w + 8), fifth_bits(pcs_load32(w + 4))), half_at(w));
        r->m[2 * b] = r->m[2 * b + 1] = -half_at(w + 2);
    }
}

PCS_INLINE void unpack_q8_0(const uint8_t *w, size_t k, const pcs_row *r)
{
    for (size_t b = 0; b < k / 32; b++, w += 34) put(r, b, _mm256_loadu_si256((const __m256i *)(w + 2)), half_at(w));
}

PCS_INLINE __m256i book_iq4(void) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)pcs_book_iq4)); }

PCS_INLINE void unpack_iq4_nl(const uint8_t *w, size_t k, const pcs_row *r)
{
    const __m256i book = book_iq4();
    for (size_t b = 0; b < k / 32; b++, w += 18) put(r, b, _mm256_shuffle_epi8(book, nibbles(w + 2)), half_at(w));
}

PCS_INLINE void unpack_mxfp4(const uint8_t *w, size_t k, const pcs_row *r)
{
    const __m256i book = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12));
    for (size_t b = 0; b < k / 32; b++, w += 17) {
        const uint32_t e = w[0];
        put(r, b, _mm256_shuffle_epi8(book, nibbles(w + 1)), pcs_bits_f32(e < 2 ? 0x00200000u << e : (e - 1) << 23));
    }
}

#endif
