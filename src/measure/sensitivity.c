/* sensitivity.c - the profile: one tensor after another stands quantized in the model, which runs on from the layer
 * that holds it; the divergence of its logits from the original's is what that tensor costs. Then whole plans at
 * random, to see how costs add up. */
#include "measure/sensitivity.h"

#include "base/json.h"
#include "measure/divergence.h"
#include "measure/gradients.h"
#include "precis/text.h"
#include "quant/methods.h"

#include <math.h>
#include <stdio.h>

enum { PLANS = 16, PLANS_LEAST = 6, TOKENS_LEAST = 128, TOKENS_MOST = 8192, REACH = 4, MORE = 12, WINDOW = 256 };
enum { GRADIENTS_LEAST = 512, GRADIENTS_MOST = 4096, CODED_PLANS = 12, REST_MOST = 4096, REST_LEAST = 1024 };
#define GRADIENT_WORK 4e11 /* weights times tokens: half a minute of two cores, about */
#define SEARCHED 3e9 /* weights of a model that are coded by search, when there is time for it */

typedef struct {
    precis_ctx *ctx;
    const precis_model *origin;
    precis_model *m;               /* the copy in which tensors are swapped */
    const precis_profile_options *opt;
    precis_profile *p;
    const pcs_format *types[PCS_PROBES];
    size_t n_types;
    const pcs_method *coder;       /* search, as quant has it; rtn where there is no time for it */
    const pcs_method *method;      /* by gradients: of the whole model, which codes in its place; NULL: none */
    pcs_wanted_probe *wanted;      /* by gradients: what was coded, */
    pcs_spill *codes;              /* and its rows */
    size_t n_wanted;
    /* the text; by a method: what it codes the probes from, which is not measured, else they would look too good */
    pcs_windows windows, rest;
    /* the text that single weights are measured on; and whole plans, MORE times as much, for the text's own share of
     * the error is theirs */
    pcs_reference few, many;
    size_t plans;                  /* whole ones that are measured */
    char note[200];                /* what it will take */
    float *tops; /* [tensors]: largest magnitudes of those that may be probed */
    size_t n_cuts;
    precis_value *cuts;            /* ends of layers, in order */
    uint32_t vocabulary;
    double begun, coding, numbers; /* coding: predicted seconds of one weight; numbers: weights to code */
    /* each: predicted seconds of a token; runs: on the text of single weights; run, whole: seconds of one there, from
     * the first layer on, and of one of a whole plan */
    double each, runs, run, whole;
    double done, total;        /* predicted seconds */
} profiler;

/* Whether tensors are swapped one after another; else gradients cost them all. */
static bool by_swaps(const profiler *r)
{
    return r->opt->effort == PRECIS_EFFORT_DEFAULT || r->opt->effort == PRECIS_EFFORT_BEST;
}

/* ---- progress ------------------------------------------------------------------------------------------------ */

/* Share of a run that is behind a cut. */
static double share_behind(const profiler *r, size_t cuts) { return 1.0 - (double)cuts / (double)(r->n_cuts + 1); }

/* Progress is in predicted seconds, so that the time left is that of what is left. */
static precis_status advance(profiler *r, double seconds)
{
    r->done += seconds;
    const double done = r->done < r->total ? r->done : r->total * 0.999;
    return pcs_progress(r->ctx, "profile", (uint64_t)(1000 * done), (uint64_t)(1000 * r->total) + 1);
}

/* ---- swapping ------------------------------------------------------------------------------------------------ */

/* Tensor i of the copy in another format. *bytes is the caller's to free once the tensor is back. */
static precis_status swap(profiler *r, size_t i, const pcs_format *f, uint8_t **bytes, double *error)
{
    const pcs_tensor *t = &r->origin->tensors[i];
    const uint64_t size = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]);
    pcs_row_weights weights;
    precis_status st = pcs_imatrix_for(r->opt->imatrix, t, &weights);
    *bytes = st ? NULL : pcs_alloc(r->ctx, size + 64, 1);
    if (!st && !*bytes) st = PRECIS_ENOMEM;
    if (!st) st = pcs_quantize_tensor(r->ctx, t, f, r->coder, &weights, *bytes, error);
    if (st) return st;
    pcs_tensor *own = &r->m->tensors[i];
    own->format = f;
    own->data = *bytes;
    own->bytes = size;
    return PRECIS_OK;
}

