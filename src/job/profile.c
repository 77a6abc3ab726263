/* profile.c - a profile: what each tensor costs (measure/sensitivity.h), then what a method gains over search (gain.h),
 * which makes whole models and so is a job. */
#include "base/lack.h"
#include "base/options.h"
#include "base/json.h"
#include "job/gain.h"
#include "job/kept.h"
#include "measure/sensitivity.h"
#include "quant/imatrix_bytes.h"
#include "quant/windows.h"

#include <inttypes.h>
#include <stdio.h>

precis_status precis_profile_check(precis_ctx *ctx, const precis_profile_options *given)
{
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    bool needed;
    char name[96];
    pcs_options_take(&o, sizeof o, given);
    const precis_status st = pcs_gain_needed(ctx, o.method, &needed, name);
    return st ? st : pcs_sensitivity_check(ctx, &o);
}

/* ---- what was measured before ---------------------------------------------------------------------------------- */

static precis_status importance_key(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                                    uint32_t most, char key[65])
{
    char what[32] = "importance";
    if (most < UINT32_MAX) snprintf(what, sizeof what, "importance %" PRIu32, most);
    return pcs_kept_key(ctx, m, o, what, key);
}

precis_status precis_calibrate_kept(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                    const precis_calibrate_options *opts, const char *folder, int *kept)
{
    return pcs_calibrate_kept(ctx, out, model, opts, &(pcs_keeping){ folder, UINT32_MAX }, kept);
}

precis_status pcs_calibrate_kept(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                 const precis_calibrate_options *opts, const pcs_keeping *how, int *kept)
{
    const char *folder = how->folder;
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    char key[65], *data = NULL;
    size_t len;
    pcs_buf b;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    *kept = 0;
    if (!folder) return pcs_calibrate_some(ctx, out, model, &o, how->most);
    precis_status st = importance_key(ctx, model, &o, how->most, key);
    if (!st) st = pcs_kept_load(ctx, folder, key, &data, &len);
    if (!st && data) st = pcs_imatrix_take(ctx, (const uint8_t *)data, len, out);
    pcs_free(ctx, data);
    *kept = *out != NULL;
    if (st || *out) return st;
    st = pcs_calibrate_some(ctx, out, model, &o, how->most);
    pcs_buf_init(&b, ctx, (size_t)1 << 32);
    if (!st) st = pcs_imatrix_put(&b, *out);
    if (!st) st = pcs_kept_keep(ctx, folder, key, b.data, b.len);
    pcs_buf_free(&b);
    if (st) precis_imatrix_close(out);
    return st;
}

/* What a profile depends on beside the model and the text. */
static precis_status profile_key(precis_ctx *ctx, const precis_model *m, const precis_profile_options *o, char key[65])
{
    char hex[65] = "none";
    pcs_buf b, more;
    pcs_buf_init(&b, ctx, (size_t)1 << 32);
    pcs_buf_init(&more, ctx, 1 << 16);
    precis_status st = o->imatrix ? pcs_imatrix_put(&b, o->imatrix) : PRECIS_OK;
    if (!st && o->imatrix) precis_sha256(b.data, b.len, hex);
    const bool timed = o->effort == PRECIS_EFFORT_DEFAULT || o->effort == PRECIS_EFFORT_BEST;
    if (!st)
        st = pcs_buf_printf(&more, "profile %d %g %s %s %s", timed ? PRECIS_EFFORT_BEST : (int)o->effort,
                            timed || o->method ? o->time_limit : 0, hex, o->types ? o->types : "-",
                            o->method ? o->method : "-");
    if (!st) st = pcs_buf_add(&more, "", 1);
    if (!st) st = pcs_kept_key(ctx, m, &o->calibrate, more.data, key);
    pcs_buf_free(&b);
    pcs_buf_free(&more);
    return st;
}

/* Behind the JSON and its zero: how many windows, and others, their lengths, and their ids. What does not fit is left
 * out. */
static precis_status take_text(precis_profile *p, const char *data, size_t len)
{
    uint32_t n[2], *lengths;
    uint64_t ids = 0, windows;
    precis_status st = PRECIS_OK;
    if (len < sizeof n) return PRECIS_OK;
    memcpy(n, data, sizeof n);
    windows = (uint64_t)n[0] + n[1];
    if (windows > (len - sizeof n) / sizeof *lengths) return PRECIS_OK;
    if (!(lengths = pcs_alloc(p->ctx, windows + 1, sizeof *lengths))) return PRECIS_ENOMEM;
    memcpy(lengths, data + sizeof n, windows * sizeof *lengths);
    for (uint64_t i = 0; i < windows; i++) ids += lengths[i];
    const size_t at = sizeof n + windows * sizeof *lengths;
    int32_t *all = ids == (len - at) / sizeof *all ? pcs_alloc(p->ctx, ids + 1, sizeof *all) : NULL;
    if (all) {
        memcpy(all, data + at, ids * sizeof *all);
        st = pcs_profile_set_text(p, lengths, n[0], n[1], all);
    }
    pcs_free(p->ctx, lengths);
    pcs_free(p->ctx, all);
    return st;
}

