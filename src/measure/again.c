/* again.c - a profile afterwards: whose costs it has, and a model on the text that it predicts. */
#include "graph/arch.h"
#include "measure/divergence.h"
#include "measure/sensitivity.h"

#include <math.h>

precis_status pcs_profile_windows(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *calibrate,
                                  const pcs_profile_text *how, pcs_windows *measured, pcs_windows *rest)
{
    pcs_windows all = { .ctx = NULL };
    precis_calibrate_options c = *calibrate;
    uint64_t most = how->most;
    if (c.n_texts) c.tokens = 0;
    else if (!how->rest) c.tokens = how->most;
    else {
        most = most > how->rest / 2 ? how->rest / 2 : most;
        c.tokens = c.tokens && c.tokens < most + how->rest ? c.tokens : (uint32_t)most + how->rest;
    }
    *measured = *rest = (pcs_windows){ .ctx = ctx };
    precis_status st = pcs_windows_make(ctx, m, &c, how->length, &all);
    if (!st && how->rest && most > all.n_ids / 2) most = all.n_ids / 2;
    if (!st) st = pcs_windows_spread(&all, most, measured);
    if (!st && how->rest) st = pcs_windows_rest(&all, measured, how->rest, rest);
    if (all.ctx) pcs_windows_free(&all);
    return st;
}

precis_status pcs_profile_keep_text(precis_profile *p, const pcs_windows *measured, const pcs_windows *rest)
{
    pcs_windows both = { .ctx = p->ctx };
    const pcs_windows *const parts[] = { measured, rest };
    precis_status st = PRECIS_OK;
    for (int k = 0; k < 2; k++) {
        const int32_t *ids = parts[k]->ids;
        for (size_t i = 0; i < parts[k]->n && !st; ids += parts[k]->lengths[i++])
            st = pcs_windows_add(&both, ids, parts[k]->lengths[i]);
    }
    if (!st) st = pcs_profile_set_text(p, both.lengths, measured->n, rest->n, both.ids);
    pcs_windows_free(&both);
    return st;
}

const pcs_method *pcs_sensitivity_coder(precis_ctx *ctx, const precis_profile_options *opts)
{
    pcs_method_set set;
    if (opts->effort != PRECIS_EFFORT_NORMAL || pcs_methods_parse(ctx, opts->method, &set)) return NULL;
    return set.coder->apply && !set.transforms && !set.residual ? set.coder : NULL;
}

precis_status pcs_sensitivity_again(precis_ctx *ctx, const precis_profile *p, const precis_model *origin,
                                    const precis_model *made, double *kld, double *se)
{
    pcs_windows w = { .ctx = ctx };
    pcs_reference r = { .ctx = NULL };
    precis_graph *g = NULL;
    pcs_lm lm = { 0 };
    const int32_t *ids = p->ids;
    *kld = *se = NAN;
    if (!ids || !p->n_windows) return PRECIS_OK;
    precis_status st = pcs_arch_build(origin, &g, &lm);
    for (size_t i = 0; i < p->n_windows && !st; ids += p->lengths[i++]) st = pcs_windows_add(&w, ids, p->lengths[i]);
    const pcs_reference_text whole = { &w, w.n_ids, lm.vocabulary, NULL, 0 };
    if (!st) st = pcs_reference_open(ctx, &r, origin, &whole);
    if (!st) st = pcs_reference_divergence(&r, made, &(pcs_compared){ .after = 0 }, kld, se);
    pcs_reference_close(&r);
    pcs_windows_free(&w);
    precis_graph_close(&g);
    return st;
}