static void put_back(profiler *r, size_t i, uint8_t *bytes)
{
    pcs_tensor *own = &r->m->tensors[i];
    const pcs_tensor *t = &r->origin->tensors[i];
    own->format = t->format;
    own->data = t->data;
    own->bytes = t->bytes;
    pcs_free(r->ctx, bytes);
}

static bool has_probe(const profiler *r, const char *tensor, const pcs_format *f)
{
    const pcs_sensitivity *s = pcs_profile_of(r->p, tensor);
    for (size_t k = 0; s && k < s->n; k++)
        if (!strcmp(s->probe[k].type, f->name)) return true;
    return false;
}

/* How many cuts lie before the first use of tensor i: the last of them is the end of the layer before its own. */
static size_t cuts_before(const profiler *r, const pcs_tensor *t)
{
    const bool last = t->is.role == PCS_ROLE_output || t->is.role == PCS_ROLE_output_norm;
    if (t->is.layer >= 0) return (size_t)t->is.layer;
    return last ? r->n_cuts : 0;
}

static precis_status probe(profiler *r, size_t i, const pcs_format *f)
{
    uint8_t *bytes = NULL;
    double error, kld = 0, se = 0;
    const pcs_tensor *t = &r->origin->tensors[i];
    precis_status st = swap(r, i, f, &bytes, &error);
    if (!st) st = pcs_reference_divergence(&r->few, r->m, &(pcs_compared){ .after = cuts_before(r, t) }, &kld, &se);
    put_back(r, i, bytes);
    if (!st) st = pcs_profile_add(r->p, t->name, f->name, error, kld, se);
    return st;
}

/* The type that stands for a probe in a tensor; NULL: it takes none, or would not shrink. */
static const pcs_format *probe_type(const profiler *r, const pcs_tensor *t, const pcs_format *f)
{
    const pcs_format *fit = pcs_quantizable(t) ? pcs_fitting(f, t->ne[0]) : NULL;
    return fit && fit != t->format && pcs_format_bpw(fit) < pcs_format_bpw(t->format) &&
                   pcs_format_holds(fit, r->tops[t - r->origin->tensors])
               ? fit
               : NULL;
}

static precis_status probes(profiler *r)
{
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++)
        for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
            const pcs_format *f = probe_type(r, &r->origin->tensors[i], r->types[k]);
            if (!f) continue;
            if (!has_probe(r, r->origin->tensors[i].name, f)) {
                if (k && pcs_now() - r->begun > r->opt->time_limit * 0.85) return PRECIS_OK; /* what there is will do */
                st = probe(r, i, f);
                if (!st && r->opt->cache && i % 16 == 0) st = precis_profile_save(r->ctx, r->p, r->opt->cache);
            }
            const pcs_tensor *t = &r->origin->tensors[i];
            if (!st) st = advance(r, r->run * share_behind(r, cuts_before(r, t)) + r->coding * (double)t->n);
        }
    return st;
}

static precis_status gradient_step(void *user)
{
    profiler *r = user;
    return advance(r, 1);
}

/* All probes at once. */
static precis_status probes_by_gradients(profiler *r)
{
    const size_t most = r->origin->n_tensors * r->n_types;
    r->wanted = pcs_alloc(r->ctx, most + 1, sizeof *r->wanted);
    r->codes = pcs_alloc(r->ctx, most + 1, sizeof *r->codes);
    if (!r->wanted || !r->codes) return PRECIS_ENOMEM;
    for (size_t k = 0; k < r->n_types; k++)
        for (size_t i = 0; i < r->origin->n_tensors; i++) {
            const pcs_format *f = probe_type(r, &r->origin->tensors[i], r->types[k]);
            if (f && !has_probe(r, r->origin->tensors[i].name, f))
                r->wanted[r->n_wanted++] = (pcs_wanted_probe){ i, f };
        }
    const pcs_gradient_job job = { r->origin, r->opt->imatrix, r->coder, r->method,
                                   r->rest.n_ids >= REST_LEAST ? &r->rest : &r->windows, &r->windows, r->wanted,
                                   r->n_wanted,
                                   r->codes, gradient_step, r };
    r->total += (double)r->n_wanted + (double)r->windows.n;
    return r->n_wanted ? pcs_probe_by_gradients(r->ctx, &job, r->p) : PRECIS_OK;
}

/* The type of at least so many bits whose error in a tensor is the largest of those that plans take by default, and its
 * error. */
