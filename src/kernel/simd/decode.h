/* decode.h - codes and scales out of panels (kernel/panels.h), a pair of functions per format:
 *
 * line_FORMAT(p, g, l, h): codes of weights 32 g + 4 l and the three after it, from a block of 256 or a pair of blocks
 *   of 32 on, of all rows (h 0) or of eight (h 0 or 32, bytes into the line), as unsigned code + OFFSET_FORMAT.
 * scales_FORMAT(p, groups, d, m): d and m of the rows, [group][16], of the `groups` first 32 weights from there; of 16
 *   weights where the format's groups are of 16.
 *
 * Formats with books of vectors have lines_FORMAT in place of line_FORMAT (books.h).
 *
 * A format that has panels has its row in decoders.def. */
#ifndef PCS_DECODE_H
#define PCS_DECODE_H

#include "base/f16.h"
#include "kernel/kernel.h"
#include "kernel/simd/vec.h"

/* Each field of a block. */
/* book: as a level's look-ups want it, for lines that ask. */
typedef struct { const uint8_t *at[PCS_FIELDS], *book; } planes;

#if VEC == 64 && defined __AVX512VBMI__
#define PACK_PANEL pcs_pack_avx512vbmi
#elif defined(__x86_64__)
#define PACK_PANEL pcs_pack_avx2
#else
#define PACK_PANEL pcs_pack_scalar
#endif

typedef vec line_fn(const planes *p, int g, int l, int h);
typedef void scales_fn(const planes *p, size_t groups, float *d, float *m);

PCS_INLINE planes planes_of(const pcs_panel_layout *o, const uint8_t *panel, size_t block)
{
    planes p;
    for (size_t i = 0; i < PCS_FIELDS; i++) p.at[i] = panel + pcs_panel_at(o, block, i);
    return p;
}

/* A line's low (high 0) or high nibbles; bits of every byte from `shift` on. */
PCS_INLINE vec nibble(const uint8_t *line, int high)
{
    return v_and(high ? v_shr16(v_load(line), 4) : v_load(line), v_set8(15));
}
PCS_INLINE vec field(const uint8_t *line, int shift, int mask)
{
    return v_and(shift ? v_shr16(v_load(line), shift) : v_load(line), v_set8(mask));
}

/* Bits from `from` on of every byte, at `to`. */
PCS_INLINE vec moved(const uint8_t *line, int from, int to, int mask)
{
    const vec v = v_load(line);
    return v_and(from < to ? v_shl16(v, to - from) : from > to ? v_shr16(v, from - to) : v, v_set8(mask << to));
}

PCS_INLINE vec book_of(const int8_t *book, int offset)
{
    return v_spread128(v16_add8(v16_load(book), v16_set8(offset)));
}

PCS_INLINE void halves(const uint8_t *src, float *dst)
{
    for (int h = 0; h < 16; h += V_ROWS) v_storef(dst + h, v_halves(src + 2 * h));
}
PCS_INLINE void minus_halves(const uint8_t *src, float *dst)
{
    for (int h = 0; h < 16; h += V_ROWS) v_storef(dst + h, v_mulf(v_halves(src + 2 * h), v_setf(-1.0f)));
}
/* d of the 16 rows, converted once. */
typedef struct { vecf at[16 / V_ROWS]; } d_of_rows;
PCS_INLINE d_of_rows d_of(const uint8_t *src)
{
    d_of_rows d;
    for (int i = 0; i < 16 / V_ROWS; i++) d.at[i] = v_halves(src + 2 * V_ROWS * i);
    return d;
}
/* d * (unsigned or signed) bytes of the 16 rows. */
PCS_INLINE void scaled(const d_of_rows *d, const uint8_t *bytes, bool is_signed, float *dst)
{
    for (int i = 0; i < 16 / V_ROWS; i++)
        v_storef(dst + V_ROWS * i,
                 v_mulf(d->at[i], is_signed ? v_signed(bytes + V_ROWS * i) : v_unsigned(bytes + V_ROWS * i)));
}

