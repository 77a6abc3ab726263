/* number.h - the floating-point numbers that a format's bytes hold.
 *
 * A weight can be NaN or infinite by these alone: codes are whole numbers. So whether a tensor is finite is seen from
 * its scales, a ninth of the bytes of Q4_0, without decoding a weight. Other formats' codes are such numbers
 * themselves. */
#ifndef PCS_NUMBER_H
#define PCS_NUMBER_H

#include "format/format.h"

/* `count` numbers of `bytes` bytes from `at` on, of each block or of a row's head. While the bits under `mask` (all
 * but the sign) are below `from`, every weight that they make is finite; from there on it must be decoded to know. */
typedef struct pcs_number { uint8_t at, bytes, count; bool head; uint64_t mask, from; } pcs_number;

#define PCS_NUMBERS(...) (const pcs_number[]){ __VA_ARGS__, { 0 } }
#define PCS_NO_NUMBERS (const pcs_number[]){ { 0 } }
#define PCS_F16_AT(at) { at, 2, 1, false, 0x7fff, 0x7c00 }
#define PCS_BF16_AT(at) { at, 2, 1, false, 0x7fff, 0x7f80 }
#define PCS_F32_AT(at) { at, 4, 1, false, 0x7fffffff, 0x7f800000 }
/* What becomes F32: the first that is rounded to infinity. */
#define PCS_F64_AT(at) { at, 8, 1, false, 0x7fffffffffffffff, 0x47effffff0000000 }
/* Scales of 2^96 and more may overflow F32 with the code (or the zero point of 32 bits) that they meet. */
#define PCS_F32_SCALE(at, head) { at, 4, 1, head, 0x7fffffff, 0x6f800000 }
#define PCS_E8M0_AT(at) { at, 1, 1, false, 0xff, 127 + 96 }
#define PCS_E4M3_AT(at, count) { at, 1, count, false, 0x7f, 0x7f }
#define PCS_E5M2_AT(at, count) { at, 1, count, false, 0x7f, 0x7c }

/* Can a weight of `blocks` blocks, or of the row that begins at src, be NaN or infinite? false: none is. */
bool pcs_blocks_doubtful(const pcs_format *f, size_t blocks, const uint8_t *src);
bool pcs_head_doubtful(const pcs_format *f, const uint8_t *row);
/* The bits of one number (its first byte) say the same. */
bool pcs_number_doubtful(const pcs_number *k, const uint8_t *src);
/* The same of n that lie one after the other, as 16 rows' do in a panel. */
bool pcs_numbers_doubtful(const pcs_number *k, size_t n, const uint8_t *src);
/* Are all of x[n] numbers, and none infinite? */
bool pcs_all_finite(const float *x, size_t n);

#endif
