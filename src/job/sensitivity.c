/* sensitivity.c - the profile: one tensor after another stands quantized in the model, which runs on from the layer that holds it; the
 * divergence of its logits from the original's is what that tensor costs. Then whole plans at random, to see how costs add up. */
#include "base/json.h"
#include "base/pool.h"
#include "eval/eval.h"
#include "precis/text.h"
#include "quant/methods.h"
#include "quant/profile.h"

#include <math.h>
#include <stdio.h>

enum { PLANS = 16, PLANS_LEAST = 6, TOKENS_LEAST = 128, TOKENS_MOST = 4096 };
#define SEARCHED 3e8 /* weights of a model that are coded by search, when there is time for it */
#define LOGITS_MOST ((size_t)384 << 20) /* bytes of the original's logits that are kept */

typedef struct {
    precis_ctx *ctx;
    const precis_model *origin;
    precis_model *m;               /* the copy in which tensors are swapped */
    const precis_profile_options *opt;
    precis_profile *p;
    const pcs_format *types[PCS_PROBES];
    size_t n_types;
    const char *k_list, *v_list;   /* KV types of the run; NULL: f32 */
    const pcs_method *coder;       /* search, as quant has it; of large models rtn, which takes a tenth of the time */
    pcs_windows windows;
    int32_t *positions, *zeros, *outputs;
    uint32_t stride;               /* every so many positions of a window's second half are scored, as `eval` does */
    size_t plans;                  /* whole ones that are measured */
    char note[200];                /* what it will take */
    size_t n_cuts;
    precis_value *cuts;            /* ends of layers, in order */
    float *states;                 /* [cut][token][width] of the original */
    float *logits;                 /* [scored][vocabulary] of the original */
    double *log_sums;
    size_t scored;
    uint32_t width, vocabulary;
    double begun;
    size_t done, total;
} profiler;

/* ---- divergence --------------------------------------------------------------------------------------------- */

typedef struct { const profiler *r; size_t first; const float *x; double *kld; } scoring;

static void score(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const scoring *s = arg;
    const size_t n = s->r->vocabulary;
    for (uint64_t i = begin; i < end; i++) {
        const float *p = s->r->logits + (s->first + i) * n, *q = s->x + i * n;
        s->kld[s->first + i] = pcs_divergence(p, s->r->log_sums[s->first + i], q, pcs_log_sum(q, n, NULL), n);
    }
}

/* Positions of a window of n tokens that are scored. */
static size_t scored_of(const profiler *r, uint32_t n) { return (n - n / 2 + r->stride - 1) / r->stride; }

/* Mean, and its standard error from the windows' means: tokens of a text are not independent. */
static double mean_of(const profiler *r, const double *kld, double *se)
{
    double sum = 0, var = 0;
    size_t at = 0, used = 0;
    for (size_t i = 0; i < r->scored; i++) sum += kld[i];
    const double mean = sum / (double)r->scored;
    for (size_t w = 0; w < r->windows.n; w++) {
        const size_t k = scored_of(r, r->windows.lengths[w]);
        double part = 0;
        for (size_t i = 0; i < k; i++) part += kld[at + i] - mean;
        var += part * part;
        at += k;
        used++;
    }
    *se = used > 1 ? sqrt(var * (double)used / (double)(used - 1)) / (double)r->scored : fabs(mean);
    return mean;
}

/* ---- running from a layer on --------------------------------------------------------------------------------- */

static void bind(profiler *r, precis_runner *run, const int32_t *ids, uint32_t n)
{
    for (size_t i = 0; i < scored_of(r, n); i++) r->outputs[i] = (int32_t)(n / 2 + i * r->stride);
    pcs_program_bind(run->program, run->lm.tokens, ids);
    pcs_program_bind(run->program, run->lm.positions, r->positions);
    pcs_program_bind(run->program, run->lm.sequences, r->zeros);
    pcs_program_bind(run->program, run->lm.outputs, r->outputs);
}

static precis_status open_run(profiler *r, const precis_model *m, precis_runner **run)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_FAST;
    o.k_type = r->k_list ? r->k_list : "f32";
    o.v_type = r->v_list ? r->v_list : "f32";
    o.context = o.batch = r->windows.longest;
    o.outputs = (uint32_t)scored_of(r, r->windows.longest) + 1;
    return precis_runner_open(r->ctx, run, m, &o);
}