static precis_status worst_type(profiler *r, const pcs_tensor *t, double weights, double bits,
                                const pcs_format **worst, double *error)
{
    pcs_draw d;
    precis_status st = pcs_draw_open(r->ctx, &d, t, r->coder, r->opt->imatrix, false, pcs_draw_steps(t, weights));
    *worst = NULL;
    *error = 0;
    for (size_t i = 0; pcs_formats[i] && !st; i++) {
        const pcs_format *f = pcs_formats[i];
        double e;
        if (!pcs_encodable(f) || f->kind != PCS_QUANT || !pcs_format_portable(f) ||
            (f->encode && f->block == PCS_BLOCK_MAX) || pcs_format_bpw(f) < bits || probe_type(r, t, f) != f)
            continue;
        st = pcs_draw_error(&d, f, d.steps, &e);
        if (!st && e > *error) *worst = f, *error = e;
    }
    pcs_draw_close(&d);
    return st;
}

/* A type of more bits whose error is far beyond those of a tensor's probes is told by no line through them (Q3_K of
 * SmolLM2's blk.11.ffn_down: 70 times Q2_K's error, and the same loss): it is probed, too. */
static precis_status reach(profiler *r)
{
    double weights = 0;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < r->origin->n_tensors; i++)
        weights += pcs_quantizable(&r->origin->tensors[i]) ? (double)r->origin->tensors[i].n : 0;
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
        if (!st) st = advance(r, 0);
    }
    return st;
}

/* ---- caches ------------------------------------------------------------------------------------------------------ */

/* Keys or values of one layer's cache as int8 and int4, the others f32: "blk.N.cache_k" and "blk.N.cache_v". */
static precis_status caches(profiler *r)
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
                if (!st) st = advance(r, r->run * share_behind(r, layer));
            }
    return st;
}

/* ---- whole plans ----------------------------------------------------------------------------------------------- */

/* Rows of a tensor as its probe had them. */
static const pcs_spill *coded(const profiler *r, size_t tensor, const pcs_format *f)
{
    for (size_t i = 0; i < r->n_wanted; i++)
        if (r->wanted[i].tensor == tensor && r->wanted[i].f == f) return &r->codes[i];
    return NULL;
}

/* A whole plan of what the method coded, around a level of bits. */
static precis_status coded_plan(profiler *r, uint64_t *seed, double share)
{
    double sum = 0, kld = 0, se = 0;
    const double last = (double)r->n_types - 1;
    for (size_t i = 0; i < r->origin->n_tensors; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        const double u = last - (pcs_rand_unit(seed) * 1.2 - 0.6 + share * last), at = u < 0 ? 0 : u > last ? last : u;
        const pcs_format *f = probe_type(r, t, r->types[(size_t)(at + 0.5)]);
        const pcs_spill *rows = f ? coded(r, i, f) : NULL;
        if (!rows) continue;
        pcs_tensor *own = &r->m->tensors[i];
        own->format = f;
        own->data = rows->data;
        own->bytes = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]);
        const double loss = pcs_profile_loss(r->p, t->name, f->name, 0);
        sum += loss > 0 ? loss : 0;
    }
    const precis_status st = pcs_reference_divergence(&r->many, r->m, &(pcs_compared){ 0 }, &kld, &se);
    for (size_t i = 0; i < r->origin->n_tensors; i++) put_back(r, i, NULL);
    if (!st && sum > 0 && kld > 0) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld, se };
    return st;
}

static precis_status whole_plan(profiler *r, uint64_t *seed, double share)
{
    if (r->method) return coded_plan(r, seed, share);
    static const char *const names[] = { "Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0" };
    uint8_t **bytes = pcs_alloc(r->ctx, r->origin->n_tensors + 1, sizeof *bytes);
    precis_status st = bytes ? PRECIS_OK : PRECIS_ENOMEM;
    double sum = 0, kld = 0, se = 0;
    for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        const double u = pcs_rand_unit(seed) * 3 - 1.5 + share * 6; /* around a level of bits */
        const int pick = u < 0 ? 0 : u > 6 ? 6 : (int)(u + 0.5);
        const pcs_format *f = pcs_format_by_name(names[pick]), *fit = f ? probe_type(r, t, f) : NULL;
        double error, loss;
        if (!fit || !pcs_profile_of(r->p, t->name)) continue;
        st = swap(r, i, fit, &bytes[i], &error);
        if (!st && (loss = pcs_profile_loss(r->p, t->name, fit->name, error)) > 0) sum += loss;
    }
    if (!st) st = pcs_reference_divergence(&r->many, r->m, &(pcs_compared){ 0 }, &kld, &se);
    for (size_t i = 0; bytes && i < r->origin->n_tensors; i++)
        if (bytes[i]) put_back(r, i, bytes[i]);
    pcs_free(r->ctx, bytes);
    if (!st && sum > 0 && kld > 0) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld, se };
    return st;
}