/* Nothing is said: whoever takes it says what is damaged. */
precis_status pcs_kept_before(precis_ctx *ctx, const precis_model *m, const precis_profile_options *opts,
                              uint32_t most, bool *importance, bool *profile)
{
    precis_profile_options o = *opts;
    precis_imatrix *im = NULL;
    char key[65], *data = NULL;
    size_t len;
    precis_warn_fn *const warn = ctx->opt.warn;
    *importance = *profile = false;
    if (!o.folder) return PRECIS_OK;
    ctx->opt.warn = NULL;
    precis_status st = importance_key(ctx, m, &o.calibrate, most, key);
    if (!st) st = pcs_kept_load(ctx, o.folder, key, &data, &len);
    if (!st && data && !o.imatrix) st = pcs_imatrix_take(ctx, (const uint8_t *)data, len, &im);
    pcs_free(ctx, data);
    *importance = im != NULL;
    if (im) o.imatrix = im;
    data = NULL;
    if (!st && im) st = profile_key(ctx, m, &o, key);
    if (!st && im) st = pcs_kept_load(ctx, o.folder, key, &data, &len);
    *profile = data != NULL;
    pcs_free(ctx, data);
    precis_imatrix_close(&im);
    ctx->opt.warn = warn;
    return st;
}

static precis_status load(precis_ctx *ctx, const char *folder, const char *key, precis_profile **out)
{
    char *data;
    size_t len;
    precis_status st = pcs_kept_load(ctx, folder, key, &data, &len);
    const char *end = !st && data ? memchr(data, 0, len) : NULL;
    if (end) {
        st = pcs_profile_take(ctx, out, data, (size_t)(end - data));
        if (st == PRECIS_EFORMAT) st = PRECIS_OK, ctx->message[0] = 0; /* not ours after all */
        if (!st && *out) st = take_text(*out, end + 1, len - 1 - (size_t)(end - data));
    }
    pcs_free(ctx, data);
    if (!st && *out)
        pcs_warn(ctx, "what tensors cost was measured before and is taken from %s (--no-cache measures it again)",
                 folder);
    return st;
}

static precis_status keep(precis_ctx *ctx, const char *folder, const char *key, const precis_profile *p)
{
    const uint32_t n[2] = { (uint32_t)p->n_windows, (uint32_t)p->n_rest };
    const size_t windows = p->n_windows + p->n_rest;
    uint64_t ids = 0;
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = pcs_profile_put(&b, p);
    if (!st) st = pcs_buf_add(&b, "", 1);
    if (!st) st = pcs_buf_add(&b, n, sizeof n);
    for (size_t i = 0; i < windows; i++) ids += p->lengths[i];
    if (!st && windows) st = pcs_buf_add(&b, p->lengths, windows * sizeof *p->lengths);
    if (!st && windows) st = pcs_buf_add(&b, p->ids, ids * sizeof *p->ids);
    if (!st) st = pcs_kept_keep(ctx, folder, key, b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

precis_status precis_profile_make(precis_ctx *ctx, precis_profile **out, const precis_model *model,
                                  const precis_profile_options *opts)
{
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    precis_profile *p = NULL;
    char key[65];
    uint32_t vocabulary = 0;
    pcs_options_take(&o, sizeof o, opts);
    if (!(o.time_limit > 0)) o.time_limit = 600;
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    precis_status st = precis_profile_check(ctx, &o);
    const char *folder = o.cache ? NULL : o.folder; /* one place is enough */
    if (!st && folder) st = profile_key(ctx, model, &o, key);
    if (!st && folder) st = load(ctx, folder, key, &p);
    const bool known = p != NULL;
    if (!st && !known) st = pcs_sensitivity_measure(ctx, &p, &vocabulary, model, &o);
    if (!st && !known && o.method && !pcs_sensitivity_coder(ctx, &o))
        st = pcs_gain_measure(ctx, model, &o, p, vocabulary);
    if (!st && !known && folder) st = keep(ctx, folder, key, p);
    if (!st) st = pcs_progress(ctx, "profile", 1, 1);
    st = pcs_with_memory(ctx, refused, st);
    if (st) precis_profile_close(&p);
    *out = p;
    return st;
}
