/* five.h - five ternary digits in a byte, as panels have them: a kernel finds each digit by one table of 64 or a few of
 * 16 bytes (digit_of in kernel/simd/digits.h).
 *
 *   bits 5 to 7: pair, the first two digits (0 to 8), bits 2 to 4: r (0 to 6), and where pair is 8, which three bits
 *   have no room for, r and 7;
 *   r, and bits 0 and 1, h: the next two digits (0 to 8), r, and the last one, h, and where those are 7 or 8, r is
 *   3 (those - 7) + the last digit, and h 3.
 * 9 x 7 of 64 and 27 of 28 codes are in use. */
#ifndef PCS_FIVE_H
#define PCS_FIVE_H

#include <stdint.h>

/* Of digits a b c d e as the number abcde in base 3; and that number of a code. */
#define PCS_FIVE_CODE(v) PCS_FIVE_PUT((v) / 27, (v) % 27 / 3, (v) % 3)
#define PCS_FIVE_VALUE(c) (PCS_FIVE_PAIR(c) * 27 + PCS_FIVE_BEHIND(c))

#define PCS_FIVE_PAIR_R(pair, r) ((pair) < 8 ? (pair) * 8 + (r) : 7 + 8 * (r))
#define PCS_FIVE_PUT(pair, two, last) \
    (uint8_t)(PCS_FIVE_PAIR_R(pair, (two) < 7 ? (two) : ((two) - 7) * 3 + (last)) * 4 + ((two) < 7 ? (last) : 3))
#define PCS_FIVE_PAIR(c) (((c) >> 2 & 7) == 7 ? 8 : (c) >> 5)
#define PCS_FIVE_R(c) (((c) >> 2 & 7) < 7 ? (c) >> 2 & 7 : (c) >> 5 < 7 ? (c) >> 5 : 6)
#define PCS_FIVE_BEHIND(c) \
    (((c) & 3) < 3 ? PCS_FIVE_R(c) * 3 + ((c) & 3) : PCS_FIVE_R(c) < 6 ? 21 + PCS_FIVE_R(c) : 26)

#define PCS_FOUR(m, b) m(b), m((b) + 1), m((b) + 2), m((b) + 3)
#define PCS_SIXTEEN(m, b) PCS_FOUR(m, b), PCS_FOUR(m, (b) + 4), PCS_FOUR(m, (b) + 8), PCS_FOUR(m, (b) + 12)
#define PCS_SIXTY_FOUR(m, b) \
    PCS_SIXTEEN(m, b), PCS_SIXTEEN(m, (b) + 16), PCS_SIXTEEN(m, (b) + 32), PCS_SIXTEEN(m, (b) + 48)
#define PCS_ALL_BYTES(m) { PCS_SIXTY_FOUR(m, 0), PCS_SIXTY_FOUR(m, 64), PCS_SIXTY_FOUR(m, 128), PCS_SIXTY_FOUR(m, 192) }

/* 256 weights of 32 entries of a book, 2 bits each below 3, in PCS_FIVE_BYTES: byte 4 u + k has the digits of weights
 * 20 u + k, and of those 4, 8, 12 and 16 after it, so that each digit of a line of a panel is the next line of four
 * weights. Digits after the last weight are 0. */
enum { PCS_FIVE_BYTES = 52 };
void pcs_five_put(const uint16_t entry[32], uint8_t *bytes);
void pcs_five_get(const uint8_t *bytes, uint16_t entry[32]);

#endif
