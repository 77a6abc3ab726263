/* again.c - a profile afterwards: whose costs it has, and a model on the text that it predicts. */
#include "graph/arch.h"
#include "measure/divergence.h"
#include "measure/sensitivity.h"

#include <math.h>

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
