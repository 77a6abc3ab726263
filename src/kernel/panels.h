/* panels.h - r16k4 (kernels.md, 3.1): 16 rows of weights in the order in which kernels read them, the same bytes for every instruction set.
 *
 * A panel is a row of pieces, pcs_panel_piece() weights each and the last what is left. A piece has a plane for each field of the format's blocks, [block][unit][16 rows][unit's
 * bytes]: codes of four weights are a unit of four bytes, so that a line of 64 bytes holds 16 rows, one register multiplies them by four activations that are broadcast, and
 * nothing is summed across lanes. Planes are aligned to 64 bytes. Pieces are as short as that allows without padding, so that scales are beside their codes and reading is one
 * stream for the machine's prefetcher. Nothing is lost: a panel is its rows' bytes in another order, but for rows that are not there, which are zero. */
#ifndef PCS_PANELS_H
#define PCS_PANELS_H

#include "base/base.h"
#include "format/format.h"

#define PCS_PANEL 16 /* rows */
/* Counts changes of the bytes, for files. 1: planes of whole rows; 2: pieces. */
#define PCS_PANEL_LAYOUT 2

/* Can rows of k weights be stored so? */
static inline bool pcs_panels_fit(const pcs_format *f, size_t k) { return f->fields && k && k % f->block == 0; }

/* Weights of a row in a piece: d of 256 weights is two bytes, 32 of 16 rows. */
static inline size_t pcs_panel_piece(const pcs_format *f) { return f->block == 256 ? 512 : 256; }
/* Bytes from the start of a piece of n weights to plane i; with i behind the last: of the piece. */
static inline size_t pcs_plane_at(const pcs_format *f, size_t n, size_t i)
{
    size_t at = 0;
    for (size_t p = 0; p < i && f->fields[p].bytes; p++) at += (n / f->block * f->fields[p].bytes * PCS_PANEL + 63) / 64 * 64;
    return at;
}
static inline size_t pcs_panel_bytes(const pcs_format *f, size_t k)
{
    const size_t piece = pcs_panel_piece(f);
    return k / piece * pcs_plane_at(f, piece, PCS_FIELDS) + pcs_plane_at(f, k % piece, PCS_FIELDS);
}
/* Bytes of all panels of `rows` rows. */
static inline uint64_t pcs_panels_bytes(const pcs_format *f, size_t k, uint64_t rows) { return (rows + PCS_PANEL - 1) / PCS_PANEL * pcs_panel_bytes(f, k); }

/* Row r of panels, as it is stored in rows. */
void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row);

#endif
