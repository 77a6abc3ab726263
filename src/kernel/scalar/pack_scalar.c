/* pack, reference. */
#include "kernel/kernel.h"

static void pack_field(const pcs_pack_args *a, const pcs_panel_layout *o, size_t i, size_t first, size_t last)
{
    const size_t unit = a->f->fields[i].unit;
    for (size_t b = first; b < last; b++) {
        const uint8_t *w = a->w + b * pcs_form_bytes(a->f) + a->f->fields[i].at;
        uint8_t *dst = a->panel + pcs_panel_at(o, b, i);
        for (size_t u = 0; u < a->f->fields[i].bytes; u += unit, dst += o->unit[i])
            for (size_t r = 0; r < PCS_PANEL; r++) {
                if (r < a->rows) memcpy(dst + r * unit, w + r * a->row_bytes + u, unit);
                else memset(dst + r * unit, 0, unit);
            }
    }
}

static void recode(const uint8_t *map, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) bytes[i] = map[bytes[i]];
}

void pcs_pack_scalar(const pcs_pack_args *args) { pcs_pack_fields(args, pack_field, recode); }