/* Divergence of the copy as it is, run from behind cut number `cut` (-1: all of it). */
static precis_status divergence(profiler *r, long cut, double *kld, double *se)
{
    precis_runner *run;
    precis_status st = open_run(r, r->m, &run);
    double *each = pcs_alloc(r->ctx, r->scored, sizeof *each);
    if (!st && !each) st = PRECIS_ENOMEM;
    precis_program *p = st ? NULL : run->program;
    const size_t preamble = p ? pcs_program_preamble(p) : 0;
    size_t from = 0, first = 0, at = 0;
    if (p && cut >= 0) from = pcs_program_step_of(p, r->cuts[cut]) + 1;
    for (size_t w = 0; w < r->windows.n && !st; w++) {
        const uint32_t n = r->windows.lengths[w];
        const int64_t outs = (int64_t)scored_of(r, n);
        bind(r, run, r->windows.ids + at, n);
        if (cut < 0) st = pcs_program_run(p, n, outs);
        else {
            st = pcs_program_run_part(p, n, outs, 0, preamble);
            const pcs_slot *slot = &p->slots[p->slots[r->cuts[cut]].root];
            memcpy(p->buffer + slot->offset, r->states + ((size_t)cut * r->windows.n_ids + at) * r->width, (size_t)n * r->width * sizeof(float));
            if (!st) st = pcs_program_run_part(p, n, outs, from, p->n_steps);
        }
        if (!st) pcs_for(r->ctx, (uint64_t)outs, 1, score, &(scoring){ r, first, pcs_program_value(p, run->lm.logits), each });
        first += (size_t)outs;
        at += n;
    }
    if (!st) *kld = mean_of(r, each, se);
    pcs_free(r->ctx, each);
    precis_runner_close(&run);
    return st;
}

typedef struct { profiler *r; size_t cut, at; } keeper;

static void keep(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const keeper *k = user;
    memcpy(k->r->states + (k->cut * k->r->windows.n_ids + k->at) * width, x, rows * width * sizeof *x);
}

/* The original's states and logits. */
static precis_status original(profiler *r)
{
    precis_runner *run;
    precis_status st = open_run(r, r->origin, &run);
    if (st) return st;
    keeper *k = pcs_alloc(r->ctx, r->n_cuts + 1, sizeof *k);
    r->states = pcs_alloc(r->ctx, r->n_cuts * r->windows.n_ids * r->width + 1, sizeof *r->states);
    r->logits = pcs_alloc(r->ctx, r->scored * r->vocabulary, sizeof *r->logits);
    r->log_sums = pcs_alloc(r->ctx, r->scored, sizeof *r->log_sums);
    if (!k || !r->states || !r->logits || !r->log_sums) st = PRECIS_ENOMEM;
    for (size_t c = 0; c < r->n_cuts && !st; c++) {
        k[c] = (keeper){ r, c, 0 };
        pcs_program_tap(run->program, r->cuts[c], keep, &k[c]);
    }
    size_t at = 0, first = 0;
    for (size_t w = 0; w < r->windows.n && !st; w++) {
        const uint32_t n = r->windows.lengths[w];
        const int64_t outs = (int64_t)scored_of(r, n);
        for (size_t c = 0; c < r->n_cuts; c++) k[c].at = at;
        bind(r, run, r->windows.ids + at, n);
        st = pcs_program_run(run->program, n, outs);
        if (!st) memcpy(r->logits + first * r->vocabulary, pcs_program_value(run->program, run->lm.logits), (size_t)outs * r->vocabulary * sizeof(float));
        first += (size_t)outs;
        at += n;
        if (!st) st = pcs_progress(r->ctx, "profile", w, 10 * r->windows.n);
    }
    for (size_t i = 0; i < r->scored && !st; i++) r->log_sums[i] = pcs_log_sum(r->logits + i * r->vocabulary, r->vocabulary, NULL);
    pcs_free(r->ctx, k);
    precis_runner_close(&run);
    return st;
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

/* Cut behind which tensor i is first used: the end of the layer before its own. */
static long cut_before(const profiler *r, const pcs_tensor *t)
{
    const int layer = pcs_layer_of(t->name);
    if (layer >= 0) return (long)layer - 1;
    return !strncmp(t->name, "output", 6) ? (long)r->n_cuts - 1 : -1;
}

static precis_status probe(profiler *r, size_t i, const pcs_format *f)
{
    uint8_t *bytes = NULL;
    double error, kld = 0, se = 0;
    const pcs_tensor *t = &r->origin->tensors[i];
    precis_status st = swap(r, i, f, &bytes, &error);
    if (!st) st = divergence(r, cut_before(r, t), &kld, &se);
    put_back(r, i, bytes);
    if (!st) st = pcs_profile_add(r->p, t->name, f->name, error, kld, se);
    return st;
}

/* The type that stands for a probe in a tensor; NULL: it takes none, or would not shrink. */
static const pcs_format *probe_type(const pcs_tensor *t, const pcs_format *f)
{
    const pcs_format *fit = pcs_quantizable(t) ? pcs_fitting(f, t->ne[0]) : NULL;
    return fit && fit != t->format && pcs_format_bpw(fit) < pcs_format_bpw(t->format) ? fit : NULL;
}

static precis_status probes(profiler *r)
{
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++)
        for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
            const pcs_format *f = probe_type(&r->origin->tensors[i], r->types[k]);
            if (!f) continue;
            if (!has_probe(r, r->origin->tensors[i].name, f)) {
                if (k && pcs_now() - r->begun > r->opt->time_limit * 0.85) return PRECIS_OK; /* what there is will do */
                st = probe(r, i, f);
                if (!st && r->opt->cache && r->done % 16 == 0) st = precis_profile_save(r->ctx, r->p, r->opt->cache);
            }
            if (!st) st = pcs_progress(r->ctx, "profile", ++r->done, r->total);
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
                    for (size_t l = 0; l < r->n_cuts && !st; l++) st = pcs_buf_printf(&list, "%s%s", l ? "," : "", l == layer ? types[t] : "f32");
                    if (which) r->v_list = list.data;
                    else r->k_list = list.data;
                    if (!st) st = divergence(r, (long)layer - 1, &kld, &se);
                    r->k_list = r->v_list = NULL;
                    pcs_buf_free(&list);
                    if (!st) st = pcs_profile_add(r->p, name, types[t], t ? 1.0 / 16 : 1.0 / 256, kld, se); /* errors: a step of the type */
                }
                if (!st) st = pcs_progress(r->ctx, "profile", ++r->done, r->total);
            }
    return st;
}

