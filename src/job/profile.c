/* profile.c - a profile: what each tensor costs (measure/sensitivity.h), then what a method gains over search (gain.h),
 * which makes whole models and so is a job. */
#include "base/lack.h"
#include "base/options.h"
#include "job/gain.h"
#include "measure/sensitivity.h"

precis_status precis_profile_check(precis_ctx *ctx, const precis_profile_options *given)
{
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    bool needed;
    char name[96];
    pcs_options_take(&o, sizeof o, given);
    const precis_status st = pcs_gain_needed(ctx, o.method, &needed, name);
    return st ? st : pcs_sensitivity_check(ctx, &o);
}

precis_status precis_profile_make(precis_ctx *ctx, precis_profile **out, const precis_model *model,
                                  const precis_profile_options *opts)
{
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    precis_profile *p = NULL;
    uint32_t vocabulary = 0;
    pcs_options_take(&o, sizeof o, opts);
    if (!(o.time_limit > 0)) o.time_limit = 600;
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    precis_status st = precis_profile_check(ctx, &o);
    if (!st) st = pcs_sensitivity_measure(ctx, &p, &vocabulary, model, &o);
    if (!st && o.method) st = pcs_gain_measure(ctx, model, &o, p, vocabulary);
    if (!st) st = pcs_progress(ctx, "profile", 1, 1);
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_profile_close(&p);
    *out = p;
    return st;
}
