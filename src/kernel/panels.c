/* panels.c - a row out of its panel. */
#include "kernel/panels.h"

void pcs_panels_blocks(const pcs_paneled *p, uint64_t r, size_t b0, size_t b1, uint8_t *row)
{
    const pcs_format *f = p->f;
    const uint8_t *panel = p->panels + r / PCS_PANEL * pcs_panel_bytes(f, p->k);
    const pcs_panel_layout o = pcs_panel_layout_of(f);
    for (size_t b = b0; b < b1; b++, row += f->bytes) {
        uint8_t form[PCS_FORM_MOST], *const block = f->form ? form : row;
        for (size_t i = 0; i < PCS_FIELDS && f->fields[i].bytes; i++) {
            const size_t unit = f->fields[i].unit;
            const uint8_t *src = panel + pcs_panel_at(&o, b, i) + r % PCS_PANEL * unit;
            const uint8_t *map = pcs_field_recode(f, i, 1);
            uint8_t *dst = block + f->fields[i].at;
            for (size_t u = 0; u < f->fields[i].bytes; u += unit, src += o.unit[i]) memcpy(dst + u, src, unit);
            for (size_t u = 0; map && u < f->fields[i].bytes; u++) dst[u] = map[dst[u]];
        }
        if (f->form) f->form->back(form, row);
    }
}

void pcs_panels_row(const pcs_format *f, size_t k, const uint8_t *panels, uint64_t r, uint8_t *row)
{
    pcs_panels_blocks(&(pcs_paneled){ f, k, panels }, r, 0, k / f->block, row);
}