/* ---- whole plans ----------------------------------------------------------------------------------------------- */

static precis_status whole_plan(profiler *r, uint64_t *seed, double share)
{
    static const char *const names[] = { "Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0" };
    uint8_t **bytes = pcs_alloc(r->ctx, r->origin->n_tensors + 1, sizeof *bytes);
    precis_status st = bytes ? PRECIS_OK : PRECIS_ENOMEM;
    double sum = 0, kld = 0, se = 0;
    for (size_t i = 0; i < r->origin->n_tensors && !st; i++) {
        const pcs_tensor *t = &r->origin->tensors[i];
        const double u = pcs_rand_unit(seed) * 3 - 1.5 + share * 6; /* around a level of bits */
        const int pick = u < 0 ? 0 : u > 6 ? 6 : (int)(u + 0.5);
        const pcs_format *f = pcs_format_by_name(names[pick]), *fit = f ? probe_type(t, f) : NULL;
        double error, loss;
        if (!fit || !pcs_profile_of(r->p, t->name)) continue;
        st = swap(r, i, fit, &bytes[i], &error);
        if (!st && (loss = pcs_profile_loss(r->p, t->name, error)) > 0) sum += loss;
    }
    if (!st) st = divergence(r, -1, &kld, &se);
    for (size_t i = 0; bytes && i < r->origin->n_tensors; i++)
        if (bytes[i]) put_back(r, i, bytes[i]);
    pcs_free(r->ctx, bytes);
    if (!st && sum > 0 && kld > 0) r->p->plans[r->p->n_plans++] = (pcs_plan_sample){ sum, kld };
    return st;
}

