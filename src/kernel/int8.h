/* int8.h - the arithmetic "int8": a row of activations and a row of weights are whole numbers of 8 bits with one scale
 * each, and the sum of their products is exact (LLM.int8(), 2208.07339, section 2; SmoothQuant, 2211.10438).
 *
 * A row of k activations has d = max|x| / 127 and codes q, x / d rounded to nearest, ties to even, and then clipped to
 * -127 .. 127. Where d is 0 or not finite all codes are 0; of a NaN d is NaN. A row of weights has codes c, |c| <= 128,
 * and a scale s (pcs_format's codes_row), and
 *     y = (float)(sum of q c) * (d * s) + bias,
 * nothing fused, the sum in 32 bits: so rows have PCS_INT8_MOST numbers at most. Bits depend neither on how many tokens
 * a call has, nor on how weights lie, nor on any order. */
#ifndef PCS_INT8_H
#define PCS_INT8_H

#include "kernel/panels.h"

/* Numbers of a row in a tile, and rows of it; numbers of a row: 128 * 127 * 2^17 < 2^31. */
enum { PCS_INT8_STEP = 64, PCS_INT8_ROWS = 16, PCS_INT8_TILE = PCS_INT8_STEP * PCS_INT8_ROWS, PCS_INT8_MOST = 1 << 17 };

static inline size_t pcs_int8_steps(size_t k) { return (k + PCS_INT8_STEP - 1) / PCS_INT8_STEP; }

/* Activations: codes as tiles, [rows / 16][steps][16][64], those after the last row and the last number zero; of each
 * row, in whole tiles, too, the scale and the sum of its codes. */
typedef struct pcs_act_int8 { int8_t *q; float *d; int32_t *sum; } pcs_act_int8;

static inline uint64_t pcs_int8_rows(uint64_t m) { return (m + PCS_INT8_ROWS - 1) / PCS_INT8_ROWS * PCS_INT8_ROWS; }
static inline uint64_t pcs_act_int8_bytes(uint64_t m, size_t k)
{
    return pcs_int8_rows(m) * (pcs_int8_steps(k) * PCS_INT8_STEP + sizeof(float) + sizeof(int32_t));
}
/* In a block of so many, aligned to 64. */
static inline pcs_act_int8 pcs_act_int8_in(void *data, size_t m, size_t k)
{
    const size_t rows = (size_t)pcs_int8_rows(m);
    int8_t *const q = data;
    float *const d = (float *)(void *)(q + rows * pcs_int8_steps(k) * PCS_INT8_STEP);
    return (pcs_act_int8){ q, d, (int32_t *)(void *)(d + rows) };
}
/* From row r on: codes of its first step, those of the next one a tile behind. */
static inline pcs_act_int8 pcs_act_int8_row(const pcs_act_int8 *a, size_t k, size_t r)
{
    const size_t tile = r / PCS_INT8_ROWS * pcs_int8_steps(k);
    return (pcs_act_int8){ a->q + tile * PCS_INT8_TILE + r % PCS_INT8_ROWS * PCS_INT8_STEP, a->d + r, a->sum + r };
}

/* act_int8: x [m][k] to codes, rows [m0, m1); who has the last row makes the rest of its tile zero. */
typedef struct { const float *x; size_t k, m, m0, m1; pcs_act_int8 act; } pcs_act_int8_args;

/* mp_int8: y[m][n] for rows n in [n0, n1) of weights all of which are codes with one scale. */
typedef struct {
    const pcs_format *f;
    const uint8_t *w;   /* row 0, or the first panel */
    size_t row_bytes, k, n0, n1, m; /* n0: a multiple of 16 */
    pcs_act_int8 act;   /* from the first token on: a tile's first row, where there are more than one */
    float *y;
    size_t ldy;
    const float *bias;  /* [n] or NULL */
    void *scratch;      /* pcs_mp_int8_scratch(k) bytes, aligned to 64 */
    bool packed;        /* w is panels */
    size_t after;       /* tokens of act behind these m, which may come next */
} pcs_mp_int8_args;

/* mp_int8_again: as mp_bf16_again (kernel/bf16.h), with pcs_int8_panels(k). */

/* Panels that are decoded at a time. */
static inline size_t pcs_int8_panels(size_t k) { return pcs_decoded_panels(pcs_int8_steps(k) * PCS_INT8_TILE, 16); }
/* Bytes for a panel of any format, or 16 rows as codes and one as it is stored. */
size_t pcs_int8_rows_room(size_t k);
size_t pcs_mp_int8_scratch(size_t k);

#endif
