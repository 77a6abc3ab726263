/* unpack_k.h - codes and scales of the types with blocks of 256, by AVX2. */
#ifndef PCS_UNPACK_K_H
#define PCS_UNPACK_K_H

#include "kernel/x86/unpack_legacy.h"

PCS_INLINE __m256i load32(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
PCS_INLINE void put32(int8_t *q, __m256i v) { _mm256_store_si256((__m256i *)q, v); }
/* Bytes shifted right; the mask drops what came from the neighbour. */
PCS_INLINE __m256i field(__m256i v, int shift, int mask) { return _mm256_and_si256(_mm256_srl_epi16(v, _mm_cvtsi32_si128(shift)), _mm256_set1_epi8((char)mask)); }

PCS_INLINE void k4_scales(const uint8_t *w, const uint8_t *packed, float *d, float *m)
{
    const float d0 = half_at(w), m0 = half_at(w + 2);
    uint8_t sc[8], mn[8];
    pcs_k4_scales_get(packed, sc, mn);
    for (int s = 0; s < 16; s++) {
        d[s] = d0 * (float)sc[s / 2];
        m[s] = m0 * (float)mn[s / 2];
    }
}

PCS_INLINE void unpack_q4_k(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 144, q += 256) {
        k4_scales(w, w + 4, r->d + 16 * b, r->m + 16 * b);
        for (int c = 0; c < 4; c++) {
            const __m256i v = load32(w + 16 + 32 * c);
            put32(q + 64 * c, field(v, 0, 15));
            put32(q + 64 * c + 32, field(v, 4, 15));
        }
    }
}

PCS_INLINE void unpack_q5_k(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 176, q += 256) {
        k4_scales(w, w + 4, r->d + 16 * b, r->m + 16 * b);
        const __m256i high = load32(w + 16);
        for (int c = 0; c < 4; c++) {
            const __m256i v = load32(w + 48 + 32 * c);
            put32(q + 64 * c, _mm256_or_si256(field(v, 0, 15), _mm256_slli_epi16(field(high, 2 * c, 1), 4)));
            put32(q + 64 * c + 32, _mm256_or_si256(field(v, 4, 15), _mm256_slli_epi16(field(high, 2 * c + 1, 1), 4)));
        }
    }
}

PCS_INLINE void unpack_q6_k(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    const __m256i off = _mm256_set1_epi8(32);
    for (size_t b = 0; b < k / 256; b++, w += 210, q += 256) {
        const float d0 = half_at(w + 208);
        for (int s = 0; s < 16; s++) r->d[16 * b + s] = d0 * (float)(int8_t)w[192 + s];
        for (int h = 0; h < 2; h++) {
            const __m256i high = load32(w + 128 + 32 * h);
            for (int c = 0; c < 4; c++) {
                const __m256i low = field(load32(w + 64 * h + 32 * (c % 2)), c / 2 * 4, 15);
                put32(q + 128 * h + 32 * c, _mm256_sub_epi8(_mm256_or_si256(low, _mm256_slli_epi16(field(high, 2 * c, 3), 4)), off));
            }
        }
    }
}

PCS_INLINE void unpack_q3_k(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 110, q += 256) {
        const uint8_t *sc = w + 96;
        const float d0 = half_at(w + 108);
        for (int s = 0; s < 16; s++)
            r->d[16 * b + s] = d0 * (float)((sc[s % 8] >> (s / 8 * 4) & 15) + ((sc[8 + s % 4] >> (s / 4 * 2) & 3) << 4) - 32);
        const __m256i high = load32(w);
        for (int c = 0; c < 8; c++) {
            const __m256i low = field(load32(w + 32 + 32 * (c / 4)), c % 4 * 2, 3);
            const __m256i bit = _mm256_slli_epi16(field(high, c, 1), 2);
            put32(q + 32 * c, _mm256_sub_epi8(_mm256_or_si256(low, bit), _mm256_set1_epi8(4)));
        }
    }
}

PCS_INLINE void unpack_q2_k(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 84, q += 256) {
        const float d0 = half_at(w + 80), m0 = half_at(w + 82);
        for (int s = 0; s < 16; s++) {
            r->d[16 * b + s] = d0 * (float)(w[s] & 15);
            r->m[16 * b + s] = m0 * (float)(w[s] >> 4);
        }
        for (int c = 0; c < 8; c++) put32(q + 32 * c, field(load32(w + 16 + 32 * (c / 4)), c % 4 * 2, 3));
    }
}

PCS_INLINE void unpack_iq4_xs(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    const __m256i book = book_iq4();
    for (size_t b = 0; b < k / 256; b++, w += 136, q += 256) {
        const float d0 = half_at(w);
        const uint16_t high = pcs_load16(w + 2);
        for (int g = 0; g < 8; g++) {
            const int sc = ((w[4 + g / 2] >> (g % 2 * 4) & 15) | (high >> (2 * g) & 3) << 4) - 32;
            r->d[16 * b + 2 * g] = r->d[16 * b + 2 * g + 1] = d0 * (float)sc;
            put32(q + 32 * g, _mm256_shuffle_epi8(book, nibbles(w + 8 + 16 * g)));
        }
    }
}

PCS_INLINE void unpack_tq2_0(const uint8_t *w, size_t k, const pcs_row *r)
{
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 66, q += 256) {
        pcs_fill(r->d + 16 * b, 16, half_at(w + 64));
        for (int c = 0; c < 8; c++) put32(q + 32 * c, _mm256_sub_epi8(field(load32(w + 32 * (c / 4)), c % 4 * 2, 3), _mm256_set1_epi8(1)));
    }
}

/* Digit n of every byte: (byte * 3^n mod 256) * 3 / 256, less one. */
PCS_INLINE __m128i trits16(__m128i v, int power)
{
    const __m256i wide = _mm256_and_si256(_mm256_mullo_epi16(_mm256_cvtepu8_epi16(v), _mm256_set1_epi16((short)power)), _mm256_set1_epi16(255));
    const __m256i t = _mm256_sub_epi16(_mm256_srli_epi16(_mm256_mullo_epi16(wide, _mm256_set1_epi16(3)), 8), _mm256_set1_epi16(1));
    return _mm_packs_epi16(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
}

PCS_INLINE void unpack_tq1_0(const uint8_t *w, size_t k, const pcs_row *r)
{
    static const int power[5] = { 1, 3, 9, 27, 81 };
    int8_t *q = r->q;
    for (size_t b = 0; b < k / 256; b++, w += 54, q += 256) {
        pcs_fill(r->d + 16 * b, 16, half_at(w + 52));
        const __m128i v0 = _mm_loadu_si128((const __m128i *)w), v1 = _mm_loadu_si128((const __m128i *)(w + 16));
        const __m128i v2 = _mm_loadu_si128((const __m128i *)(w + 32));
        for (int n = 0; n < 5; n++) {
            _mm_store_si128((__m128i *)(q + 32 * n), trits16(v0, power[n]));
            _mm_store_si128((__m128i *)(q + 32 * n + 16), trits16(v1, power[n]));
            _mm_store_si128((__m128i *)(q + 160 + 16 * n), trits16(v2, power[n]));
        }
        for (int i = 0; i < 16; i++) q[240 + i] = (int8_t)(((uint8_t)(w[48 + i % 4] * power[i / 4]) * 3 >> 8) - 1);
    }
}

#endif
