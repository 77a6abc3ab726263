/* books_512.h - lines of books of vectors (simd/books.h) by tables in registers: with VBMI a byte of 128 is looked up
 * in two instructions of the shuffle port for 64 indices at a time, where a gather takes 12 cycles for 16.
 *
 * An index gives the two bytes of its entry, `low` and `high`. What is looked up for 16 rows and four vectors lies
 * as the indices do, so that a line has the same weight of four vectors of each row (mv.h, order), and only bits
 * move: two of a magnitude (or three) and the sign go into the six bits of one more table, which gives codes + 128. */
#ifndef PCS_BOOKS_512_H
#define PCS_BOOKS_512_H

#include "kernel/simd/books.h"

/* Tables of a format: low bytes of 256 or 512 entries, and behind 512 of them the high ones. */
enum { BOOK_HIGH = 512, BOOK_BYTES = 1024 };

PCS_INLINE void book_of_entries(const uint16_t *grid, size_t n, int high, uint8_t *tables)
{
    for (size_t i = 0; i < n; i++) {
        tables[i] = (uint8_t)grid[i];
        tables[BOOK_HIGH + i] = (uint8_t)(grid[i] >> high);
    }
}
static void book_iq2_xxs(uint8_t *tables) { book_of_entries(pcs_grid_iq2_xxs, 256, 8, tables); }
static void book_iq3_xxs(uint8_t *tables) { book_of_entries(pcs_grid_iq3_xxs, 256, 6, tables); }
static void book_iq3_s(uint8_t *tables) { book_of_entries(pcs_grid_iq3_s, 512, 6, tables); }

/* By seven bits of each index, or eight (the mask has their last), or nine. */
PCS_INLINE vec find128(const uint8_t *t, vec index)
{
    return _mm512_permutex2var_epi8(_mm512_load_si512(t), index, _mm512_load_si512(t + 64));
}
PCS_INLINE vec find256(const uint8_t *t, vec index, __mmask64 eighth)
{
    return _mm512_mask_blend_epi8(eighth, find128(t, index), find128(t + 128, index));
}
PCS_INLINE vec find512(const uint8_t *t, vec index, __mmask64 eighth, __mmask64 ninth)
{
    return _mm512_mask_blend_epi8(ninth, find256(t, index, eighth), find256(t + 256, index, eighth));
}

/* Seven signs as eight, whatever the eighth bit was. */
#define PARITY(i) ((i) ^ (i) >> 1 ^ (i) >> 2 ^ (i) >> 3 ^ (i) >> 4 ^ (i) >> 5 ^ (i) >> 6)
#define EVEN_SIGNS(i) (uint8_t)((i) | (PARITY(i) & 1) << 7)
PCS_INLINE vec eight_signs(vec seven)
{
    static _Alignas(64) const uint8_t table[128] = { PCS_SIXTY_FOUR(EVEN_SIGNS, 0), PCS_SIXTY_FOUR(EVEN_SIGNS, 64) };
    return find128(table, seven);
}
/* Four times seven bits of each row's 28, with any eighth. */
PCS_INLINE vec seven_bits(vec word)
{
    return _mm512_multishift_epi64_epi8(_mm512_set1_epi64(0x352e2720150e0700), word);
}

/* `a` under the mask, else b. */
PCS_INLINE vec chosen(int mask, vec a, vec b) { return _mm512_ternarylogic_epi32(v_set8(mask), a, b, 0xca); }
PCS_INLINE vec table_of(const uint8_t *table, vec index) { return table64(table, index); }

/* Codes + 128 by an index's six bits: a magnitude from bit `at` on, and its sign at bit `sign`. */
#define OF_TWO(at, sign, i) (uint8_t)((i) >> (sign)&1 ? 128 - MAGNITUDE((i) >> (at)&3) : 128 + MAGNITUDE((i) >> (at)&3))
#define MAGNITUDE(x) ((x) == 0 ? 8 : (x) == 1 ? 25 : (x) == 2 ? 43 : 0)
#define TWO_FIRST(i) OF_TWO(0, 4, i)
#define TWO_SECOND(i) OF_TWO(2, 5, i)

/* Lines of four fields of 2 bits: signs_01 has those of the first two at bits 4 and 5, signs_23 those of the others. */
PCS_INLINE void four_lines(vec fields, vec signs_01, vec signs_23, vec *line)
{
    static _Alignas(64) const uint8_t first[64] = { PCS_SIXTY_FOUR(TWO_FIRST, 0) },
                                      second[64] = { PCS_SIXTY_FOUR(TWO_SECOND, 0) };
    const vec a = chosen(15, fields, signs_01), b = chosen(15, v_shr16(fields, 4), signs_23);
    line[0] = table_of(first, a);
    line[1] = table_of(second, a);
    line[2] = table_of(first, b);
    line[3] = table_of(second, b);
}

