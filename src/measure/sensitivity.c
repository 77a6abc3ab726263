/* sensitivity.c - the profile: one tensor after another stands quantized in the model, which runs on from the layer
 * that holds it; the divergence of its logits from the original's is what that tensor costs. Then whole plans
 * (whole_plans.c), to see how costs add up. */
#include "measure/sensitivity.h"

#include "base/json.h"
#include "measure/profiler.h"
#include "precis/text.h"
#include "quant/methods.h"

#include <math.h>
#include <stdio.h>

enum { PLANS_LEAST = 6, TOKENS_LEAST = 128, TOKENS_MOST = 8192, REACH = 4, MORE = 12, WINDOW = 256 };
enum { REST_LEAST = 1024, TOKENS_FAST = 512 };
#define SEARCHED 3e9 /* weights of a model that are coded by search, when there is time for it */

/* Share of a run that is after a cut. */
static double share_behind(const pcs_profiler *r, size_t cuts) { return 1.0 - (double)cuts / (double)(r->n_cuts + 1); }

static bool has_probe(const pcs_profiler *r, const char *tensor, const pcs_format *f)
{
    const pcs_sensitivity *s = pcs_profile_of(r->p, tensor);
    for (size_t k = 0; s && k < s->n; k++)
        if (!strcmp(s->probe[k].type, f->name)) return true;
    return false;
}

/* How many cuts lie before the first use of tensor i: the last of them is the end of the layer before its own. */
static size_t cuts_before(const pcs_profiler *r, const pcs_tensor *t)
{
    const bool last = t->is.role == PCS_ROLE_output || t->is.role == PCS_ROLE_output_norm;
    if (t->is.layer >= 0) return (size_t)t->is.layer;
    return last ? r->n_cuts : 0;
}

static precis_status probe(pcs_profiler *r, size_t i, const pcs_format *f)
{
    uint8_t *bytes = NULL;
    double error, kld = 0, se = 0;
    const pcs_tensor *t = &r->origin->tensors[i];
    precis_status st = pcs_probe_swap(r, i, f, &bytes, &error);
    if (!st) st = pcs_reference_divergence(&r->few, r->m, &(pcs_compared){ .after = cuts_before(r, t) }, &kld, &se);
    pcs_probe_put_back(r, i, bytes);
    if (!st) st = pcs_profile_add(r->p, t->name, f->name, error, kld, se);
    return st;
}

static precis_status probes(pcs_profiler *r)
{
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++)
        for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
            const pcs_format *f = pcs_probe_type(r, &r->origin->tensors[i], r->types[k]);
            if (!f) continue;
            if (!has_probe(r, r->origin->tensors[i].name, f)) {
                if (k && pcs_now() - r->begun > r->opt->time_limit * 0.85) return PRECIS_OK; /* what there is will do */
                st = probe(r, i, f);
                if (!st && r->opt->cache && i % 16 == 0) st = precis_profile_save(r->ctx, r->p, r->opt->cache);
            }
            const pcs_tensor *t = &r->origin->tensors[i];
            const double behind = share_behind(r, cuts_before(r, t));
            if (!st) st = pcs_profiler_advance(r, r->run * behind + r->coding * (double)t->n);
        }
    return st;
}

static precis_status gradient_step(void *user)
{
    pcs_profiler *r = user;
    return pcs_profiler_advance(r, 1);
}

/* Of a row that is no whole block of a type another stands in, which may have the bits of one that is wanted already
 * (Q4_0 those of IQ4_NL): unless the caller has named them, it would tell nothing for its time. */
static bool is_wanted(const pcs_profiler *r, size_t tensor, const pcs_format *f)
{
    for (size_t i = 0; i < r->n_wanted; i++) {
        const pcs_format *own = r->wanted[i].tensor == tensor ? r->wanted[i].f : NULL;
        if (own == f || (own && !r->opt->types && pcs_format_bpw(own) == pcs_format_bpw(f))) return true;
    }
    return false;
}