/* Bits of the bytes of 16 rows; the mask drops what came from the neighbour. */
PCS_INLINE vec16 bits(vec16 v, int shift, int mask) { return v16_and(v16_shr16(v, shift), v16_set8(mask)); }

/* ---- blocks of 32 ------------------------------------------------------------------------------------------- */

/* A block's bytes after its piece's short fields. */
enum {
    BLOCK_q4_0 = 256, BLOCK_q4_1 = 256, BLOCK_q5_0 = 320, BLOCK_q5_1 = 320, BLOCK_q8_0 = 512, BLOCK_iq4_nl = 256,
    BLOCK_mxfp4 = 256
};

PCS_INLINE void d_only(const planes *p, size_t groups, float *d)
{
    for (size_t g = 0; g < groups; g++) halves(p->at[0] + 32 * g, d + 16 * g);
}
PCS_INLINE void d_and_m(const planes *p, size_t groups, float *d, float *m)
{
    d_only(p, groups, d);
    for (size_t g = 0; g < groups; g++) minus_halves(p->at[1] + 32 * g, m + 16 * g);
}
/* Codes of four weights of two, l of eight lines. */
PCS_INLINE vec nibbles32(const uint8_t *codes, int l, int h) { return nibble(codes + 64 * (l & 3) + h, l >> 2); }

/* Bits 4 l and the three after it of each row's dword, as 0 or 16. */
PCS_INLINE vec fifth(const uint8_t *bits, int l, int h)
{
    const vec spread = v_spread128(v16_byte_of_dwords((char)(l / 2))),
              mask = v_spread128(v16_set32((l % 2 ? 16u : 1u) * 0x08040201u));
    return v_where(v_shuffle8(v_load(bits + h), spread), mask, v_set8(16));
}

enum {
    OFFSET_q4_0 = 8, OFFSET_q4_1 = 0, OFFSET_q5_0 = 16, OFFSET_q5_1 = 0, OFFSET_q8_0 = 128, OFFSET_iq4_nl = 128,
    OFFSET_mxfp4 = 12
};

PCS_INLINE void scales_q4_0(const planes *p, size_t groups, float *d, float *m) { (void)m, d_only(p, groups, d); }
PCS_INLINE vec line_q4_0(const planes *p, int g, int l, int h)
{
    return nibbles32(p->at[1] + BLOCK_q4_0 * (size_t)g, l, h);
}

PCS_INLINE void scales_q4_1(const planes *p, size_t groups, float *d, float *m) { d_and_m(p, groups, d, m); }
PCS_INLINE vec line_q4_1(const planes *p, int g, int l, int h)
{
    return nibbles32(p->at[2] + BLOCK_q4_1 * (size_t)g, l, h);
}

PCS_INLINE void scales_q5_0(const planes *p, size_t groups, float *d, float *m) { (void)m, d_only(p, groups, d); }
PCS_INLINE vec line_q5_0(const planes *p, int g, int l, int h)
{
    const size_t at = BLOCK_q5_0 * (size_t)g;
    return v_or(nibbles32(p->at[2] + at, l, h), fifth(p->at[1] + at, l, h));
}

PCS_INLINE void scales_q5_1(const planes *p, size_t groups, float *d, float *m) { d_and_m(p, groups, d, m); }
PCS_INLINE vec line_q5_1(const planes *p, int g, int l, int h)
{
    const size_t at = BLOCK_q5_1 * (size_t)g;
    return v_or(nibbles32(p->at[3] + at, l, h), fifth(p->at[2] + at, l, h));
}

PCS_INLINE void scales_q8_0(const planes *p, size_t groups, float *d, float *m) { (void)m, d_only(p, groups, d); }
PCS_INLINE vec line_q8_0(const planes *p, int g, int l, int h)
{
    return v_xor(v_load(p->at[1] + BLOCK_q8_0 * (size_t)g + 64 * l + h), v_set8(128));
}

