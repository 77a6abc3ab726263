/* gain.c - what a method of the whole model gains over search: planned models of three sizes are made by both, with one
 * part of the text, and their divergences from the original compared on the other part; a method that was calibrated on
 * the text it is measured on would look better than it is. */
#include "job/gain.h"

#include "base/file.h"
#include "base/json.h"
#include "job/temporary.h"
#include "measure/divergence.h"
#include "precis/job.h"
#include "write/write.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SAMPLES = 3, WINDOW = 256, TOKENS_LEAST = 512, TOKENS_MOST = 4096, MORE = 12 };

/* ---- the text in two parts ------------------------------------------------------------------------------------- */

typedef struct { const char **texts; size_t *lengths; precis_calibrate_options fit, held; } parts;

static void free_parts(precis_ctx *ctx, parts *p)
{
    pcs_free(ctx, p->texts);
    pcs_free(ctx, p->lengths);
}

/* Three fifths of each text, up to a space, for the methods; the rest to measure on. A model without a text samples two
 * of its own. */
static precis_status cut(precis_ctx *ctx, const precis_calibrate_options *all, parts *p)
{
    const size_t n = all->n_texts;
    *p = (parts){ .fit = *all, .held = *all };
    p->held.tokens = 0;
    if (!n) return PRECIS_OK;
    p->texts = pcs_alloc(ctx, n, sizeof *p->texts);
    p->lengths = pcs_alloc(ctx, 2 * n, sizeof *p->lengths);
    if (!p->texts || !p->lengths) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t at = all->lengths[i] / 5 * 3;
        while (at < all->lengths[i] && !isspace((unsigned char)all->texts[i][at])) at++;
        p->texts[i] = all->texts[i] + at;
        p->lengths[i] = at;
        p->lengths[n + i] = all->lengths[i] - at;
    }
    p->fit.lengths = p->lengths;
    p->held.texts = p->texts;
    p->held.lengths = p->lengths + n;
    return PRECIS_OK;
}

