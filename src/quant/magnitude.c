/* magnitude - the least weights of each 4 are left out. */
#include "quant/prune.h"

static precis_status by(precis_ctx *ctx, const pcs_pruned *p, uint8_t *mask, float *kept)
{
    const size_t k = p->k;
    float *ones = pcs_alloc(ctx, k + 1, sizeof *ones); /* Wanda's score where every input counts alike */
    if (!ones) return PRECIS_ENOMEM;
    for (size_t i = 0; i < k; i++) ones[i] = 1;
    (void)kept;
    const precis_status st =
        pcs_prune_wanda(ctx, &(pcs_pruned){ .w = p->w, .x = ones, .rows = p->rows, .k = k, .samples = 1 }, 2, 4, mask);
    pcs_free(ctx, ones);
    return st;
}

extern const pcs_method pcs_method_magnitude;

static precis_status apply(pcs_work *w) { return pcs_prune_model(w, &pcs_method_magnitude, by, false); }

const pcs_method pcs_method_magnitude = {
    .name = "magnitude", .kind = PCS_TRANSFORM, .apply = apply, .refuses = pcs_prune_refuses, .does = PCS_PRUNES,
};