/* All probes at once. */
static precis_status probes_by_gradients(pcs_profiler *r)
{
    const size_t most = r->origin->n_tensors * r->n_types;
    r->wanted = pcs_alloc(r->ctx, most + 1, sizeof *r->wanted);
    r->codes = pcs_alloc(r->ctx, most + 1, sizeof *r->codes);
    if (!r->wanted || !r->codes) return PRECIS_ENOMEM;
    for (size_t k = 0; k < r->n_types; k++)
        for (size_t i = 0; i < r->origin->n_tensors; i++) {
            const pcs_format *f = pcs_probe_type(r, &r->origin->tensors[i], r->types[k]);
            if (f && !has_probe(r, r->origin->tensors[i].name, f) && !is_wanted(r, i, f))
                r->wanted[r->n_wanted++] = (pcs_wanted_probe){ i, f };
        }
    pcs_windows coded;
    const pcs_windows *all = r->rest.n_ids >= REST_LEAST ? &r->rest : &r->windows;
    precis_status st = pcs_windows_spread(all, r->amounts.probed, &coded);
    const pcs_gradient_job job = { r->origin, r->opt->imatrix, r->coder, r->method, &coded, &r->windows, r->wanted,
                                   r->n_wanted, r->codes, gradient_step, r };
    r->total += (double)r->n_wanted + (double)r->windows.n;
    if (!st && r->n_wanted) st = pcs_probe_by_gradients(r->ctx, &job, r->p);
    pcs_windows_free(&coded);
    return st;
}

/* The type of at least so many bits whose error in a tensor is the largest of those that plans take by default, and its
 * error. */
static precis_status worst_type(pcs_profiler *r, const pcs_tensor *t, double weights, double bits,
                                const pcs_format **worst, double *error)
{
    pcs_draw d;
    const pcs_draw_job job = { t, r->coder, r->opt->imatrix, false, pcs_draw_steps(t, weights) };
    precis_status st = pcs_draw_open(r->ctx, &d, &job);
    *worst = NULL;
    *error = 0;
    for (size_t i = 0; pcs_formats[i] && !st; i++) {
        const pcs_format *f = pcs_formats[i];
        double e;
        if (!pcs_encodable(f) || f->kind != PCS_QUANT || !pcs_format_portable(f) ||
            (f->encode && f->block == PCS_BLOCK_MAX) || pcs_format_bpw(f) < bits || pcs_probe_type(r, t, f) != f)
            continue;
        st = pcs_draw_error(&d, f, d.steps, &e);
        if (!st && e > *error) *worst = f, *error = e;
    }
    pcs_draw_close(&d);
    return st;
}

/* A type of more bits whose error is far beyond those of a tensor's probes is told by no line through them (Q3_K of
 * SmolLM2's blk.11.ffn_down: 70 times Q2_K's error, and the same loss): it is probed, too. */
static precis_status reach(pcs_profiler *r)
{
    const double weights = pcs_quantizable_weights(r->origin);
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        const pcs_sensitivity *s = pcs_profile_of(r->p, t->name);
        const pcs_format *f;
        double error, bits = 64;
        for (size_t k = 0; s && k < s->n; k++) {
            const pcs_format *own = pcs_format_by_name(s->probe[k].type);
            bits = own && pcs_format_bpw(own) < bits ? pcs_format_bpw(own) : bits;
        }
        if (!s || !s->n || s->n == PCS_PROBES || pcs_now() - r->begun > r->opt->time_limit * 0.87) continue;
        st = worst_type(r, t, weights, bits, &f, &error);
        if (!st && f && error > REACH * s->probe[s->n - 1].error && !has_probe(r, t->name, f)) st = probe(r, i, f);
        if (!st) st = pcs_profiler_advance(r, 0);
    }
    return st;
}

/* ---- caches ------------------------------------------------------------------------------------------------------ */

