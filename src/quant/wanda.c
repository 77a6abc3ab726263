/* wanda - of each 4 weights those are left out whose magnitude times the norm of their input is least (Sun et al. 2023,
 * 2306.11695). */
#include "quant/prune.h"

static precis_status by(precis_ctx *ctx, const pcs_pruned *p, uint8_t *mask, float *kept)
{
    (void)kept;
    return pcs_prune_wanda(ctx, p, 2, 4, mask);
}

extern const pcs_method pcs_method_wanda;

static precis_status apply(pcs_work *w) { return pcs_prune_model(w, &pcs_method_wanda, by, true); }

const pcs_method pcs_method_wanda = {
    .name = "wanda", .kind = PCS_TRANSFORM, .apply = apply, .refuses = pcs_prune_refuses, .does = PCS_PRUNES,
};
