/* panels.h - r16k4 (kernels.md, 3.1): 16 rows of weights in the order in which kernels read them, the same bytes for every instruction set.
 *
 * A panel has a plane for each field of the format's blocks, [block][unit][16 rows][unit's bytes]: codes of four weights are a unit of four bytes, so that a line of
 * 64 bytes holds 16 rows, one register multiplies them by four activations that are broadcast, and nothing is summed across lanes. Planes are
 * aligned to 64 bytes. Nothing is lost: a panel is its rows' bytes in another order, but for rows that are not there, which are zero. */
#ifndef PCS_PANELS_H
#define PCS_PANELS_H

#include "base/base.h"
#include "format/format.h"

#define PCS_PANEL 16 /* rows */

/* Can rows of k weights be stored so? */
static inline bool pcs_panels_fit(const pcs_format *f, size_t k) { return f->fields && k && k % f->block == 0; }

/* Bytes from the start of a panel to plane i; with i behind the last: of the panel. */
static inline size_t pcs_plane_at(const pcs_format *f, size_t k, size_t i)
{
    size_t at = 0;
    for (size_t p = 0; p < i && f->fields[p].bytes; p++) at += (k / f->block * f->fields[p].bytes * PCS_PANEL + 63) / 64 * 64;
    return at;
}
static inline size_t pcs_panel_bytes(const pcs_format *f, size_t k) { return pcs_plane_at(f, k, PCS_FIELDS); }
/* Bytes of all panels of `rows` rows. */
static inline uint64_t pcs_panels_bytes(const pcs_format *f, size_t k, uint64_t rows) { return (rows + PCS_PANEL - 1) / PCS_PANEL * pcs_panel_bytes(f, k); }

/* Row r of panels, as it is stored in rows. */
void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row);

#endif
