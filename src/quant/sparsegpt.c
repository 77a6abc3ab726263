/* sparsegpt - weights are left out column by column, and the others make up for them (Frantar and Alistarh 2023,
 * 2301.00774). */
#include "quant/prune.h"

static precis_status by(precis_ctx *ctx, const pcs_pruned *p, uint8_t *mask, float *kept)
{
    return pcs_prune_sparsegpt(ctx, p, 2, 4, mask, kept);
}

extern const pcs_method pcs_method_sparsegpt;

static precis_status apply(pcs_work *w) { return pcs_prune_model(w, &pcs_method_sparsegpt, by, true); }

const pcs_method pcs_method_sparsegpt = {
    .name = "sparsegpt", .kind = PCS_TRANSFORM, .apply = apply, .refuses = pcs_prune_refuses, .does = PCS_PRUNES,
    .in_sweep = true, .coder = "gptq",
};
