/* coders_512.h - codes of rows with one scale on 512 bits, as unsigned bytes code + offset: fields of bits, and
 * code_FORMAT(blocks, n, to) with OFFSET_FORMAT of the formats in simd/coders.def. n weights of whole blocks; what is
 * read ends with them, what is written with 64 of them. */
#ifndef PCS_CODERS_512_H
#define PCS_CODERS_512_H

#include "format/format.h"

#include <immintrin.h>

typedef void coder_fn(const uint8_t *blocks, size_t n, uint8_t *to);

/* 64 codes of so many bits, of which `bytes` bytes are there. */
PCS_INLINE __m512i coder_fields(const uint8_t *src, size_t bytes, int bits)
{
    const __mmask64 there = bytes < 64 ? ((__mmask64)1 << bytes) - 1 : ~(__mmask64)0;
    if (bits == 1) {
        uint64_t ones = 0;
        memcpy(&ones, src, bytes < 8 ? bytes : 8);
        return _mm512_maskz_set1_epi8((__mmask64)ones, 2);
    }
    if (bits == 2) {
        __m512i v = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)there, src));
        v = _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi32(v, 12)), _mm512_set1_epi32(0x000f000f));
        return _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi32(v, 6)), _mm512_set1_epi32(0x03030303));
    }
    if (bits == 4) {
        const __m512i v = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8((__mmask32)there, src));
        return _mm512_and_si512(_mm512_or_si512(v, _mm512_slli_epi16(v, 4)), _mm512_set1_epi16(0x0f0f));
    }
    const __m512i all = _mm512_maskz_loadu_epi8(there, src);
    if (bits == 8) return all;
    /* Eight codes are a number of 64 bits, shifted by eight amounts. */
    const __m512i shifts = _mm512_set_epi64(7 * bits, 6 * bits, 5 * bits, 4 * bits, 3 * bits, 2 * bits, bits, 0);
    _Alignas(64) uint8_t stored[64 + 8], codes[64];
    _mm512_store_si512(stored, all);
    for (int i = 0; i < 8; i++) {
        int64_t eight;
        memcpy(&eight, stored + i * bits, sizeof eight);
        const __m512i v = _mm512_and_si512(_mm512_srlv_epi64(_mm512_set1_epi64(eight), shifts),
                                           _mm512_set1_epi64((1 << bits) - 1));
        _mm_storel_epi64((__m128i *)(void *)(codes + 8 * i), _mm512_cvtepi64_epi8(v));
    }
    return _mm512_load_si512(codes);
}

#define CODER_BITS(b)                                                              \
    static void coder_bits_##b(const uint8_t *src, size_t n, uint8_t *to)          \
    {                                                                              \
        for (size_t at = 0; at < n; at += 64, src += 8 * b)                        \
            _mm512_storeu_si512(to + at, coder_fields(src, (n - at) / 8 * b, b));  \
    }
CODER_BITS(1)
CODER_BITS(2)
CODER_BITS(3)
CODER_BITS(4)
CODER_BITS(5)
CODER_BITS(6)
CODER_BITS(7)
static coder_fn *const coder_bits[8] = { NULL, coder_bits_1, coder_bits_2, coder_bits_3, coder_bits_4, coder_bits_5,
                                         coder_bits_6, coder_bits_7 };

/* ---- codes of 4 bits times a multiplier (format/p4.c) ---- */

enum { OFFSET_p4 = 128, OFFSET_p4s = 128 };

/* Products of the multipliers -16 to 15 with -8 .. 7, plus 128; those below -15 would not fit and do not occur. */
#define P4_ONE(m, q) (uint8_t)((m) * ((q) - 8) + 128)
#define P4_ROW(m)                                                                                             \
    {                                                                                                         \
        P4_ONE(m, 0), P4_ONE(m, 1), P4_ONE(m, 2), P4_ONE(m, 3), P4_ONE(m, 4), P4_ONE(m, 5), P4_ONE(m, 6),     \
        P4_ONE(m, 7), P4_ONE(m, 8), P4_ONE(m, 9), P4_ONE(m, 10), P4_ONE(m, 11), P4_ONE(m, 12), P4_ONE(m, 13), \
        P4_ONE(m, 14), P4_ONE(m, 15)                                                                          \
    }
#define P4_FOUR(m) P4_ROW(m), P4_ROW((m) + 1), P4_ROW((m) + 2), P4_ROW((m) + 3)
static const uint8_t p4_products[32][16] = { P4_FOUR(-16), P4_FOUR(-12), P4_FOUR(-8), P4_FOUR(-4),
                                             P4_FOUR(0), P4_FOUR(4), P4_FOUR(8), P4_FOUR(12) };

/* 32 codes, low nibbles first. */
PCS_INLINE void p4_group(const uint8_t *nibbles, int multiplier, uint8_t *to)
{
    const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)nibbles));
    const __m256i turns = _mm256_setr_epi64x(0, 0, 0x0004000400040004, 0x0004000400040004);
    const __m256i index = _mm256_and_si256(_mm256_srlv_epi16(both, turns), _mm256_set1_epi8(15));
    const __m128i products = _mm_loadu_si128((const __m128i *)(const void *)p4_products[(multiplier + 16) & 31]);
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(products), index));
}

static void code_p4(const uint8_t *src, size_t n, uint8_t *to)
{
    for (size_t at = 0; at < n; at += 64, src += 33) {
        p4_group(src + 1, src[0] & 15, to + at);
        p4_group(src + 17, src[0] >> 4, to + at + 32);
    }
}
static void code_p4s(const uint8_t *src, size_t n, uint8_t *to)
{
    for (size_t at = 0; at < n; at += 32, src += 17) p4_group(src + 1, (int8_t)src[0], to + at);
}

#endif
