/* pack, reference. */
#include "kernel/kernel.h"

void pcs_pack_scalar(const void *args)
{
    const pcs_pack_args *a = args;
    for (size_t i = 0; a->f->fields[i].bytes; i++) {
        const size_t unit = a->f->fields[i].unit;
        uint8_t *plane = a->panel + pcs_plane_at(a->f, a->k, i), *dst = plane;
        for (size_t b = 0; b < a->k / a->f->block; b++)
            for (size_t u = 0; u < a->f->fields[i].bytes; u += unit)
                for (size_t r = 0; r < PCS_PANEL; r++, dst += unit) {
                    if (r < a->rows) memcpy(dst, a->w + r * a->row_bytes + b * a->f->bytes + a->f->fields[i].at + u, unit);
                    else memset(dst, 0, unit);
                }
        memset(dst, 0, (size_t)(-(dst - plane) & 63));
    }
}
