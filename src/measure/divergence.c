/* divergence.c - how far a model is from another on a text: mean KL divergence of its logits, from any layer on. */
#include "measure/divergence.h"

#include "base/pool.h"
#include "eval/eval.h"

#include <math.h>

enum { BLOCK = 64, BLOCK_LEAST = 16, BLOCKS = 16 }; /* scored positions of a block; blocks that there should be */
#define LOGITS_MOST ((size_t)384 << 20) /* bytes of the original's logits that are kept */

typedef struct { const pcs_reference *r; size_t first; const float *x; double *kld; } scoring;

static void score(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const scoring *s = arg;
    const size_t n = s->r->vocabulary;
    for (uint64_t i = begin; i < end; i++) {
        const float *p = s->r->logits + (s->first + i) * n, *q = s->x + i * n;
        const double of_p = s->r->log_sums[s->first + i], of_q = pcs_log_sum(&s->r->kernels, q, n, NULL);
        s->kld[s->first + i] = pcs_divergence(&s->r->kernels, p, of_p, q, of_q, n);
    }
}

/* Positions of a window of n tokens that are scored. */
static size_t scored_of(const pcs_reference *r, uint32_t n) { return (n - n / 2 + r->stride - 1) / r->stride; }

/* Mean, and its standard error from the means of blocks: near tokens of a text are not independent. */
static double mean_of(const pcs_reference *r, const double *kld, double *se)
{
    double sum = 0, var = 0;
    size_t at = 0, blocks = 0;
    for (size_t i = 0; i < r->scored; i++) sum += kld[i];
    const double mean = sum / (double)r->scored;
    const size_t even = r->scored * r->stride / BLOCKS;
    const size_t positions = even < BLOCK_LEAST ? BLOCK_LEAST : even > BLOCK ? BLOCK : even;
    const size_t block = (positions + r->stride - 1) / r->stride;
    for (size_t w = 0; w < r->windows.n; w++) {
        const size_t end = at + scored_of(r, r->windows.lengths[w]);
        while (at < end) {
            const size_t stop = end - at < block + block / 2 ? end : at + block; /* no short ones at the end */
            double part = 0;
            for (; at < stop; at++) part += kld[at] - mean;
            var += part * part;
            blocks++;
        }
    }
    *se = blocks > 1 ? sqrt(var * (double)blocks / (double)(blocks - 1)) / (double)r->scored : fabs(mean);
    return mean;
}

static precis_status open_run(const pcs_reference *r, const precis_model *m, const char *k_list, const char *v_list,
                              precis_runner **run)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_FAST;
    o.k_type = k_list ? k_list : "f32";
    o.v_type = v_list ? v_list : "f32";
    o.context = o.batch = r->windows.longest;
    o.outputs = (uint32_t)scored_of(r, r->windows.longest) + 1;
    return precis_runner_open(r->ctx, run, m, &o);
}

typedef struct { pcs_reference *r; precis_runner *run; double *kld; } comparing;

static precis_status score_all(void *user, const pcs_sample *at)
{
    const comparing *c = user;
    const float *logits = pcs_program_value(c->run->program, c->run->lm.logits);
    pcs_for(c->r->ctx, at->wanted, 1, score, &(scoring){ c->r, (size_t)at->first_wanted, logits, c->kld });
    return PRECIS_OK;
}

precis_status pcs_reference_divergence(pcs_reference *r, const precis_model *m, const pcs_compared *as, double *kld,
                                       double *se)
{
    precis_runner *run;
    precis_status st = open_run(r, m, as->k_list, as->v_list, &run);
    double *each = pcs_alloc(r->ctx, r->scored, sizeof *each);
    if (!st && !each) st = PRECIS_ENOMEM;
    comparing c = { r, run, each };
    if (!st) {
        precis_program *p = run->program;
        pcs_samples_pass pass = { .on = { .program = p, .runner = run }, .after = score_all, .user = &c };
        if (as->after) {
            pass.part = true;
            pass.cut = r->cuts[as->after - 1];
            pass.states = r->states + (as->after - 1) * r->windows.n_ids * r->width;
            pass.width = r->width;
            pass.from = pcs_program_step_of(p, pass.cut) + 1;
            pass.to = p->n_steps;
        }
        st = pcs_samples_run(&r->samples, &pass);
    }
    if (!st) *kld = mean_of(r, each, se);
    if (!st && !(isfinite(*kld) && isfinite(*se)))
        st = pcs_fail(r->ctx, PRECIS_EFORMAT, "%s: what it computes of the text is not finite", m->path);
    pcs_free(r->ctx, each);
    precis_runner_close(&run);
    return st;
}

