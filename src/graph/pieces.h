/* pieces.h - float panels of weights, some columns at a time, so that what a thread needs does not grow with the
 * width of rows. Sums go on where the piece before ended: the fma of each output stay in ascending k, and its bits
 * are those of whole rows. */
#ifndef PCS_PIECES_H
#define PCS_PIECES_H

#include "base/builtins.h"
#include "format/element.h"
#include "graph/graph.h"

/* Columns of a piece; f32 lie as numbers already. */
static inline size_t pcs_piece(const pcs_arg *w) { return w->dtype == PCS_STORED ? pcs_format_piece(w->format) : 64; }

/* Floats of scratch for pieces of `panels` panels: 16 rows as numbers, then the panels. A stored row, where weights
 * lie in panels, is unpacked where the panels will be: blocks have at most 8 bytes a weight, and 16 rows 64. */
static inline size_t pcs_piece_floats(const pcs_arg *w, size_t panels)
{
    return (1 + panels) * PCS_PANEL * pcs_piece(w);
}

/* What a row has after a piece, up to as much again, is on its way while the piece is multiplied: the machine's own
 * prefetcher does not see beyond it, since the next row's piece comes first. */
static inline void pcs_piece_ahead(const pcs_format *f, const uint8_t *part, size_t n, size_t left)
{
    const uint8_t *next = part + n / f->block * f->bytes;
    const size_t bytes = (left < n ? left : n) / f->block * f->bytes;
    for (size_t i = 0; i < bytes; i += 64) pcs_ahead_in_l2(next + i);
}

/* Columns [at, at + n) of the weights' rows r0 to r0 + count - 1. */
typedef struct pcs_piece_at {
    uint64_t r0;
    size_t count, at, n;
} pcs_piece_at;
/* The same of codes of 8-bit floats, which need no rows of numbers: block by block, as their scales change. */
static inline void pcs_piece_bytes(const pcs_call *c, const pcs_piece_at *p, float *b)
{
    const pcs_format *f = c->in[1].format;
    const size_t k = (size_t)c->in[1].shape[c->in[1].dims - 1], step = (size_t)pcs_row_bytes(f, k);
    const uint8_t *first = (const uint8_t *)c->in[1].data + p->r0 * step;
    float scale[16] = { 0 };
    for (size_t i = 0, n; i < p->n; i += n) {
        const size_t left = f->block > 1 ? f->block - (p->at + i) % f->block : p->n;
        n = left < p->n - i ? left : p->n - i;
        const uint8_t *codes = first;
        for (size_t r = p->count; r-- > 0;) {
            codes = pcs_element_codes(f, first + r * step, p->at + i, &scale[r]);
            if (!i) pcs_piece_ahead(f, codes, p->n, k - p->at - p->n);
        }
        c->kernels->panel_bytes(&(pcs_panel_bytes_args){ f->element, codes, step, p->count, n, scale, b + 16 * i });
    }
}

/* They as a panel b[n][16]; rows: as pcs_piece_floats. */
static inline void pcs_piece_panel(const pcs_call *c, const pcs_piece_at *p, float *rows, float *b)
{
    const uint64_t r0 = p->r0;
    const size_t count = p->count, at = p->at, n = p->n;
    const pcs_arg *w = &c->in[1];
    const size_t k = (size_t)w->shape[w->dims - 1], ld = w->dtype == PCS_F32 ? k : pcs_piece(w);
    const float *src = rows;
    if (w->dtype == PCS_STORED && w->data && w->format->element && w->format->element->bits == 8) {
        pcs_piece_bytes(c, p, b);
        return;
    }
    if (w->dtype == PCS_F32) src = (const float *)w->data + r0 * k + at;
    for (size_t r = 0; r < count && src == rows; r++) {
        const pcs_format *f = w->format;
        const uint8_t *row = NULL, *part = (uint8_t *)b;
        if (w->data) {
            row = (const uint8_t *)w->data + (r0 + r) * pcs_row_bytes(f, k);
            part = row + f->head + at / f->block * f->bytes;
            pcs_piece_ahead(f, part, n, k - at - n);
        } else {
            const pcs_paneled panels = { f, k, w->panels };
            pcs_panels_blocks(&panels, r0 + r, at / f->block, (at + n) / f->block, (uint8_t *)b);
        }
        if (f->head) pcs_decode_part(f, n, row, part, rows + r * ld);
        else pcs_decode_by(c->kernels, f, n, part, rows + r * ld);
    }
    c->kernels->panel(&(pcs_panel_args){ src, ld, count, n, b });
}

/* How many threads a weight's n rows are shared out to, 16 at a time: others have nothing to do, and need no
 * scratch. */
static inline uint32_t pcs_piece_threads(size_t n)
{
    const size_t units = (n + PCS_PANEL - 1) / PCS_PANEL;
    return units < UINT32_MAX ? (uint32_t)units : UINT32_MAX;
}

/* The rows that thread ith has; false: none. */
static inline bool pcs_piece_share(size_t n, uint32_t ith, uint32_t nth, uint64_t *begin, uint64_t *end)
{
    const uint32_t most = pcs_piece_threads(n);
    if (nth > most) nth = most;
    if (ith >= nth) return false;
    pcs_share(n, PCS_PANEL, ith, nth, begin, end);
    return *begin < *end;
}

#endif
