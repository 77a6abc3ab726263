/* panels.c - a row out of its panel. */
#include "kernel/panels.h"

void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row)
{
    const uint8_t *panel = panels + r / PCS_PANEL * pcs_panel_bytes(f, k);
    for (size_t i = 0; f->fields[i].bytes; i++) {
        const size_t unit = f->fields[i].unit;
        const uint8_t *src = panel + pcs_plane_at(f, k, i) + r % PCS_PANEL * unit;
        for (size_t b = 0; b < k / f->block; b++)
            for (size_t u = 0; u < f->fields[i].bytes; u += unit, src += PCS_PANEL * unit) memcpy(row + b * f->bytes + f->fields[i].at + u, src, unit);
    }
}
