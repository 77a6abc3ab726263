/* smallest.c - the smallest file whose predicted divergence stays below a bound: budgets are halved. */
#include "job/smallest.h"

#include "job/gain.h"
#include "plan/profile.h"

precis_status pcs_kld_check(precis_ctx *ctx, double max_kld)
{
    if (max_kld > 0 && max_kld <= PCS_KLD_MOST) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EINVAL,
                    "a KL divergence of %g nats per token is no budget: it is a number above 0, of %g at most", max_kld,
                    PCS_KLD_MOST);
}

/* Where the interval of a plan's divergence ends. */
static double upper(precis_ctx *ctx, const precis_quant_options *o, const precis_plan *p, double loss)
{
    double interval[2];
    size_t plans;
    precis_profile_predict_method(o->profile, o->method, pcs_gain_share(ctx, p, o->method), loss, interval, &plans);
    return interval[1];
}

precis_status pcs_smallest(precis_ctx *ctx, pcs_loss_table *t, const precis_quant_options *o, double max_kld,
                           uint64_t most, uint64_t *bytes)
{
    precis_plan *p = NULL;
    precis_solution s = { .size = sizeof s };
    double loss = 0;
    precis_status st = pcs_loss_table_plan(t, most, &p, &s, &loss);
    if (st) return st;
    const double least = upper(ctx, o, p, loss);
    precis_plan_close(&p);
    if (least > max_kld)
        return pcs_fail(ctx, PRECIS_EBUDGET,
                        "no plan within %llu bytes stays below a KL divergence of %g: the best is predicted at no more "
                        "than %.4g",
                        (unsigned long long)most, max_kld, least);
    uint64_t lo = 0, hi = most;
    for (int turn = 0; turn < 18 && hi - lo > hi / 2000; turn++) {
        const uint64_t mid = lo + (hi - lo) / 2;
        st = pcs_loss_table_plan(t, mid, &p, &s, &loss);
        if (st && st != PRECIS_EBUDGET) return st;
        if (!st && upper(ctx, o, p, loss) <= max_kld) hi = mid;
        else lo = mid;
        precis_plan_close(&p);
    }
    ctx->message[0] = 0;
    *bytes = hi;
    return PRECIS_OK;
}
