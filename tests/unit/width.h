/* width.h - rows that a number format can hold. */
#ifndef WIDTH_H
#define WIDTH_H

#include "format/format.h"

/* Weights of a row, at least n: whole blocks, fewer than n + PCS_BLOCK_MAX. Not every block divides 256. */
static inline size_t test_width(const pcs_format *f, size_t n)
{
    return f->padded ? n : (n + f->block - 1) / f->block * f->block;
}

#endif
