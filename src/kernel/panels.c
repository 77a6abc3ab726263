/* panels.c - a row out of its panel. */
#include "kernel/panels.h"

void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row)
{
    const uint8_t *piece = panels + r / PCS_PANEL * pcs_panel_bytes(f, k);
    for (size_t first = 0; first < k; first += pcs_panel_piece(f)) {
        const size_t n = k - first < pcs_panel_piece(f) ? k - first : pcs_panel_piece(f);
        for (size_t i = 0; f->fields[i].bytes; i++) {
            const size_t unit = f->fields[i].unit;
            const uint8_t *src = piece + pcs_plane_at(f, n, i) + r % PCS_PANEL * unit;
            for (size_t b = 0; b < n / f->block; b++)
                for (size_t u = 0; u < f->fields[i].bytes; u += unit, src += PCS_PANEL * unit) memcpy(row + b * f->bytes + f->fields[i].at + u, src, unit);
        }
        piece += pcs_plane_at(f, n, PCS_FIELDS);
        row += n / f->block * f->bytes;
    }
}