/* Keys or values of one layer's cache as int8 and int4, the others f32: "blk.N.cache_k" and "blk.N.cache_v". */
static precis_status caches(pcs_profiler *r)
{
    static const char *const types[] = { "int8", "int4" };
    pcs_buf list;
    precis_status st = PRECIS_OK;
    for (size_t layer = 0; layer < r->n_cuts && !st; layer++)
        for (int which = 0; which < 2 && !st; which++)
            for (int t = 0; t < 2 && !st; t++) {
                char name[48];
                snprintf(name, sizeof name, "blk.%zu.cache_%c", layer, which ? 'v' : 'k');
                const pcs_sensitivity *have = pcs_profile_of(r->p, name);
                bool known = false;
                for (size_t k = 0; have && k < have->n; k++) known |= !strcmp(have->probe[k].type, types[t]);
                if (!known) {
                    if (pcs_now() - r->begun > r->opt->time_limit * 0.9) return PRECIS_OK; /* plans matter more */
                    double kld = 0, se = 0;
                    pcs_buf_init(&list, r->ctx, 1 << 16);
                    for (size_t l = 0; l < r->n_cuts && !st; l++)
                        st = pcs_buf_printf(&list, "%s%s", l ? "," : "", l == layer ? types[t] : "f32");
                    const pcs_compared as = { which ? NULL : list.data, which ? list.data : NULL, layer };
                    if (!st) st = pcs_reference_divergence(&r->few, r->m, &as, &kld, &se);
                    pcs_buf_free(&list);
                    /* errors: a step of the type */
                    if (!st) st = pcs_profile_add(r->p, name, types[t], t ? 1.0 / 16 : 1.0 / 256, kld, se);
                }
                if (!st) st = pcs_profiler_advance(r, r->run * share_behind(r, layer));
            }
    return st;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static precis_status parse_types(pcs_profiler *r)
{
    const char *list = r->opt->types ? r->opt->types : r->method ? r->amounts.types : "Q4_K,Q2_K";
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
        char name[32] = { 0 };
        const size_t len = strcspn(p, ",");
        memcpy(name, p, len < 31 ? len : 31);
        const pcs_format *f = pcs_format_by_name(name);
        if (!f || !pcs_encodable(f))
            return pcs_fail(r->ctx, PRECIS_EINVAL, "\"%s\" is no type that can be written", name);
        if (r->n_types == PCS_PROBES)
            return pcs_fail(r->ctx, PRECIS_EINVAL, "%s: more than %d types", list, PCS_PROBES);
        r->types[r->n_types++] = f;
    }
    return r->n_types ? PRECIS_OK : pcs_fail(r->ctx, PRECIS_EINVAL, "no types to probe");
}

/* Seconds that coding one weight takes, by coding one tensor. */
static precis_status coding_speed(pcs_profiler *r, const pcs_method *coder, double *each)
{
    const pcs_tensor *some = NULL;
    for (size_t i = 0; i < r->origin->n_tensors; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        if (pcs_probe_type(r, t, r->types[0]) &&
            (!some || (some->n < 100000 ? t->n > some->n : t->n >= 100000 && t->n < some->n)))
            some = t;
    }
    *each = 0;
    if (!some) return PRECIS_OK;
    double spent = 0, error;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++) {
        const pcs_format *f = pcs_probe_type(r, some, r->types[k]);
        if (!f) continue;
        pcs_row_weights w = { .mean = NULL };
        if ((st = pcs_imatrix_for(r->opt->imatrix, some, &w))) return st;
        uint8_t *bytes = pcs_alloc(r->ctx, pcs_tensor_rows(some), pcs_row_bytes(f, (uint64_t)some->ne[0]));
        const double begun = pcs_now();
        st = bytes ? pcs_quantize_tensor(r->ctx, &(pcs_tensor_job){ some, f, coder, w }, bytes, &error) : PRECIS_ENOMEM;
        spent += pcs_now() - begun;
        pcs_free(r->ctx, bytes);
    }
    *each = spent / (double)r->n_types / (double)some->n;
    return st;
}