static precis_status whole_plans(profiler *r)
{
    uint64_t seed = r->ctx->opt.seed ^ 0x9a1e5u;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->plans && !st; k++) {
        if (k >= r->p->n_plans) {
            if (by_swaps(r) && k >= 4 && pcs_now() - r->begun > r->opt->time_limit) break;
            /* wherever time ends, plans of all sizes have been measured */
            st = whole_plan(r, &seed, pcs_spread(k) + 0.5 / PLANS);
        } else for (size_t i = 0; i < r->origin->n_tensors; i++) (void)pcs_rand_unit(&seed);
        if (!st) st = advance(r, r->whole + r->coding * r->numbers);
    }
    return st;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static precis_status parse_types(profiler *r)
{
    const char *list = r->opt->types ? r->opt->types : r->method ? "Q6_K,Q4_K,Q2_K" : "Q4_K,Q2_K";
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
static precis_status coding_speed(profiler *r, const pcs_method *coder, double *each)
{
    const pcs_tensor *some = NULL;
    for (size_t i = 0; i < r->origin->n_tensors; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        if (probe_type(r, t, r->types[0]) &&
            (!some || (some->n < 100000 ? t->n > some->n : t->n >= 100000 && t->n < some->n)))
            some = t;
    }
    *each = 0;
    if (!some) return PRECIS_OK;
    double spent = 0, error;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++) {
        const pcs_format *f = probe_type(r, some, r->types[k]);
        if (!f) continue;
        pcs_row_weights w = { .mean = NULL };
        if ((st = pcs_imatrix_for(r->opt->imatrix, some, &w))) return st;
        uint8_t *bytes = pcs_alloc(r->ctx, pcs_tensor_rows(some), pcs_row_bytes(f, (uint64_t)some->ne[0]));
        const double begun = pcs_now();
        st = bytes ? pcs_quantize_tensor(r->ctx, some, f, coder, &w, bytes, &error) : PRECIS_ENOMEM;
        spent += pcs_now() - begun;
        pcs_free(r->ctx, bytes);
    }
    *each = spent / (double)r->n_types / (double)some->n;
    return st;
}

/* What the rest will take, with so many tokens for single weights and for whole plans. */
static void predict_time(profiler *r, double tokens, double more)
{
    r->run = r->each * tokens;
    r->whole = r->each * more;
    const double coded = r->numbers * (double)(r->n_types + r->plans);
    r->total = r->run * r->runs + r->whole * (double)(r->plans + 1) + r->coding * coded;
    size_t weights = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++)
        weights += probe_type(r, &r->origin->tensors[i], r->types[0]) != NULL;
    snprintf(r->note, sizeof r->note,
             "profile: %zu weights, %zu types coded by %s, %zu whole plans, %.0f tokens: about %.0f s%s", weights,
             r->n_types, r->coder->name, r->plans, tokens, r->total * 1.1,
             r->total > r->opt->time_limit ? ", more than the limit: the last plans will be left out" : "");
}

/* How the time is spent: by search where that leaves most of it to the divergences, else by rtn; fewer plans, then
 * fewer types, then fewer tokens. */
