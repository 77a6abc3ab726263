/* turn.h - rows of numbers as columns. */
#ifndef PCS_TURN_H
#define PCS_TURN_H

#include "kernel/kernel.h"

/* m rows of numbers, of ld each, of which the first `rows` columns become rows of to_ld. */
typedef struct { const float *x; size_t ld, m, rows; float *to; size_t to_ld; } pcs_turned;

/* to[r][t] = x[t][r]; 16 rows of x at a time, by the kernel that makes panels of them, in pieces that stay in the
 * nearest cache. */
static inline void pcs_turn(const pcs_kernels *k, const pcs_turned *o)
{
    enum { PIECE = 128 };
    _Alignas(64) float panel[PIECE * 16];
    for (size_t t = 0; t < o->m; t += 16)
        for (size_t r0 = 0; r0 < o->rows; r0 += PIECE) {
            const size_t count = o->m - t < 16 ? o->m - t : 16;
            const size_t n = o->rows - r0 < PIECE ? o->rows - r0 : PIECE;
            k->panel(&(pcs_panel_args){ o->x + t * o->ld + r0, o->ld, count, n, panel });
            for (size_t r = 0; r < n; r++)
                memcpy(o->to + (r0 + r) * o->to_ld + t, panel + 16 * r, count * sizeof *panel);
        }
}

#endif
