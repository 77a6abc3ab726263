/* info.c - what a format's row says to who chooses one by hand. */
#include "base/options.h"
#include "format/format.h"
#include "precis/format.h"

#include <string.h>

/* By what its row is, not by its name. The words are those of measured losses (docs/planning.md): a weight of 6 bits
 * and more costs what nobody notices, one of 4 a little, one of 2 much. */
static const char *what_for(const pcs_format *f)
{
    const double bits = pcs_format_bpw(f);
    if (f->internal) return "sums and activations, no weights";
    if (f->kind == PCS_INT) return "whole numbers of nets, no weights";
    if (f->kind == PCS_FLOAT && !f->element) return bits > 16 ? "originals" : "originals, and what must not lose";
    if (bits >= 7.5) return "a loss that hardly can be measured";
    if (bits >= 5.9) return "a loss that nobody notices";
    if (bits >= 4.9) return "a slight loss";
    if (bits >= 3.9) return "the usual size at a small loss";
    if (f->encode && f->block == PCS_BLOCK_MAX) return "very small; slow to make";
    if (bits >= 2.9) return "small, at a loss that shows";
    return "very small, at a heavy loss";
}

static precis_status tell(const pcs_format *f, precis_format_info *info)
{
    if (!f) return PRECIS_EINVAL;
    const precis_format_info r = { info->size, f->name, pcs_format_bpw(f), f->padded ? 0 : f->block,
                                   pcs_format_portable(f),
                                   pcs_format_can_encode(f) && f->kind != PCS_INT && !f->internal, what_for(f) };
    pcs_options_give(info, &r, sizeof r);
    return PRECIS_OK;
}

precis_status precis_format_get(size_t i, precis_format_info *info)
{
    size_t n = 0;
    while (pcs_formats[n]) n++;
    return tell(i < n ? pcs_formats[i] : NULL, info);
}

precis_status precis_format_find(const char *name, precis_format_info *info)
{
    return tell(pcs_format_by_name(name), info);
}
