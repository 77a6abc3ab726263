/* pack, reference. */
#include "kernel/kernel.h"

/* n weights of the rows from w on. */
static void pack_piece(const pcs_pack_args *a, const uint8_t *w, size_t n, uint8_t *piece)
{
    for (size_t i = 0; a->f->fields[i].bytes; i++) {
        const size_t unit = a->f->fields[i].unit;
        uint8_t *plane = piece + pcs_plane_at(a->f, n, i), *dst = plane;
        for (size_t b = 0; b < n / a->f->block; b++)
            for (size_t u = 0; u < a->f->fields[i].bytes; u += unit)
                for (size_t r = 0; r < PCS_PANEL; r++, dst += unit) {
                    if (r < a->rows) memcpy(dst, w + r * a->row_bytes + b * a->f->bytes + a->f->fields[i].at + u, unit);
                    else memset(dst, 0, unit);
                }
        memset(dst, 0, (size_t)(-(dst - plane) & 63));
    }
}

void pcs_pack_scalar(const void *args)
{
    pcs_pack_pieces(args, pack_piece);
}
