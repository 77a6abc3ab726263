/* iq.h - encoding in the IQ types, whose weights are 4 or 8 at a time an entry of a code book.
 *
 * Their layouts are ggml's; the search is ours: per group, scales whose free rounding is good are tried with the
 * book, the scale is solved by least squares, and the block's common scale is solved again under the codes found. */
#ifndef PCS_IQ_H
#define PCS_IQ_H

#include "format/format.h"
#include "format/grids.h"

struct pcs_iq_block;

typedef struct pcs_iq {
    int vec, bits;           /* weights of an entry: 8 of 2 bits, or 4 of 3 bits                   */
    int group;               /* weights that share a scale: d = d0 * mul * (0.5 + sc)              */
    uint32_t entries;
    const uint16_t *grid;
    int8_t value[8];         /* what the bits stand for                                            */
    bool even;               /* the number of minus signs of 8 weights is even                     */
    int shift_every;         /* 0: weights have signs; else all weights of so many are moved by +-1 */
    float mul;
    int sc_hi;
    uint32_t bytes;          /* of a block of 256                                                  */
    /* indices of entries, signs of each 8 (bit set: minus), shift of each 8 (-1 or 1), scales */
    void (*pack)(const struct pcs_iq_block *b, uint8_t *dst);
} pcs_iq;

typedef struct pcs_iq_block {
    uint16_t d, index[64];
    uint8_t sign[32], sc[16];
    int8_t shift[32];
} pcs_iq_block;

void pcs_iq_encode(const pcs_iq *t, const pcs_encode_args *a);

#define PCS_IQ_ENCODER(ident, table) \
    static void ident(const pcs_encode_args *a) { pcs_iq_encode(&table, a); }

#endif