static precis_status whole_plans(profiler *r)
{
    uint64_t seed = r->ctx->opt.seed ^ 0x9a1e5u;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->plans && !st; k++) {
        if (k >= r->p->n_plans) {
            if (k >= 4 && pcs_now() - r->begun > r->opt->time_limit) break;
            st = whole_plan(r, &seed, ((double)k + 0.5) / (double)r->plans);
        } else for (size_t i = 0; i < r->origin->n_tensors; i++) (void)pcs_rand_unit(&seed);
        if (!st) st = pcs_progress(r->ctx, "profile", ++r->done, r->total);
    }
    return st;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static precis_status parse_types(profiler *r)
{
    const char *list = r->opt->types ? r->opt->types : "Q4_K,Q2_K";
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
        char name[32] = { 0 };
        const size_t len = strcspn(p, ",");
        memcpy(name, p, len < 31 ? len : 31);
        const pcs_format *f = pcs_format_by_name(name);
        if (!f || !pcs_encodable(f)) return pcs_fail(r->ctx, PRECIS_EINVAL, "\"%s\" is no type that can be written", name);
        if (r->n_types == PCS_PROBES) return pcs_fail(r->ctx, PRECIS_EINVAL, "%s: more than %d types", list, PCS_PROBES);
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
        if (probe_type(t, r->types[0]) && (!some || (some->n < 100000 ? t->n > some->n : t->n >= 100000 && t->n < some->n))) some = t;
    }
    *each = 0;
    if (!some) return PRECIS_OK;
    double spent = 0, error;
    precis_status st = PRECIS_OK;
    for (size_t k = 0; k < r->n_types && !st; k++) {
        const pcs_format *f = probe_type(some, r->types[k]);
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

/* How the time is spent: by search where that leaves most of it to the divergences, else by rtn; fewer plans, then fewer types, then fewer tokens. */
static precis_status budget_time(profiler *r, double each, double numbers, uint32_t *tokens)
{
    const double limit = r->opt->time_limit, margin = 0.8;
    double coding = 0, allowed = 0, runs = 0;
    size_t weights = 0;
    precis_status st = PRECIS_OK;
    r->plans = PLANS;
    for (int turn = 0; turn < 4 && !st; turn++) {
        r->coder = pcs_method_by_name(turn == 0 && numbers <= SEARCHED ? "search" : "rtn");
        if (turn == 2) r->plans = PLANS_LEAST;
        if (turn == 3) r->n_types = 1;
        st = coding_speed(r, r->coder, &coding);
        coding *= numbers * (double)(r->n_types + r->plans);
        runs = (double)r->plans;
        weights = 0;
        for (size_t i = 0; i < r->origin->n_tensors; i++) {
            if (!probe_type(&r->origin->tensors[i], r->types[0])) continue;
            weights++;
            runs += (1.0 - (double)(cut_before(r, &r->origin->tensors[i]) + 1) / (double)(r->n_cuts + 1)) * (double)r->n_types;
        }
        runs += 2.0 * (double)r->n_cuts; /* the caches: four probes of a layer, half the net each */
        allowed = (margin * limit - coding) / (each * runs);
        if (allowed >= 2 * TOKENS_LEAST && coding < 0.5 * limit) break;
    }
    *tokens = (uint32_t)(allowed < TOKENS_LEAST ? TOKENS_LEAST : allowed > TOKENS_MOST ? TOKENS_MOST : allowed);
    if (r->opt->calibrate.tokens && *tokens > r->opt->calibrate.tokens) *tokens = r->opt->calibrate.tokens;
    r->total = weights * r->n_types + 4 * r->n_cuts + r->plans;
    const double need = each * *tokens * runs + coding;
    snprintf(r->note, sizeof r->note, "profile: %zu weights, %zu types coded by %s, %zu whole plans, %u tokens: about %.0f s%s", weights, r->n_types, r->coder->name, r->plans, *tokens, need * 1.1,
             need > limit ? ", more than the limit: the last plans will be left out" : "");
    return st;
}

/* Cuts, and how long a token takes. */
static precis_status measure_speed(profiler *r, uint32_t *tokens)
{
    precis_runner *run;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.k_type = o.v_type = "f32";
    o.context = o.batch = 64;
    precis_status st = precis_runner_open(r->ctx, &run, r->origin, &o);
    if (st) return st;
    if (run->lm.encoder) st = pcs_fail(r->ctx, PRECIS_EUNSUPPORTED, "%s: an encoder has no next tokens to measure", r->origin->path);
    const precis_graph *g = run->graph;
    r->width = run->lm.width;
    r->vocabulary = run->lm.vocabulary;
    r->cuts = pcs_alloc(r->ctx, g->n_nodes + 1, sizeof *r->cuts);
    precis_row rows[64];
    for (uint32_t i = 0; i < 64; i++) rows[i] = (precis_row){ (int32_t)(i * 37 % r->vocabulary), i, 0, i == 63, 0 };
    if (!r->cuts) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->values[g->nodes[i].out].cut) r->cuts[r->n_cuts++] = g->nodes[i].out;
    double least = 1e9;
    for (int turn = 0; turn < 2 && !st; turn++) {
        const double begun = pcs_now();
        st = precis_runner_decode(run, rows, 64, NULL);
        least = pcs_now() - begun < least ? pcs_now() - begun : least;
    }
    precis_runner_close(&run);
    double numbers = 0;
    for (size_t i = 0; i < r->origin->n_tensors; i++) numbers += probe_type(&r->origin->tensors[i], r->types[0]) ? (double)r->origin->tensors[i].n : 0;
    return st ? st : budget_time(r, least / 64, numbers, tokens);
}