static precis_status budget_time(profiler *r, uint32_t *tokens)
{
    const double limit = r->opt->time_limit, margin = 0.8;
    double coding = 0, allowed = 0, runs = 0;
    precis_status st = PRECIS_OK;
    r->plans = PLANS;
    for (int turn = 0; turn < 4 && !st; turn++) {
        r->coder = pcs_method_by_name(turn == 0 && r->numbers <= SEARCHED ? "search" : "rtn");
        if (turn == 2) r->plans = PLANS_LEAST;
        if (turn == 3) r->n_types = 1;
        st = coding_speed(r, r->coder, &r->coding);
        coding = r->coding * r->numbers * (double)(r->n_types + r->plans);
        runs = 1; /* the original's */
        for (size_t i = 0; i < r->origin->n_tensors; i++)
            if (probe_type(r, &r->origin->tensors[i], r->types[0]))
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

static precis_status take_tops(profiler *r)
{
    const precis_model *m = r->origin;
    precis_status st = (r->tops = pcs_alloc(r->ctx, m->n_tensors + 1, sizeof *r->tops)) ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors && !st; i++)
        if (pcs_quantizable(&m->tensors[i])) st = pcs_tensor_top(r->ctx, &m->tensors[i], &r->tops[i]);
    return st;
}

/* Cuts, and how long a token takes. */
static precis_status measure_speed(profiler *r, uint32_t *tokens)
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
        numbers += probe_type(r, &r->origin->tensors[i], r->types[0]) ? (double)r->origin->tensors[i].n : 0;
    r->numbers = numbers;
    r->each = least / 64;
    return st || !by_swaps(r) ? st : budget_time(r, tokens);
}

/* A profile that was begun goes on with the tokens and the coder that it began with, however fast the machine is
 * today. */
static precis_status begun_with(profiler *r, const char *model, uint32_t *tokens)
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
        if (old->n_plans > PLANS_LEAST && r->plans < PLANS) r->plans = PLANS;
    }
    precis_profile_close(&old);
    return PRECIS_OK;
}

/* The model and the tokens are what the measurement depends on: a cache of others is not taken. */
static precis_status take_cache(profiler *r, const char *model, const char *text)
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

/* Tokens that gradients are taken of: by the model's size alone, so that a plan is the same on every machine. */
static uint32_t gradient_tokens(const profiler *r)
{
    double weights = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++)
        weights += pcs_quantizable(&r->origin->tensors[i]) ? (double)r->origin->tensors[i].n : 0;
    const double tokens = r->opt->effort == PRECIS_EFFORT_FAST ? 0 : GRADIENT_WORK / (weights + 1);
    const double least = tokens < GRADIENTS_LEAST ? GRADIENTS_LEAST : tokens;
    const uint32_t most = least > GRADIENTS_MOST ? GRADIENTS_MOST : (uint32_t)least;
    return r->opt->calibrate.tokens && r->opt->calibrate.tokens < most ? r->opt->calibrate.tokens : most;
}

static precis_status run_all(profiler *r)
{
    uint32_t tokens = 0;
    char model[65], text[65];
    const bool swaps = by_swaps(r);
    precis_status st = parse_types(r);
    if (!st) st = take_tops(r);
    if (!st) st = measure_speed(r, &tokens);
    if (!st) st = precis_model_sha256(r->origin, model);
    if (!st && swaps) st = begun_with(r, model, &tokens);
    if (!st && !swaps) { /* nothing that depends on how fast the machine is today */
        tokens = gradient_tokens(r);
        r->coder = pcs_method_by_name(r->numbers <= SEARCHED ? "search" : "rtn");
        r->plans = r->method ? CODED_PLANS : PLANS_LEAST;
    }
    /* articles of a text differ by more than a window of one tells: from all of the text, a window here and there */
    const uint32_t more = swaps ? MORE : 1, most = tokens * more < TOKENS_MOST ? tokens * more : TOKENS_MOST;
    const pcs_profile_text how = { WINDOW, most, r->method ? REST_MOST : 0 };
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
    if (!st) st = advance(r, r->run);
    if (!st) st = pcs_reference_open(r->ctx, &r->many, r->origin, &many);
    if (!st) st = advance(r, r->whole);
    if (!st) st = swaps ? probes(r) : probes_by_gradients(r);
    if (!st && swaps) st = reach(r);
    if (!st && swaps) st = caches(r);
    if (!st) st = whole_plans(r);
    r->p->seconds += pcs_now() - r->begun;
    return !st && r->opt->cache ? precis_profile_save(r->ctx, r->p, r->opt->cache) : st;
}

precis_status pcs_sensitivity_check(precis_ctx *ctx, const precis_profile_options *opts)
{
    profiler r = { .ctx = ctx, .opt = opts };
    return parse_types(&r);
}

precis_status pcs_sensitivity_measure(precis_ctx *ctx, precis_profile **out, uint32_t *vocabulary,
                                      const precis_model *model, const precis_profile_options *opts)
{
    profiler r = { .ctx = ctx, .origin = model, .opt = opts, .begun = pcs_now() };
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