/* What the rest will take, with so many tokens for single weights and for whole plans. */
static void predict_time(pcs_profiler *r, double tokens, double more)
{
    r->run = r->each * tokens;
    r->whole = r->each * more;
    const double coded = r->numbers * (double)(r->n_types + r->plans);
    r->total = r->run * r->runs + r->whole * (double)(r->plans + 1) + r->coding * coded;
    size_t weights = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++)
        weights += pcs_probe_type(r, &r->origin->tensors[i], r->types[0]) != NULL;
    snprintf(r->note, sizeof r->note,
             "profile: %zu weights, %zu types coded by %s, %zu whole plans, %.0f tokens: about %.0f s%s", weights,
             r->n_types, r->coder->name, r->plans, tokens, r->total * 1.1,
             r->total > r->opt->time_limit ? ", more than the limit: the last plans will be left out" : "");
}

/* How the time is spent: by search where that leaves most of it to the divergences, else by rtn; fewer plans, then
 * fewer types, then fewer tokens. */
static precis_status budget_time(pcs_profiler *r, uint32_t *tokens)
{
    const double limit = r->opt->time_limit, margin = 0.8;
    double coding = 0, allowed = 0, runs = 0;
    precis_status st = PRECIS_OK;
    r->plans = PCS_WHOLE_PLANS;
    for (int turn = 0; turn < 4 && !st; turn++) {
        r->coder = pcs_method_by_name(turn == 0 && r->numbers <= SEARCHED ? "search" : "rtn");
        if (turn == 2) r->plans = PLANS_LEAST;
        if (turn == 3) r->n_types = 1;
        st = coding_speed(r, r->coder, &r->coding);
        coding = r->coding * r->numbers * (double)(r->n_types + r->plans);
        runs = 1; /* the original's */
        for (size_t i = 0; i < r->origin->n_tensors; i++)
            if (pcs_probe_type(r, &r->origin->tensors[i], r->types[0]))
                runs += share_behind(r, cuts_before(r, &r->origin->tensors[i])) * (double)r->n_types;
        runs += 2.0 * (double)r->n_cuts; /* the caches: four probes of a layer, half the net each */
        allowed = (margin * limit - coding) / (r->each * (runs + MORE * (double)(r->plans + 1)));
        if (allowed >= 2 * TOKENS_LEAST && coding < 0.5 * limit) break;
    }
    *tokens = (uint32_t)(allowed < TOKENS_LEAST ? TOKENS_LEAST : allowed > TOKENS_MOST ? TOKENS_MOST : allowed);
    if (r->opt->calibrate.tokens && *tokens > r->opt->calibrate.tokens) *tokens = r->opt->calibrate.tokens;
    r->runs = runs;
    return st;
}

static precis_status take_tops(pcs_profiler *r)
{
    const precis_model *m = r->origin;
    precis_status st = (r->tops = pcs_alloc(r->ctx, m->n_tensors + 1, sizeof *r->tops)) ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        if (pcs_quantizable(&m->tensors[i])) st = pcs_tensor_top(r->ctx, &m->tensors[i], &r->tops[i]);
    return st;
}

