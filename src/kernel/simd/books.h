/* books.h - codes and scales of formats with books of vectors, out of panels. As decode.h, but
 *
 * lines_FORMAT(p, g, h, line): all eight lines of weights 32 g on, since weights of one entry are parts of two of them
 *   or of more.
 *
 * Panels of IQ2_XXS, IQ3_XXS and IQ3_S hold indices: entries are gathered, but for levels that have larger
 * tables in registers (x86/books_512.h). Those of IQ1, IQ2_XS and IQ2_S hold digits (format/five.h).
 *
 * A scale is d times an odd whole number of 5 bits and a power of two: exact in f32, in whatever order. */
#ifndef PCS_BOOKS_H
#define PCS_BOOKS_H

#include "format/five.h"
#include "format/grids.h"
#include "kernel/simd/decode.h"

typedef void lines_fn(const planes *p, int g, int h, vec *line);

enum {
    OFFSET_iq3_s = 15, OFFSET_iq3_xxs = 128, OFFSET_iq2_s = 128, OFFSET_iq2_xs = 128, OFFSET_iq2_xxs = 128,
    OFFSET_iq1_m = 9, OFFSET_iq1_s = 9
};

/* ---- scales -------------------------------------------------------------------------------------------------- */

/* d of the 16 rows times a power of two. */
PCS_INLINE d_of_rows d_by(const uint8_t *src, float by)
{
    d_of_rows d = d_of(src);
    for (int i = 0; i < 16 / V_ROWS; i++) d.at[i] = v_mulf(d.at[i], v_setf(by));
    return d;
}
/* 2 x + 1 of the lowest three or four bits of each lane. */
PCS_INLINE vecf odd_of(vec x, int bits)
{
#if VEC == 64
    const __m512 odd = bits == 4 ? _mm512_setr_ps(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
                                 : _mm512_setr_ps(1, 3, 5, 7, 9, 11, 13, 15, 1, 3, 5, 7, 9, 11, 13, 15);
    return _mm512_permutexvar_ps(x, odd);
#else
    return v_float(v_or(v_and(v_shl32(x, 1), v_set32((2 << bits) - 2)), v_set32(1)));
#endif
}
/* Nibbles at `bytes`, byte i of 16 rows for slots 2 i and 2 i + 1, of which the lowest `bits` count. */
PCS_INLINE void scaled_nibbles(const uint8_t *d0, float by, const uint8_t *bytes, int slots, int bits, float *dst)
{
    const d_of_rows d = d_by(d0, by);
    for (int s = 0; s < slots; s += 2)
        for (int i = 0; i < 16 / V_ROWS; i++) {
            const vec x = v_bytes(bytes + 8 * s + V_ROWS * i);
            v_storef(dst + 16 * s + V_ROWS * i, v_mulf(d.at[i], odd_of(x, bits)));
            v_storef(dst + 16 * (s + 1) + V_ROWS * i, v_mulf(d.at[i], odd_of(v_lshr32(x, 4), bits)));
        }
}
/* Upper four bits of a dword of each row, `step` bytes apart for the next group. */
PCS_INLINE void scaled_words(const uint8_t *d0, float by, const uint8_t *words, size_t step, float *dst)
{
    const d_of_rows d = d_by(d0, by);
    for (int g = 0; g < 8; g++)
        for (int i = 0; i < 16 / V_ROWS; i++)
            v_storef(dst + 16 * g + V_ROWS * i,
                     v_mulf(d.at[i], odd_of(v_lshr32(v_load(words + step * (size_t)g + VEC * i), 28), 4)));
}

PCS_INLINE void scales_iq3_s(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m, scaled_nibbles(p->at[0], 1.0f, p->at[1], 8, 4, d);
}
PCS_INLINE void scales_iq3_xxs(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m, scaled_words(p->at[0], 0.25f, p->at[1] + 128, 192, d);
}
PCS_INLINE void scales_iq2_s(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m, scaled_nibbles(p->at[0], 0.125f, p->at[1], 16, 4, d);
}
PCS_INLINE void scales_iq2_xs(const planes *p, size_t groups, float *d, float *m) { scales_iq2_s(p, groups, d, m); }
PCS_INLINE void scales_iq2_xxs(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m, scaled_words(p->at[0], 0.125f, p->at[1] + 64, 128, d);
}
PCS_INLINE void scales_iq1_s(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m, scaled_nibbles(p->at[0], 0.125f, p->at[1], 8, 3, d);
}
/* Four words of 16 bits: four scales of three bits, and above them four bits of d. */
PCS_INLINE void scales_iq1_m(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m;
    _Alignas(16) uint8_t halves[32];
    const uint8_t *b = p->at[0]; /* bytes of 16 rows */
    const vec16 upper = v16_set8(0xf0);
    const vec16 low = v16_or(bits(v16_load(b + 16), 4, 15), v16_and(v16_load(b + 48), upper)),
                high = v16_or(bits(v16_load(b + 80), 4, 15), v16_and(v16_load(b + 112), upper));
    v16_store(halves, v16_zip_low(low, high));
    v16_store(halves + 16, v16_zip_high(low, high));
    const d_of_rows d0 = d_by(halves, 0.125f);
    for (int w = 0; w < 4; w++)
        for (int i = 0; i < 16 / V_ROWS; i++) {
            const vec word = v_or(v_bytes(b + 32 * w + V_ROWS * i), v_shl32(v_bytes(b + 32 * w + 16 + V_ROWS * i), 8));
            for (int s = 0; s < 4; s++)
                v_storef(d + 16 * (4 * w + s) + V_ROWS * i, v_mulf(d0.at[i], odd_of(v_lshr32(word, 3 * s), 3)));
        }
}

/* ---- indices -------------------------------------------------------------------------------------------------- */

/* A byte in each byte of a lane: a, b, c, d from its lowest on. */
PCS_INLINE vec four_of(unsigned a, unsigned b, unsigned c, unsigned d)
{
    return v_set32((int32_t)(a | b << 8 | c << 16 | d << 24));
}
/* Byte `at` of each lane, four times. */
PCS_INLINE vec spread_byte(vec v, int at) { return v_shuffle8(v, v_spread128(v16_byte_of_dwords((char)at))); }
/* Byte i of each lane, as a number. */
PCS_INLINE vec index_of(vec v, int i) { return v_and(v_lshr32(v, 8 * i), v_set32(255)); }

/* Four times seven signs, and those with the eighth, which makes the number of minus signs even. */
PCS_INLINE vec even_signs(vec seven)
{
    static const uint8_t odd[16] = { 0, 128, 128, 0, 128, 0, 0, 128, 128, 0, 0, 128, 0, 128, 128, 0 };
    const vec s = v_and(seven, v_set8(127)), both = v_and(v_xor(s, v_shr16(s, 4)), v_set8(15));
    return v_or(s, v_shuffle8(v_spread128(v16_load(odd)), both));
}
/* Of four times seven bits of 28. */
PCS_INLINE vec packed_signs(vec word)
{
    const vec a = v_and(word, four_of(127, 0, 0, 0)), b = v_and(v_shl32(word, 1), four_of(0, 127, 0, 0));
    const vec c = v_and(v_shl32(word, 2), four_of(0, 0, 127, 0)), d = v_and(v_shl32(word, 3), four_of(0, 0, 0, 127));
    return even_signs(v_or(v_or(a, b), v_or(c, d)));
}
/* Codes of four magnitudes + 128 or `twice` / 2, by the upper or the lower four bits of byte v of the signs. */
PCS_INLINE vec signed_four(vec magnitude, vec signs, int v, int upper, int twice)
{
    return v_from_where(spread_byte(signs, v), upper ? four_of(16, 32, 64, 128) : four_of(1, 2, 4, 8), twice,
                        magnitude);
}

/* Half of an entry of eight magnitudes of 2 bits. */
PCS_INLINE vec two_bits(vec entry, int half)
{
    static const uint8_t book[16] = { [0] = 128 + 8, 128 + 25, 128 + 43, [4] = 128 + 25, [8] = 128 + 43 };
    const vec four = spread_byte(entry, half),
              at = v_or(v_and(four, four_of(3, 12, 0, 0)), v_and(v_shr16(four, 4), four_of(0, 0, 3, 12)));
    return v_shuffle8(v_spread128(v16_load(book)), at);
}
PCS_INLINE void lines_iq2_xxs_gathered(const planes *p, int g, int h, vec *line)
{
    const vec index = v_load(p->at[1] + 128 * g + h), signs = packed_signs(v_load(p->at[1] + 128 * g + 64 + h));
    for (int v = 0; v < 4; v++) {
        const vec entry = v_gather16(pcs_grid_iq2_xxs, index_of(index, v));
        for (int half = 0; half < 2; half++)
            line[2 * v + half] = signed_four(two_bits(entry, half), signs, v, half, 256);
    }
}

/* An entry of four magnitudes of 3 bits. */
PCS_INLINE vec three_bits(vec entry, const uint8_t *book)
{
    const vec a = v_and(entry, four_of(7, 0, 0, 0)), b = v_and(v_shl32(entry, 5), four_of(0, 7, 0, 0));
    const vec c = v_and(v_shl32(entry, 10), four_of(0, 0, 7, 0)), d = v_and(v_shl32(entry, 15), four_of(0, 0, 0, 7));
    return v_shuffle8(v_spread128(v16_load(book)), v_or(v_or(a, b), v_or(c, d)));
}
PCS_INLINE void lines_iq3_xxs_gathered(const planes *p, int g, int h, vec *line)
{
    static const uint8_t book[16] = { 128 + 4, 128 + 12, 128 + 20, 128 + 28, 128 + 36, 128 + 44, 128 + 52, 128 + 62 };
    const uint8_t *at = p->at[1] + 192 * g + h;
    const vec signs = packed_signs(v_load(at + 128));
    for (int v = 0; v < 8; v++) {
        const vec entry = v_gather16(pcs_grid_iq3_xxs, index_of(v_load(at + 64 * (v % 2)), v / 2));
        line[v] = signed_four(three_bits(entry, book), signs, v / 2, v % 2, 256);
    }
}
PCS_INLINE void lines_iq3_s_gathered(const planes *p, int g, int h, vec *line)
{
    static const uint8_t book[16] = { 15 + 1, 15 + 3, 15 + 5, 15 + 7, 15 + 9, 15 + 11, 15 + 13, 15 + 15 };
    const uint8_t *at = p->at[3] + 192 * g + h;
    const vec signs = v_load(at + 128), ninth = v_load(p->at[2] + 64 * (g / 4) + h);
    for (int v = 0; v < 8; v++) {
        const vec high = v_and(v_lshr32(v_shl32(ninth, 31 - (8 * (v / 2) + 2 * (g % 4) + v % 2)), 23), v_set32(256));
        const vec entry = v_gather16(pcs_grid_iq3_s, v_or(index_of(v_load(at + 64 * (v % 2)), v / 2), high));
        line[v] = signed_four(three_bits(entry, book), signs, v / 2, v % 2, 30);
    }
}

#if !defined BOOKS_IN_REGISTERS
PCS_INLINE void lines_iq3_s(const planes *p, int g, int h, vec *line) { lines_iq3_s_gathered(p, g, h, line); }
PCS_INLINE void lines_iq3_xxs(const planes *p, int g, int h, vec *line) { lines_iq3_xxs_gathered(p, g, h, line); }
PCS_INLINE void lines_iq2_xxs(const planes *p, int g, int h, vec *line) { lines_iq2_xxs_gathered(p, g, h, line); }
#endif

/* ---- digits --------------------------------------------------------------------------------------------------- */

typedef vec digit_fn(const digits *x, int n);

/* 8 times a digit, and 2: the code + 9 of a ternary weight that is moved up by an eighth. IQ2's magnitude + 128. */
#if VEC == 64 && defined __AVX512VBMI__
#define BY_8(x) (uint8_t)((x) * 8 + 2)
#define BY_BOOK(x) ((x) == 0 ? 128 + 8 : (x) == 1 ? 128 + 25 : 128 + 43)
#define FIRST_8(i) BY_8(FIRST(i))
#define SECOND_8(i) BY_8(SECOND(i))
#define THIRD_8(i) BY_8(THIRD(i))
#define FOURTH_8(i) BY_8(FOURTH(i))
#define LAST_8(i) BY_8(LAST(i))
#define FIRST_BOOK(i) BY_BOOK(FIRST(i))
#define SECOND_BOOK(i) BY_BOOK(SECOND(i))
#define THIRD_BOOK(i) BY_BOOK(THIRD(i))
#define FOURTH_BOOK(i) BY_BOOK(FOURTH(i))
#define LAST_BOOK(i) BY_BOOK(LAST(i))
PCS_INLINE vec digit_by_8(const digits *x, int n)
{
    static _Alignas(64) const uint8_t tables[5][64] = { SIX_BITS(FIRST_8), SIX_BITS(SECOND_8), SIX_BITS(THIRD_8),
                                                        SIX_BITS(FOURTH_8), SIX_BITS(LAST_8) };
    return table64(tables[n], n < 2 ? x->pair : x->behind);
}
PCS_INLINE vec digit_by_book(const digits *x, int n)
{
    static _Alignas(64)
        const uint8_t tables[5][64] = { SIX_BITS(FIRST_BOOK), SIX_BITS(SECOND_BOOK), SIX_BITS(THIRD_BOOK),
                                        SIX_BITS(FOURTH_BOOK), SIX_BITS(LAST_BOOK) };
    return table64(tables[n], n < 2 ? x->pair : x->behind);
}
#else
PCS_INLINE vec digit_by_8(const digits *x, int n) { return v_add8(v_shl16(digit_of(x, n), 3), v_set8(2)); }
PCS_INLINE vec digit_by_book(const digits *x, int n)
{
    static const uint8_t book[16] = { 128 + 8, 128 + 25, 128 + 43 };
    return v_shuffle8(v_spread128(v16_load(book)), digit_of(x, n));
}
#endif

/* What the digits of a group's lines stand for: each line of bytes is five of them. */
PCS_INLINE void lines_of_digits(const uint8_t *bytes, int g, int h, digit_fn *value, vec *line)
{
    digits x = digits_of(v_load(bytes + 64 * (8 * g / 5) + h));
#pragma GCC unroll 8
    for (int l = 0; l < 8; l++) {
        if (l && (8 * g + l) % 5 == 0) x = digits_of(v_load(bytes + 64 * ((8 * g + l) / 5) + h));
        line[l] = value(&x, (8 * g + l) % 5);
    }
}

PCS_INLINE void lines_iq2_s(const planes *p, int g, int h, vec *line)
{
    const vec signs = v_load(p->at[2] + 64 * g + h);
    lines_of_digits(p->at[3], g, h, digit_by_book, line);
#pragma GCC unroll 8
    for (int l = 0; l < 8; l++) line[l] = v_from_where(signs, v_set8(1 << l), 256, line[l]);
}
PCS_INLINE void lines_iq2_xs(const planes *p, int g, int h, vec *line) { lines_iq2_s(p, g, h, line); }
PCS_INLINE void lines_iq1_s(const planes *p, int g, int h, vec *line)
{
    const vec scale = spread_byte(v_bytes(p->at[1] + 16 * (g / 2) + h / 4), 0),
              down = v_where(scale, v_set8(g % 2 ? 128 : 8), v_set8(2));
    lines_of_digits(p->at[2], g, h, digit_by_8, line);
#pragma GCC unroll 8
    for (int l = 0; l < 8; l++) line[l] = v_sub8(line[l], down);
}
PCS_INLINE void lines_iq1_m(const planes *p, int g, int h, vec *line)
{
    const vec shifts = spread_byte(v_load(p->at[1] + h), g / 2);
    lines_of_digits(p->at[2], g, h, digit_by_8, line);
#pragma GCC unroll 4
    for (int v = 0; v < 4; v++) {
        const vec down = v_where(shifts, v_set8(1 << (g % 2 * 4 + v)), v_set8(2));
        line[2 * v] = v_sub8(line[2 * v], down);
        line[2 * v + 1] = v_sub8(line[2 * v + 1], down);
    }
}

#endif