PCS_INLINE void scales_iq4_nl(const planes *p, size_t groups, float *d, float *m) { (void)m, d_only(p, groups, d); }
PCS_INLINE vec line_iq4_nl(const planes *p, int g, int l, int h)
{
    return v_shuffle8(book_of(pcs_book_iq4, 128), nibbles32(p->at[1] + BLOCK_iq4_nl * (size_t)g, l, h));
}

PCS_INLINE void scales_mxfp4(const planes *p, size_t groups, float *d, float *m)
{
    (void)m;
    for (size_t i = 0; i < 16 * groups; i++) {
        const uint32_t e = p->at[0][i];
        d[i] = pcs_bits_f32(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    }
}
PCS_INLINE vec line_mxfp4(const planes *p, int g, int l, int h)
{
    static const int8_t book[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };
    return v_shuffle8(book_of(book, 12), nibbles32(p->at[1] + BLOCK_mxfp4 * (size_t)g, l, h));
}

/* ---- blocks of 256 ------------------------------------------------------------------------------------------- */

enum {
    OFFSET_q4_k = 0, OFFSET_q5_k = 0, OFFSET_q6_k = 32, OFFSET_q3_k = 4, OFFSET_q2_k = 0, OFFSET_iq4_xs = 128,
    OFFSET_tq2_0 = 1, OFFSET_tq1_0 = 1
};

PCS_INLINE void k4_scales(const planes *p, float *d, float *m)
{
    const uint8_t *b = p->at[2];
    const d_of_rows d0 = d_of(p->at[0]), m0 = d_of(p->at[1]);
    for (int g = 0; g < 4; g++) {
        _Alignas(16) uint8_t sc[2][16], mn[2][16];
        const vec16 low = v16_load(b + 16 * g), min = v16_load(b + 16 * (g + 4)), both = v16_load(b + 16 * (g + 8));
        v16_store(sc[0], bits(low, 0, 63));
        v16_store(mn[0], bits(min, 0, 63));
        v16_store(sc[1], v16_or(bits(both, 0, 15), v16_shl16(bits(low, 6, 3), 4)));
        v16_store(mn[1], v16_or(bits(both, 4, 15), v16_shl16(bits(min, 6, 3), 4)));
        for (int i = 0; i < 2; i++) {
            scaled(&d0, sc[i], false, d + 16 * (g + 4 * i));
            scaled(&m0, mn[i], false, m + 16 * (g + 4 * i));
        }
    }
}

PCS_INLINE void scales_q4_k(const planes *p, size_t groups, float *d, float *m) { (void)groups, k4_scales(p, d, m); }
PCS_INLINE vec line_q4_k(const planes *p, int g, int l, int h)
{
    return nibble(p->at[3] + 512 * (size_t)(g / 2) + 64 * l + h, g % 2);
}

PCS_INLINE void scales_q5_k(const planes *p, size_t groups, float *d, float *m) { (void)groups, k4_scales(p, d, m); }
PCS_INLINE vec line_q5_k(const planes *p, int g, int l, int h)
{
    const uint8_t *codes = g < 2 ? p->at[4] + 128 * l : p->at[5] + 512 * (size_t)(g / 2 - 1) + 64 * l;
    return v_or(nibble(codes + h, g % 2), moved(p->at[3] + 128 * l + h, g, 4, 1));
}

PCS_INLINE void scales_q6_k(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m;
    const d_of_rows d0 = d_of(p->at[0]);
    for (size_t s = 0; s < 16; s++) scaled(&d0, p->at[1] + 16 * s, true, d + 16 * s);
}
PCS_INLINE vec line_q6_k(const planes *p, int g, int l, int h)
{
    const uint8_t *const *half = p->at + 2 + g / 4 * 3, *codes = g % 2 ? half[2] + 64 * l : half[1] + 128 * l;
    return v_or(nibble(codes + h, g % 4 / 2), moved(half[0] + 128 * l + h, g % 4 * 2, 4, 3));
}

PCS_INLINE void scales_q3_k(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m;
    const uint8_t *b = p->at[1];
    const d_of_rows d0 = d_of(p->at[0]);
    for (int s = 0; s < 16; s++) {
        _Alignas(16) uint8_t sc[16];
        const vec16 low = bits(v16_load(b + 16 * (s % 8)), s / 8 * 4, 15),
                    high = bits(v16_load(b + 16 * (8 + s % 4)), s / 4 * 2, 3);
        v16_store(sc, v16_sub8(v16_or(low, v16_shl16(high, 4)), v16_set8(32)));
        scaled(&d0, sc, true, d + 16 * s);
    }
}
PCS_INLINE vec line_q3_k(const planes *p, int g, int l, int h)
{
    const uint8_t *codes = g < 4 ? p->at[3] + 128 * l : p->at[4] + 64 * l;
    return v_or(field(codes + h, g % 4 * 2, 3), moved(p->at[2] + 128 * l + h, g, 2, 1));
}

PCS_INLINE void scales_q2_k(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups;
    const d_of_rows d0 = d_of(p->at[0]), m0 = d_of(p->at[1]);
    for (size_t s = 0; s < 16; s++) {
        _Alignas(16) uint8_t sc[16], mn[16];
        const vec16 both = v16_load(p->at[2] + 16 * s);
        v16_store(sc, bits(both, 0, 15));
        v16_store(mn, bits(both, 4, 15));
        scaled(&d0, sc, false, d + 16 * s);
        scaled(&m0, mn, false, m + 16 * s);
    }
}
PCS_INLINE vec line_q2_k(const planes *p, int g, int l, int h)
{
    return field(p->at[3] + 512 * (size_t)(g / 4) + 64 * l + h, g % 4 * 2, 3);
}

PCS_INLINE void scales_iq4_xs(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m;
    const d_of_rows d0 = d_of(p->at[0]);
    for (int g = 0; g < 8; g++) {
        _Alignas(16) uint8_t sc[16];
        const vec16 low = bits(v16_load(p->at[2] + 16 * (size_t)(g / 2)), g % 2 * 4, 15);
        const vec16 h0 = v16_load(p->at[1]), h1 = v16_load(p->at[1] + 16), two = v16_set16(3);
        const vec16 high = v16_narrow(v16_and(v16_shr16(h0, 2 * g), two), v16_and(v16_shr16(h1, 2 * g), two));
        v16_store(sc, v16_sub8(v16_or(low, v16_shl16(high, 4)), v16_set8(32)));
        scaled(&d0, sc, true, d + 16 * g);
    }
}
PCS_INLINE vec line_iq4_xs(const planes *p, int g, int l, int h)
{
    return v_shuffle8(book_of(pcs_book_iq4, 128), nibble(p->at[3] + 256 * (size_t)g + 64 * (l & 3) + h, l >> 2));
}

PCS_INLINE void scales_tq2_0(const planes *p, size_t groups, float *d, float *m)
{
    (void)groups, (void)m;
    for (int g = 0; g < 8; g++) halves(p->at[0], d + 16 * g);
}
PCS_INLINE vec line_tq2_0(const planes *p, int g, int l, int h)
{
    return field(p->at[1] + 512 * (size_t)(g / 4) + 64 * l + h, g % 4 * 2, 3);
}

PCS_INLINE void scales_tq1_0(const planes *p, size_t groups, float *d, float *m) { scales_tq2_0(p, groups, d, m); }
/* Digit n, 0 to 4, of every byte of codes as format/tq1_0.c has them: from the six bits that are pair and r
 * (pair_digit), or from r and h (behind_digit). */
#if VEC == 64 && defined __AVX512VBMI__
#define SIX_BITS(m) { E16(m, 0), E16(m, 16), E16(m, 32), E16(m, 48) }
#define E16(m, b) E4(m, b), E4(m, (b) + 4), E4(m, (b) + 8), E4(m, (b) + 12)
#define E4(m, b) m(b), m((b) + 1), m((b) + 2), m((b) + 3)
#define PAIR(q) (((q) & 7) < 7 ? (q) >> 3 : 8)
#define FIRST(q) PAIR(q) / 3
#define SECOND(q) PAIR(q) % 3
#define R4(q) 4 * (((q) & 7) < 7 ? (q) & 7 : (q) >> 3 < 7 ? (q) >> 3 : 6)
#define BEHIND(i) (((i) & 3) < 3 ? (i) / 4 * 3 + ((i) & 3) : (i) / 4 < 6 ? 21 + (i) / 4 : 26) % 27
#define THIRD(i) BEHIND(i) / 9
#define FOURTH(i) BEHIND(i) / 3 % 3
#define LAST(i) BEHIND(i) % 3
typedef struct { vec pair, behind; } digits; /* indices, of which a table takes six bits */
PCS_INLINE vec table64(const uint8_t *table, vec index)
{
    return _mm512_permutexvar_epi8(index, _mm512_load_si512(table));
}
PCS_INLINE digits digits_of(vec b)
{
    static _Alignas(64) const uint8_t r4[64] = SIX_BITS(R4);
    const vec pair = v_shr16(b, 2);
    return (digits){ pair, _mm512_ternarylogic_epi32(b, v_set8(3), table64(r4, pair), 0xea) };
}
#define DIGIT_TABLES { SIX_BITS(FIRST), SIX_BITS(SECOND), SIX_BITS(THIRD), SIX_BITS(FOURTH), SIX_BITS(LAST) }
PCS_INLINE vec digit_of(const digits *x, int n)
{
    static _Alignas(64) const uint8_t tables[5][64] = DIGIT_TABLES;
    return table64(tables[n], n < 2 ? x->pair : x->behind);
}
#else
typedef struct { vec pair, behind, h; } digits; /* indices: pair, or 8 + r where it is 8; r, and 8 more where h is 3 */
PCS_INLINE vec table16(const uint8_t *table, vec index) { return v_shuffle8(v_spread128(v16_load(table)), index); }
PCS_INLINE digits digits_of(vec b)
{
    static const uint8_t carried[16] = { [8] = 249, 250, 251, 252, 253, 254, 255, 255 }; /* r - 7 where pair is 8 */
    const vec high = v_and(v_shr16(b, 5), v_set8(7)), low = v_and(v_shr16(b, 2), v_set8(7)), h = v_and(b, v_set8(3));
    const vec pair = v_or(high, v_and(v_add8(low, v_set8(1)), v_set8(8)));
    return (digits){ pair, v_or(v_add8(low, table16(carried, pair)), v_and(v_add8(h, v_set8(5)), v_set8(8))), h };
}
PCS_INLINE vec digit_of(const digits *x, int n)
{
    static const uint8_t tables[5][16] = {
        { 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 }, { 0, 1, 2, 0, 1, 2, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2 },
        { 0, 0, 0, 1, 1, 1, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2 }, { 0, 1, 2, 0, 1, 2, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2 },
        { [8] = 253, 254, 255, 253, 254, 255, 255, 255 } /* to h */
    };
    const vec digit = table16(tables[n], n < 2 ? x->pair : x->behind);
    return n < 4 ? digit : v_add8(digit, x->h);
}
#endif
PCS_INLINE vec line_tq1_0(const planes *p, int g, int l, int h)
{
    /* the first 160 weights are digits of 32 bytes, the next 80 of 16, the rest of 4 */
    const bool last = g == 7 && l >= 4;
    const digits x = digits_of(v_load(last ? p->at[2] + h : p->at[1] + 64 * (g < 5 ? l : 8 + l % 4) + h));
    return digit_of(&x, g < 5 ? g : last ? l - 4 : (g - 5) * 2 + l / 4);
}

#include "kernel/simd/books.h"

#endif
