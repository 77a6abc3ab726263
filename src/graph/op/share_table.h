/* share_table.h - a product's result shared out to threads by its rows and its columns. */
#ifndef PCS_SHARE_TABLE_H
#define PCS_SHARE_TABLE_H

#include "base/pool.h"

/* The part of a table of rows by columns, in whole units of each, whose rows and columns are the fewest together: what
 * a thread reads of both operands of a product. */
typedef struct pcs_rectangle { uint64_t r0, r1, c0, c1; } pcs_rectangle;
static inline pcs_rectangle pcs_share_table(uint64_t rows, uint64_t columns, uint64_t unit, uint32_t ith, uint32_t nth)
{
    uint32_t down = 1; /* parts that lie one below the other */
    for (uint32_t d = 2; d <= nth; d++)
        if (nth % d == 0 && rows / d + columns / (nth / d) < rows / down + columns / (nth / down)) down = d;
    pcs_rectangle p;
    pcs_share(rows, unit, ith % down, down, &p.r0, &p.r1);
    pcs_share(columns, unit, ith / down, nth / down, &p.c0, &p.c1);
    return p;
}

#endif