/* Cuts, and how long a token takes. */
static precis_status measure_speed(pcs_profiler *r, uint32_t *tokens)
{
    precis_runner *run;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.k_type = o.v_type = "f32";
    o.context = o.batch = 64;
    o.outputs = 32;
    precis_status st = precis_runner_open(r->ctx, &run, r->origin, &o);
    if (st) return st;
    if (run->lm.encoder)
        st = pcs_fail(r->ctx, PRECIS_EUNSUPPORTED, "%s: an encoder has no next tokens to measure", r->origin->path);
    const precis_graph *g = run->graph;
    r->vocabulary = run->lm.vocabulary;
    r->cuts = pcs_alloc(r->ctx, g->n_nodes + 1, sizeof *r->cuts);
    precis_row rows[64];
    /* of half of them logits, as when text is scored */
    for (uint32_t i = 0; i < 64; i++) rows[i] = (precis_row){ (int32_t)(i * 37 % r->vocabulary), i, 0, i >= 32 };
    if (!r->cuts) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->values[g->nodes[i].out[0]].cut) r->cuts[r->n_cuts++] = g->nodes[i].out[0];
    double least = 1e9;
    for (int turn = 0; turn < 2 && !st; turn++) {
        const double begun = pcs_now();
        st = precis_runner_decode(run, rows, 64, NULL);
        least = pcs_now() - begun < least ? pcs_now() - begun : least;
    }
    precis_runner_close(&run);
    double numbers = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++)
        numbers += pcs_probe_type(r, &r->origin->tensors[i], r->types[0]) ? (double)r->origin->tensors[i].n : 0;
    r->numbers = numbers;
    r->each = least / 64;
    return st || !pcs_by_swaps(r) ? st : budget_time(r, tokens);
}

/* A profile that was begun goes on with the tokens and the coder that it began with, however fast the machine is
 * today. */
static precis_status begun_with(pcs_profiler *r, const char *model, uint32_t *tokens)
{
    precis_profile *old = NULL;
    const precis_status st = r->opt->cache ? precis_profile_open(r->ctx, &old, r->opt->cache) : PRECIS_OK;
    if (st == PRECIS_ENOMEM) return st; /* it may be there, and hours of work in it */
    if (!old) {
        r->ctx->message[0] = 0;
        return PRECIS_OK;
    }
    const uint64_t wanted = r->opt->calibrate.tokens;
    const bool asked = wanted && wanted != old->tokens && wanted < *tokens;
    if (old->model && !strcmp(old->model, model) && old->tokens && !asked) {
        *tokens = old->tokens;
        const pcs_method *coder = old->coder ? pcs_method_by_name(old->coder) : NULL;
        if (coder && coder->row) r->coder = coder;
        if (old->n_plans > PLANS_LEAST && r->plans < PCS_WHOLE_PLANS) r->plans = PCS_WHOLE_PLANS;
    }
    precis_profile_close(&old);
    return PRECIS_OK;
}

