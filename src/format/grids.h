/* grids.h - code books of the IQ types and how their entries become codes. */
#ifndef PCS_GRIDS_H
#define PCS_GRIDS_H

#include "base/builtins.h"

#include <stddef.h>
#include <stdint.h>

/* Ascending. One entry more than there are, since kernels read four bytes of each. */
extern const uint16_t pcs_grid_iq2_xxs[256 + 1], pcs_grid_iq2_xs[512 + 1], pcs_grid_iq2_s[1024 + 1];
extern const uint16_t pcs_grid_iq3_xxs[256 + 1], pcs_grid_iq3_s[512 + 1], pcs_grid_iq1[2048 + 1];
/* The entry of n that is `word`; of words that no entry has, one near it. */
size_t pcs_grid_find(const uint16_t *grid, size_t n, uint16_t word);

/* Seven sign bits; the eighth makes the number of minus signs even. */
static inline uint8_t pcs_sign7(uint32_t s) { return (uint8_t)(s | (uint32_t)(pcs_count_bits(s) & 1) << 7); }

static inline void pcs_grid8_put(uint16_t word, uint8_t sign, int8_t *q)
{
    static const int8_t value[4] = { 8, 25, 43, 0 };
    for (int i = 0; i < 8; i++) {
        const int v = value[word >> (2 * i) & 3];
        q[i] = (int8_t)(sign >> i & 1 ? -v : v);
    }
}

/* value: what the 3-bit entries of an IQ3 word stand for. */
static inline void pcs_grid4_put(const int8_t value[8], uint16_t word, uint8_t sign, int8_t *q)
{
    for (int i = 0; i < 4; i++) {
        const int v = value[word >> (3 * i) & 7];
        q[i] = (int8_t)(sign >> i & 1 ? -v : v);
    }
}

static inline void pcs_grid1_put(uint16_t word, int shift, int8_t *q)
{
    for (int i = 0; i < 8; i++) q[i] = (int8_t)(8 * ((word >> (2 * i) & 3) - 1) + shift);
}

#endif