static precis_status held_windows(precis_ctx *ctx, const precis_model *origin, const parts *p, uint32_t tokens,
                                  pcs_windows *out)
{
    pcs_windows all = { .ctx = NULL };
    precis_calibrate_options o = p->held;
    const uint64_t seed = ctx->opt.seed;
    if (!o.n_texts) {
        o.tokens = tokens;
        ctx->opt.seed = seed + 1; /* another sample than the methods' */
    }
    precis_status st = pcs_windows_make(ctx, origin, &o, WINDOW, &all);
    ctx->opt.seed = seed;
    if (!st) st = pcs_windows_spread(&all, tokens, out);
    if (all.ctx) pcs_windows_free(&all);
    return st;
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

typedef struct {
    precis_ctx *ctx;
    const precis_model *origin;
    const precis_profile_options *opt;
    precis_profile *p;
    parts text;
    pcs_reference reference;
} gain;

/* The model of these types by a method, and how far it is from the original. */
static precis_status divergence_of(gain *g, const char *types, const char *method, double *kld, double *se)
{
    char path[PCS_TEMPORARY_PATH];
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    precis_job job = { 0 };
    precis_model *made = NULL;
    o.type = types;
    o.calibrate = g->text.fit;
    o.quant.method = method;
    o.quant.fallback = 1;
    o.no_eval = 1;
    precis_status st = pcs_temporary_name(g->ctx, path);
    if (st) return st;
    st = precis_job_quantize(g->ctx, g->origin, path, &o, &job);
    precis_job_close(&job);
    if (!st) st = precis_model_open(g->ctx, &made, path);
    unlink(path); /* an open model stays mapped */
    if (!st) st = pcs_reference_divergence(&g->reference, made, &(pcs_compared){ 0 }, kld, se);
    precis_model_close(&made);
    return st;
}

/* A plan as a list of names and types. */
static precis_status types_of(precis_ctx *ctx, const precis_plan *plan, pcs_buf *b)
{
    precis_status st = PRECIS_OK;
    pcs_buf_init(b, ctx, PCS_LIMIT_JSON);
    for (size_t i = 0; i < precis_plan_size(plan) && !st; i++) {
        precis_plan_row r = { .size = sizeof r };
        precis_plan_get(plan, i, &r);
        if (strcmp(r.from, r.to)) st = pcs_buf_printf(b, "%s%s=%s", b->len ? "," : "", r.tensor, r.to);
    }
    return st ? st : pcs_buf_add(b, "", 1);
}

static precis_status sample(gain *g, pcs_loss_table *table, double bits, const char *method)
{
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(g->origin, &info);
    precis_plan *plan = NULL;
    precis_solution solution = { .size = sizeof solution };
    double loss, se, other;
    pcs_gain found = { .method = method, .bits = bits };
    pcs_buf types;
    const uint64_t beside = info.file_bytes - (info.bytes < info.file_bytes ? info.bytes : info.file_bytes);
    precis_status st = pcs_loss_table_plan(table, (uint64_t)((double)info.parameters * bits / 8) + beside, &plan,
                                           &solution, &loss);
    if (st == PRECIS_EBUDGET) { /* no type is as small for this model */
        g->ctx->message[0] = 0;
        return PRECIS_OK;
    }
    if (st) return st;
    st = types_of(g->ctx, plan, &types);
    if (!st && types.len > 1) {
        found.share = pcs_gain_share(g->ctx, plan, method);
        st = divergence_of(g, types.data, "search", &found.search, &other);
        if (!st) st = divergence_of(g, types.data, method, &found.kld, &se);
        if (!st && found.search > 0 && found.kld > 0 && found.share > 0) st = pcs_profile_add_gain(g->p, &found);
    }
    pcs_buf_free(&types);
    precis_plan_close(&plan);
    return st;
}

static precis_status samples(gain *g, const char *method)
{
    static const double bits[SAMPLES] = { 4.3, 3.1, 5.6 }; /* what is used most comes first, should time end */
    const double begun = pcs_now();
    precis_quant_options q = PRECIS_QUANT_OPTIONS_INIT;
    pcs_loss_table *table = NULL;
    precis_status st = PRECIS_OK;
    q.imatrix = g->opt->imatrix;
    q.profile = g->p;
    for (int i = 0; i < SAMPLES && !st; i++) {
        if (pcs_profile_gain_at(g->p, method, bits[i])) continue;
        if (i && pcs_now() - begun > g->opt->time_limit) break;
        if (!table) st = pcs_loss_table_open(g->ctx, &table, g->origin, &q, false);
        if (!st) st = sample(g, table, bits[i], method);
        if (!st && g->opt->cache) st = precis_profile_save(g->ctx, g->p, g->opt->cache);
        if (!st && !i)
            pcs_warn(g->ctx,
                     "profile: a plan by search and by %s took %.0f s; two more follow within the limit of %.0f s",
                     method, pcs_now() - begun, g->opt->time_limit);
    }
    pcs_loss_table_close(&table);
    return st;
}

precis_status pcs_gain_measure(precis_ctx *ctx, const precis_model *origin, const precis_profile_options *opt,
                               precis_profile *p, uint32_t vocabulary)
{
    bool needed;
    char name[96];
    precis_status st = pcs_gain_needed(ctx, opt->method, &needed, name);
    if (st || !needed) return st;
    char why[400];
    gain g = { .ctx = ctx, .origin = origin, .opt = opt, .p = p };
    pcs_windows windows = { .ctx = ctx };
    const uint32_t more = p->tokens > TOKENS_MOST / MORE ? TOKENS_MOST : p->tokens * MORE,
                   tokens = more < TOKENS_LEAST ? TOKENS_LEAST : more;
    st = cut(ctx, &opt->calibrate, &g.text);
    if (!st && (st = held_windows(ctx, origin, &g.text, tokens, &windows)) && opt->calibrate.n_texts) {
        snprintf(why, sizeof why, "%s", precis_ctx_message(ctx));
        pcs_fail(ctx, st, "what %s gains is measured on two fifths of the calibration text: %s", name, why);
    }
    const pcs_reference_text whole = { .text = &windows, .tokens = windows.n_ids, .vocabulary = vocabulary };
    if (!st) st = pcs_reference_open(ctx, &g.reference, origin, &whole);
    if (!st) st = samples(&g, name);
    pcs_reference_close(&g.reference);
    pcs_windows_free(&windows);
    free_parts(ctx, &g.text);
    return st;
}