/* The model and the tokens are what the measurement depends on: a cache of others is not taken. */
static precis_status take_cache(pcs_profiler *r, const char *model, const char *text)
{
    precis_profile *old = NULL;
    const precis_status st = r->opt->cache ? precis_profile_open(r->ctx, &old, r->opt->cache) : PRECIS_OK;
    if (st == PRECIS_ENOMEM) return st;
    if (old && old->model && !strcmp(old->model, model) && old->text && !strcmp(old->text, text)) {
        precis_profile_close(&r->p);
        r->p = old;
        return PRECIS_OK;
    }
    precis_profile_close(&old);
    r->ctx->message[0] = 0;
    r->p->model = pcs_arena_copy(&r->p->arena, model, 64);
    r->p->text = pcs_arena_copy(&r->p->arena, text, 64);
    return r->p->model && r->p->text ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Tokens that gradients are taken of. */
static uint32_t gradient_tokens(const pcs_profiler *r)
{
    const uint32_t asked = r->opt->calibrate.tokens,
                   most = r->opt->effort == PRECIS_EFFORT_FAST ? TOKENS_FAST : r->amounts.measured;
    return asked && asked < most ? asked : most;
}

static precis_status run_all(pcs_profiler *r)
{
    uint32_t tokens = 0;
    char model[65], text[65];
    const bool swaps = pcs_by_swaps(r);
    precis_status st = parse_types(r);
    if (!st) st = take_tops(r);
    if (!st) st = measure_speed(r, &tokens);
    if (!st) st = precis_model_sha256(r->origin, model);
    if (!st && swaps) st = begun_with(r, model, &tokens);
    if (!st && !swaps) { /* nothing that depends on how fast the machine is today */
        tokens = gradient_tokens(r);
        r->coder = pcs_method_by_name(r->numbers <= SEARCHED ? "search" : "rtn");
        r->plans = r->method ? r->amounts.plans : PLANS_LEAST;
    }
    /* articles of a text differ by more than a window of one tells: from all of the text, a window here and there */
    const uint32_t more = swaps ? MORE : 1, most = tokens * more < TOKENS_MOST ? tokens * more : TOKENS_MOST;
    const uint32_t coded = r->opt->calibrate.n_texts ? r->amounts.probed : r->amounts.sampled;
    const pcs_profile_text how = { WINDOW, most, r->method ? coded : 0 };
    if (!st) st = pcs_profile_windows(r->ctx, r->origin, &r->opt->calibrate, &how, &r->windows, &r->rest);
    if (st) return st;
    const size_t n = r->windows.n_ids;
    predict_time(r, (double)(tokens < n ? tokens : n), (double)(most < n ? most : n));
    precis_sha256(r->windows.ids, n * sizeof *r->windows.ids, text);
    st = take_cache(r, model, text);
    if (!st && swaps && r->p->n_plans < r->plans)
        pcs_warn(r->ctx, r->p->n ? "%s; part of it is done" : "%s", r->note);
    const char *coder = r->method ? r->method->name : r->coder->name;
    if (!st && !r->p->coder) r->p->coder = pcs_arena_copy(&r->p->arena, coder, strlen(coder));
    if (!st && !r->p->coder) st = PRECIS_ENOMEM;
    if (!st) st = pcs_profile_keep_text(r->p, &r->windows, &r->rest);
    r->p->tokens = tokens < r->windows.n_ids ? tokens : (uint32_t)r->windows.n_ids;
    if (!st) st = pcs_model_copy(r->ctx, &r->m, r->origin);
    const pcs_reference_text few = { &r->windows, tokens, r->vocabulary, r->cuts, r->n_cuts };
    const pcs_reference_text many = { &r->windows, r->windows.n_ids, r->vocabulary, NULL, 0 };
    if (!st && swaps) st = pcs_reference_open(r->ctx, &r->few, r->origin, &few);
    if (!st) st = pcs_profiler_advance(r, r->run);
    if (!st) st = pcs_reference_open(r->ctx, &r->many, r->origin, &many);
    if (!st) st = pcs_profiler_advance(r, r->whole);
    if (!st) st = swaps ? probes(r) : probes_by_gradients(r);
    if (!st && swaps) st = reach(r);
    if (!st && swaps) st = caches(r);
    if (!st) st = pcs_whole_plans(r);
    r->p->seconds += pcs_now() - r->begun;
    return !st && r->opt->cache ? precis_profile_save(r->ctx, r->p, r->opt->cache) : st;
}

precis_status pcs_sensitivity_check(precis_ctx *ctx, const precis_profile_options *opts)
{
    pcs_profiler r = { .ctx = ctx, .opt = opts };
    return parse_types(&r);
}

precis_status pcs_sensitivity_measure(precis_ctx *ctx, precis_profile **out, uint32_t *vocabulary,
                                      const precis_model *model, const precis_profile_options *opts)
{
    pcs_profiler r = { .ctx = ctx, .origin = model, .opt = opts, .begun = pcs_now() };
    r.amounts = pcs_amounts_of(model, &opts->calibrate);
    precis_status st = pcs_profile_new(ctx, &r.p);
    r.method = pcs_sensitivity_coder(ctx, opts);
    if (!st) st = run_all(&r);
    for (size_t i = 0; i < r.n_wanted; i++) pcs_spill_close(ctx, &r.codes[i]);
    pcs_free(ctx, r.codes);
    pcs_free(ctx, r.wanted);
    pcs_reference_close(&r.few);
    pcs_reference_close(&r.many);
    pcs_windows_free(&r.windows);
    pcs_windows_free(&r.rest);
    precis_model_close(&r.m);
    pcs_free(ctx, r.cuts);
    pcs_free(ctx, r.tops);
    *vocabulary = r.vocabulary;
    *out = r.p;
    return st;
}