typedef struct { const pcs_reference *r; size_t cut, at; } keeper;

static void keep(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const keeper *k = user;
    memcpy(k->r->states + (k->cut * k->r->windows.n_ids + k->at) * width, x, rows * width * sizeof *x);
}

typedef struct { pcs_reference *r; precis_runner *run; keeper *cuts; } keeping;

static precis_status place_states(void *user, const pcs_sample *at)
{
    const keeping *k = user;
    for (size_t c = 0; c < k->r->n_cuts; c++) k->cuts[c].at = (size_t)at->first;
    return PRECIS_OK;
}

static precis_status keep_logits(void *user, const pcs_sample *at)
{
    const keeping *k = user;
    const size_t n = k->r->vocabulary;
    const float *logits = pcs_program_value(k->run->program, k->run->lm.logits);
    memcpy(k->r->logits + at->first_wanted * n, logits, (size_t)at->wanted * n * sizeof *logits);
    return PRECIS_OK;
}

/* The original's states and logits. */
static precis_status run_original(pcs_reference *r, const precis_model *origin)
{
    precis_runner *run;
    precis_status st = open_run(r, origin, NULL, NULL, &run);
    if (st) return st;
    r->width = run->lm.width;
    r->vocabulary = run->lm.vocabulary;
    keeper *k = pcs_alloc(r->ctx, r->n_cuts + 1, sizeof *k);
    r->states = pcs_alloc(r->ctx, r->n_cuts * r->windows.n_ids * r->width + 1, sizeof *r->states);
    r->logits = pcs_alloc(r->ctx, r->scored * r->vocabulary, sizeof *r->logits);
    r->log_sums = pcs_alloc(r->ctx, r->scored, sizeof *r->log_sums);
    if (!k || !r->states || !r->logits || !r->log_sums) st = PRECIS_ENOMEM;
    for (size_t c = 0; c < r->n_cuts && !st; c++) {
        k[c] = (keeper){ r, c, 0 };
        pcs_program_tap(run->program, r->cuts[c], keep, &k[c]);
    }
    keeping user = { r, run, k };
    const pcs_samples_pass pass = { .on = { .program = run->program, .runner = run }, .before = place_states,
                                    .after = keep_logits, .user = &user };
    if (!st) st = pcs_samples_run(&r->samples, &pass);
    for (size_t i = 0; i < r->scored && !st; i++)
        r->log_sums[i] = pcs_log_sum(&r->kernels, r->logits + i * r->vocabulary, r->vocabulary, NULL);
    pcs_free(r->ctx, k);
    precis_runner_close(&run);
    return st;
}

precis_status pcs_reference_open(precis_ctx *ctx, pcs_reference *r, const precis_model *origin,
                                 const pcs_reference_text *of)
{
    const pcs_windows *text = of->text;
    uint64_t tokens = of->tokens;
    const uint32_t vocabulary = of->vocabulary;
    *r = (pcs_reference){ .ctx = ctx, .kernels = pcs_kernels_for(ctx->cpu), .windows = { .ctx = ctx },
                          .samples = { .ctx = ctx }, .stride = 1, .cuts = of->cuts, .n_cuts = of->n_cuts };
    precis_status st = PRECIS_OK;
    const int32_t *ids = text->ids;
    for (size_t w = 0; w < text->n && !st && tokens > 1; w++) {
        const uint32_t n = text->lengths[w] < tokens ? text->lengths[w] : (uint32_t)tokens;
        st = pcs_windows_add(&r->windows, ids, n);
        ids += text->lengths[w];
        tokens -= n;
    }
    while (r->windows.n_ids / 2 / r->stride * vocabulary * sizeof(float) > LOGITS_MOST) r->stride++;
    for (size_t w = 0; w < r->windows.n; w++) r->scored += scored_of(r, r->windows.lengths[w]);
    if (!st) st = pcs_samples_of_windows(ctx, &r->samples, &r->windows, PCS_WANT_SECOND_HALF, r->stride);
    return st ? st : run_original(r, origin);
}

void pcs_reference_close(pcs_reference *r)
{
    if (!r->ctx) return;
    pcs_windows_free(&r->windows);
    pcs_samples_close(&r->samples);
    pcs_free(r->ctx, r->states);
    pcs_free(r->ctx, r->logits);
    pcs_free(r->ctx, r->log_sums);
    *r = (pcs_reference){ .ctx = NULL };
}