/* Line l: weight l of each of four vectors of eight. */
PCS_INLINE void lines_iq2_xxs(const planes *p, int g, int h, vec *line)
{
    const vec index = v_load(p->at[1] + 128 * g + h),
              signs = eight_signs(seven_bits(v_load(p->at[1] + 128 * g + 64 + h)));
    const __mmask64 eighth = _mm512_movepi8_mask(index);
    four_lines(find256(p->book, index, eighth), v_shl16(signs, 4), v_shl16(signs, 2), line);
    four_lines(find256(p->book + BOOK_HIGH, index, eighth), signs, v_shr16(signs, 2), line + 4);
}

/* Fields of three bits, two in each byte: one with its sign above them, one below. */
#define OF_THREE(value, at, sign, i) \
    (uint8_t)((i) >> (sign)&1 ? 128 - value((i) >> (at)&7) : 128 + value((i) >> (at)&7))
#define XXS(x) ((x) == 7 ? 62 : 4 + 8 * (x))
#define ODD(x) (1 + 2 * (x))
#define SIX_TABLES(m) { PCS_SIXTY_FOUR(m##_03, 0) }, { PCS_SIXTY_FOUR(m##_31, 0) }, { PCS_SIXTY_FOUR(m##_05, 0) }, \
                      { PCS_SIXTY_FOUR(m##_30, 0) }, { PCS_SIXTY_FOUR(m##_04, 0) }, { PCS_SIXTY_FOUR(m##_32, 0) }
#define XXS_03(i) OF_THREE(XXS, 0, 3, i)
#define XXS_04(i) OF_THREE(XXS, 0, 4, i)
#define XXS_05(i) OF_THREE(XXS, 0, 5, i)
#define XXS_30(i) OF_THREE(XXS, 3, 0, i)
#define XXS_31(i) OF_THREE(XXS, 3, 1, i)
#define XXS_32(i) OF_THREE(XXS, 3, 2, i)
#define S_OF(at, sign, i) (uint8_t)(15 - 128 + OF_THREE(ODD, at, sign, i))
#define S_03(i) S_OF(0, 3, i)
#define S_04(i) S_OF(0, 4, i)
#define S_05(i) S_OF(0, 5, i)
#define S_30(i) S_OF(3, 0, i)
#define S_31(i) S_OF(3, 1, i)
#define S_32(i) S_OF(3, 2, i)

/* Entries of vectors of four: low and high bytes of even ones', a and b, and of odd ones', c and d. */
typedef struct { vec a, b, c, d; } entries;

/* Line l: weight l of each two vectors. */
PCS_INLINE void eight_lines(const uint8_t tables[6][64], entries of, vec signs, vec *line)
{
    const vec a = of.a, b = of.b, c = of.c, d = of.d;
    const vec up = v_shl16(signs, 3), down = v_shr16(signs, 3), far = v_shr16(signs, 6);
    line[0] = table_of(tables[0], chosen(7, a, up));      /* signs' bit 0 at 3 */
    line[1] = table_of(tables[1], chosen(7 << 3, a, signs));
    line[2] = table_of(tables[2], chosen(7, b, up));      /* 2 at 5 */
    line[3] = table_of(tables[3], chosen(7 << 3, b, down)); /* 3 at 0 */
    line[4] = table_of(tables[4], chosen(7, c, signs));
    line[5] = table_of(tables[5], chosen(7 << 3, c, down)); /* 5 at 2 */
    line[6] = table_of(tables[0], chosen(7, d, down));    /* 6 at 3 */
    line[7] = table_of(tables[1], chosen(7 << 3, d, far)); /* 7 at 1 */
}
PCS_INLINE void lines_iq3_xxs(const planes *p, int g, int h, vec *line)
{
    static _Alignas(64) const uint8_t tables[6][64] = { SIX_TABLES(XXS) };
    const uint8_t *at = p->at[1] + 192 * g + h, *high = p->book + BOOK_HIGH;
    const vec even = v_load(at), odd = v_load(at + 64), signs = eight_signs(seven_bits(v_load(at + 128)));
    const __mmask64 e = _mm512_movepi8_mask(even), o = _mm512_movepi8_mask(odd);
    const entries of = { find256(p->book, even, e), find256(high, even, e), find256(p->book, odd, o),
                         find256(high, odd, o) };
    eight_lines(tables, of, signs, line);
}
PCS_INLINE void lines_iq3_s(const planes *p, int g, int h, vec *line)
{
    static _Alignas(64) const uint8_t tables[6][64] = { SIX_TABLES(S) };
    const uint8_t *at = p->at[3] + 192 * g + h, *high = p->book + BOOK_HIGH;
    const vec even = v_load(at), odd = v_load(at + 64), signs = v_load(at + 128),
              bits = v_load(p->at[2] + 64 * (g / 4) + h);
    const __mmask64 e = _mm512_movepi8_mask(even), o = _mm512_movepi8_mask(odd);
    const __mmask64 e9 = _mm512_test_epi8_mask(bits, v_set8(1 << g % 4 * 2)),
                    o9 = _mm512_test_epi8_mask(bits, v_set8(2 << g % 4 * 2));
    const entries of = { find512(p->book, even, e, e9), find512(high, even, e, e9), find512(p->book, odd, o, o9),
                         find512(high, odd, o, o9) };
    eight_lines(tables, of, signs, line);
}

#endif
