/* critical.c - when more tokens hurt: where the loss of the quantized model turns, where it has lost so
 * much; points of equal loss; decay per bit from measured losses. */
#include "law/evaluate.h"

#include <math.h>

precis_status precis_law_critical(precis_law *law, const precis_law_point *p, double added, double *D)
{
    *D = NAN;
    if (!isfinite(added) || added < 0) return pcs_fail(law->ctx, PRECIS_EINVAL, "a degradation is positive");
    const int loss = pcs_law_let(law, "loss"), ptq = pcs_law_let(law, "ptq"), delta = pcs_law_let(law, "delta_loss");
    const int node = added > 0 ? (ptq >= 0 ? ptq : delta) : loss;
    if (node < 0)
        return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s has no loss that grows with the tokens", law->name);
    precis_law_point at = *p;
    at.v[PCS_VAR_D] = 1e10;
    pcs_evaluator e = { 0 };
    double value;
    precis_status st = pcs_evaluator_open(law->ctx, &e, law, node, PCS_WIDE);
    if (!st) st = pcs_evaluator_one(&e, &at, &value);
    if (!st) {
        pcs_evaluator_set(&e, 0, &at);
        const double ln = pcs_evaluator_first(&e, PCS_VAR_D, 1e4, 1e24, added > 0 ? PCS_AT_LEAST : PCS_RISING, added);
        *D = exp(ln);
        if (isnan(ln))
            st = pcs_fail(law->ctx, PRECIS_EBUDGET,
                          "by the law %s more tokens never make this model worse (up to 1e24)", law->name);
        else if (!isfinite(ln))
            st = pcs_fail(law->ctx, PRECIS_EBUDGET, "by the law %s that is so from the first tokens on", law->name);
    }
    pcs_evaluator_close(&e);
    return st;
}

precis_status precis_law_isoloss(precis_law *law, const precis_law_point *p, double loss, const double *N, size_t n,
                                 double *D)
{
    const int node = pcs_law_let(law, "loss");
    if (node < 0) return pcs_fail(law->ctx, PRECIS_EINVAL, "the law %s says nothing of a loss", law->name);
    precis_law_point at = *p;
    at.v[PCS_VAR_D] = 1e10;
    pcs_evaluator e = { 0 };
    precis_status st = pcs_evaluator_open(law->ctx, &e, law, node, PCS_WIDE);
    for (size_t i = 0; i < n && !st; i++) {
        double value;
        at.v[PCS_VAR_N] = N[i];
        st = pcs_evaluator_one(&e, &at, &value);
        if (st) break;
        /* The loss falls with D until it turns. */
        const double ln = pcs_evaluator_first(&e, PCS_VAR_D, 1e4, 1e24, PCS_AT_MOST, loss);
        D[i] = isfinite(ln) ? exp(ln) : NAN;
    }
    pcs_evaluator_close(&e);
    return st;
}

precis_status precis_law_post_fit(precis_ctx *ctx, const double *bits, const double *added, size_t n, double *factor,
                                  double *g_post, double *rmse)
{
    double mx = 0, my = 0, xx = 0, xy = 0, sum = 0;
    *factor = *g_post = *rmse = NAN;
    bool two = false;
    for (size_t i = 0; i < n; i++) {
        if (!(bits[i] > 0) || !(added[i] > 0) || !isfinite(bits[i]) || !isfinite(added[i]))
            return pcs_fail(ctx, PRECIS_EINVAL, "measurement %zu: bits and the loss added are positive", i + 1);
        mx += bits[i] / (double)n;
        my += log(added[i]) / (double)n;
        two = two || bits[i] != bits[0];
    }
    if (!two)
        return pcs_fail(ctx, PRECIS_EINVAL,
                        "at least two types of different bits are needed: the decay per bit is not identifiable");
    for (size_t i = 0; i < n; i++) xx += (bits[i] - mx) * (bits[i] - mx), xy += (bits[i] - mx) * (log(added[i]) - my);
    if (!(xy < 0)) return pcs_fail(ctx, PRECIS_EINVAL, "the measured losses do not fall with the bits");
    *g_post = -xx / xy;
    *factor = exp(my + mx / *g_post);
    for (size_t i = 0; i < n; i++) {
        const double r = log(added[i]) - log(*factor) + bits[i] / *g_post;
        sum += r * r;
    }
    *rmse = sqrt(sum / (double)n);
    return PRECIS_OK;
}
