/* bf16.h - the arithmetic "bf16": weights and activations as bfloat16, products summed in f32 for tiles of AMX.
 *
 * A number is rounded to nearest, ties to even, and then is 0 where it is below 2^-56 in size. So each product is a
 * multiple of 2^-126, and so is each sum: none is subnormal, and it makes no difference that tiles take those for zero.
 * A row of weights and a row of activations are cut into steps of 32 numbers (the last is filled up with zeros), and
 * for each step
 *     even = fma(a[30], w[30], ... fma(a[2], w[2], fma(a[0], w[0], 0))),
 *     odd = the same of a[1], w[1] to a[31], w[31],
 *     sum = sum + (even + odd),
 * which is what TDPBF16PS does (SDM volume 2). Bits depend neither on how many tokens a call has nor on how weights
 * lie. */
#ifndef PCS_BF16_H
#define PCS_BF16_H

#include "base/f16.h"
#include "kernel/panels.h"

enum { PCS_BF16_STEP = 32, PCS_BF16_TILE = 16 }; /* numbers of a row in a tile, and rows of it */

#define PCS_BF16_LEAST 0x2380 /* 2^-56 */
static inline uint16_t pcs_bf16_number(float x)
{
    const uint16_t h = pcs_f32_to_bf16(x);
    return (h & 0x7fff) < PCS_BF16_LEAST ? 0 : h;
}

static inline size_t pcs_bf16_steps(size_t k) { return (k + PCS_BF16_STEP - 1) / PCS_BF16_STEP; }
/* Activations are tiles, [rows / 16][steps][16][32], those after the last row and the last number zero. */
static inline uint64_t pcs_act_bf16_bytes(uint64_t m, size_t k)
{
    return (m + PCS_BF16_TILE - 1) / PCS_BF16_TILE * pcs_bf16_steps(k) *
           (PCS_BF16_TILE * PCS_BF16_STEP * sizeof(uint16_t));
}
/* Row r alone, for mp_bf16 of one token. */
static inline const uint16_t *pcs_act_bf16_row(const uint16_t *act, size_t k, size_t r)
{
    return act + (r / PCS_BF16_TILE * pcs_bf16_steps(k) * PCS_BF16_TILE + r % PCS_BF16_TILE) * PCS_BF16_STEP;
}

/* act_bf16: x [m][k] to tiles, rows [m0, m1); who has the last row makes the rest of its tile zero. turned: x lies as
 * [k][turned], number i of row r at i * turned + r; 0: it does not. */
typedef struct { const float *x; size_t k, m, m0, m1; uint16_t *act; size_t turned; } pcs_act_bf16_args;

/* mp_bf16: y[m][n] = sum + bias[n] for rows n in [n0, n1) of weights in any format. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;   /* row 0, or the first panel */
    size_t row_bytes, k, n0, n1, m; /* n0: a multiple of 16 */
    const uint16_t *act;
    float *y;
    size_t ldy;
    const float *bias;  /* [n] or NULL */
    void *scratch;      /* pcs_mp_bf16_scratch(k) bytes, aligned to 64 */
    bool packed;        /* w is panels */
    size_t turned;      /* w is f32 [k][turned], as act_bf16's x may be; 0: it is not */
    size_t after;       /* tokens of act behind these m, which may come next */
} pcs_mp_bf16_args;

/* mp_bf16_again: other tokens, more than 32, by the same rows as in the call before, pcs_bf16_panels(k) panels at most
 * and more than 32 tokens, too, which are still decoded in `scratch`. Where it is there, a call of few tokens costs
 * little more than its part of all. */

/* Panels that are decoded at a time. */
static inline size_t pcs_bf16_panels(size_t k) { return pcs_decoded_panels(pcs_bf16_steps(k) * 1024, 8); }
size_t pcs_mp_bf16_scratch(size_t k);

#endif