/* A profile that was begun goes on with the tokens and the coder that it began with, however fast the machine is today. */
static void begun_with(profiler *r, const char *model, uint32_t *tokens)
{
    precis_profile *old = NULL;
    if (!r->opt->cache || precis_profile_open(r->ctx, &old, r->opt->cache)) {
        r->ctx->message[0] = 0;
        return;
    }
    const bool asked = r->opt->calibrate.tokens && r->opt->calibrate.tokens != old->tokens && r->opt->calibrate.tokens < *tokens;
    if (old->model && !strcmp(old->model, model) && old->tokens && !asked) {
        *tokens = old->tokens;
        if (old->coder && pcs_method_by_name(old->coder) && pcs_method_by_name(old->coder)->row) r->coder = pcs_method_by_name(old->coder);
        if (old->n_plans > PLANS_LEAST && r->plans < PLANS) r->plans = PLANS;
    }
    precis_profile_close(&old);
}

/* The model and the tokens are what the measurement depends on: a cache of others is not taken. */
static precis_status take_cache(profiler *r, const char *model, const char *text)
{
    precis_profile *old = NULL;
    if (r->opt->cache && !precis_profile_open(r->ctx, &old, r->opt->cache) && old->model && !strcmp(old->model, model) && old->text && !strcmp(old->text, text)) {
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

static precis_status run_all(profiler *r)
{
    uint32_t tokens = 0;
    char model[65], text[65];
    precis_calibrate_options c = r->opt->calibrate;
    precis_status st = parse_types(r);
    if (!st) st = measure_speed(r, &tokens);
    if (!st) st = precis_model_sha256(r->origin, model);
    if (!st) begun_with(r, model, &tokens);
    c.tokens = tokens;
    if (!st) st = pcs_windows_make(r->ctx, r->origin, &c, &r->windows);
    if (st) return st;
    r->stride = 1;
    while (r->windows.n_ids / 2 / r->stride * r->vocabulary * sizeof(float) > LOGITS_MOST) r->stride++;
    for (size_t w = 0; w < r->windows.n; w++) r->scored += scored_of(r, r->windows.lengths[w]);
    r->positions = pcs_alloc(r->ctx, 3 * (size_t)r->windows.longest, sizeof *r->positions);
    if (!r->positions) return PRECIS_ENOMEM;
    r->zeros = r->positions + r->windows.longest;
    r->outputs = r->zeros + r->windows.longest;
    for (uint32_t i = 0; i < r->windows.longest; i++) r->positions[i] = (int32_t)i;
    precis_sha256(r->windows.ids, r->windows.n_ids * sizeof *r->windows.ids, text);
    st = take_cache(r, model, text);
    if (!st && r->p->n_plans < r->plans) pcs_warn(r->ctx, r->p->n ? "%s; part of it is done" : "%s", r->note);
    if (!st && !r->p->coder && !(r->p->coder = pcs_arena_copy(&r->p->arena, r->coder->name, strlen(r->coder->name)))) st = PRECIS_ENOMEM;
    r->p->tokens = (uint32_t)r->windows.n_ids;
    if (!st) st = pcs_model_copy(r->ctx, &r->m, r->origin);
    if (!st) st = original(r);
    if (!st) st = probes(r);
    if (!st) st = caches(r);
    if (!st) st = whole_plans(r);
    r->p->seconds += pcs_now() - r->begun;
    if (!st && r->opt->cache) st = precis_profile_save(r->ctx, r->p, r->opt->cache);
    return st ? st : pcs_progress(r->ctx, "profile", 1, 1);
}

precis_status precis_profile_make(precis_ctx *ctx, precis_profile **out, const precis_model *model, const precis_profile_options *opts)
{
    static const precis_profile_options defaults = PRECIS_PROFILE_OPTIONS_INIT;
    precis_profile_options o = opts ? *opts : defaults;
    if (!(o.time_limit > 0)) o.time_limit = 600;
    profiler r = { .ctx = ctx, .origin = model, .opt = &o, .begun = pcs_now() };
    *out = NULL;
    precis_status st = pcs_profile_new(ctx, &r.p);
    if (!st) st = run_all(&r);
    pcs_windows_free(&r.windows);
    precis_model_close(&r.m);
    pcs_free(ctx, r.cuts);
    pcs_free(ctx, r.positions);
    pcs_free(ctx, r.states);
    pcs_free(ctx, r.logits);
    pcs_free(ctx, r.log_sums);
    if (st) precis_profile_close(&r.p);
    *out = r.p;
    return st;
}
