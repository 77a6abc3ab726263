/* times.c - two figures of this machine (a token through the net, a weight through the search), and how often each
 * piece of a job needs them. The factors were measured on gutenberg-7m and SmolLM2-135M (docs/planning.md). */
#include "job/times.h"

#include "base/lack.h"
#include "graph/arch.h"
#include "job/budget.h"
#include "measure/amounts.h"
#include "plan/plan.h"
#include "precis/run.h"
#include "precis/text.h"
#include "quant/methods.h"
#include "run/runner.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>

enum { BATCH = 256, LARGE = 300000000, SAMPLED = 2048, SLICE = 4096, CODED = 1 << 17, TURNS = 2 };
enum { BOOKS_FITTED = 450, BOOKS_CODED = 160 }; /* what types with books take, in searches of all weights as 4 bits */

typedef struct {
    precis_ctx *ctx;
    const pcs_times_job *job;
    pcs_amounts amounts;
    double weights;      /* that may be coded */
    double token, code;  /* seconds of a token in reference arithmetic; of a weight by search */
    double bytes_token;  /* of text */
} machine;

/* ---- two figures ----------------------------------------------------------------------------------------------- */

static precis_status measure_token(machine *k)
{
    precis_runner *run;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    precis_row rows[BATCH];
    o.arithmetic = PRECIS_REFERENCE;
    o.k_type = o.v_type = "f32";
    const uint32_t batch = k->weights > LARGE ? BATCH / 2 : BATCH;
    o.context = o.batch = batch;
    precis_status st = pcs_runner_open(k->ctx, &run, k->job->m, &o, &(pcs_runner_how){ .inputs = true });
    if (st) return st;
    for (uint32_t i = 0; i < batch; i++)
        rows[i] = (precis_row){ (int32_t)(i * 37 % run->lm.vocabulary), i, 0, i + 1 == batch };
    double least = INFINITY;
    const int turns = k->weights > LARGE ? 1 : TURNS;
    for (int turn = 0; turn < turns && !st; turn++) {
        const double begun = pcs_now();
        st = precis_runner_decode(run, rows, batch, NULL);
        least = pcs_now() - begun < least ? pcs_now() - begun : least;
    }
    k->token = least / batch;
    precis_runner_close(&run);
    return st;
}

/* Some rows of the tensor of most weights, as 4 bits. */
static precis_status measure_code(machine *k)
{
    const pcs_tensor *most = NULL;
    const precis_model *m = k->job->m;
    for (size_t i = 0; i < m->n_tensors; i++)
        if (pcs_quantizable(&m->tensors[i]) && m->tensors[i].dims == 2 && (!most || m->tensors[i].n > most->n))
            most = &m->tensors[i];
    const pcs_format *f = most ? pcs_fitting(pcs_format_by_name("Q4_K"), most->ne[0]) : NULL;
    if (!f || f == most->format) return PRECIS_OK;
    pcs_tensor some = *most;
    if (some.n > CODED) some.ne[1] = 1 + CODED / some.ne[0];
    if (some.ne[1] > most->ne[1]) some.ne[1] = most->ne[1];
    some.n = (uint64_t)(some.ne[0] * some.ne[1]);
    some.bytes = pcs_tensor_rows(&some) * pcs_tensor_row_bytes(&some);
    const pcs_tensor_job job = { &some, f, pcs_methods[0], { NULL, 0, 1 } }; /* all weights alike */
    double error;
    uint8_t *bytes = pcs_alloc(k->ctx, pcs_tensor_rows(&some) * pcs_row_bytes(f, (uint64_t)some.ne[0]) + 64, 1);
    const double begun = pcs_now();
    const precis_status st = bytes ? pcs_quantize_tensor(k->ctx, &job, bytes, &error) : PRECIS_ENOMEM;
    k->code = (pcs_now() - begun) / (double)some.n;
    pcs_free(k->ctx, bytes);
    return st;
}

static precis_status measure_text(machine *k, const char *text, size_t len)
{
    precis_tokenizer *t = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    k->bytes_token = 3.5;
    if (!pcs_tokenizes(k->job->m) || !len) return PRECIS_OK;
    precis_status st = precis_tokenizer_open(k->ctx, &t, k->job->m);
    const size_t slice = len < SLICE ? len : SLICE;
    if (!st) st = precis_tokenizer_encode(t, text, slice, 0, &ids, &n);
    if (!st && n) k->bytes_token = (double)slice / (double)n;
    if (t) precis_ids_free(t, ids);
    precis_tokenizer_close(&t);
    if (st == PRECIS_EINVAL || st == PRECIS_EFORMAT) st = PRECIS_OK, k->ctx->message[0] = 0; /* cut in a character */
    return st;
}

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

static double calibration_tokens(const machine *k)
{
    const precis_calibrate_options *c = &k->job->opt->calibrate;
    double bytes = 0;
    for (size_t i = 0; i < c->n_texts; i++) bytes += (double)c->lengths[i];
    const double own = c->n_texts ? bytes / k->bytes_token : SAMPLED;
    return c->tokens && c->tokens < own ? c->tokens : own;
}

/* A model of the coder, from so many tokens: each once through every layer, and its part of the sums of products; then
 * the factors of those, and all columns, each of the two as much as 5.4 searches. */
enum { FACTORED = 54, ROUNDED = 54 }; /* tenths of a search of all weights as 4 bits */
static double coding_time(const machine *k, const pcs_method *coder, double tokens)
{
    if (!coder->apply) return 1.2 * k->code * k->weights;
    const double learned = 3.7 * (double)coder->learns * k->token;
    return learned + 2.0 * k->token * tokens + k->code * k->weights * (FACTORED + ROUNDED) / 10;
}

static double evaluation_tokens(const machine *k)
{
    size_t len = k->job->opt->text_len;
    if (!k->job->opt->text) precis_eval_default_text(&len);
    const double all = (double)len / k->bytes_token, window = k->job->opt->eval.window ? k->job->opt->eval.window : 512;
    const double most = k->job->opt->eval.windows ? k->job->opt->eval.windows * window : all;
    return most < all ? most : all;
}

static double fits(const machine *k)
{
    double all = 0;
    const pcs_format *types[PCS_CHOICES];
    const precis_model *m = k->job->m;
    for (size_t i = 0; i < m->n_tensors; i++) {
        size_t n = 0;
        if (pcs_candidates(k->ctx, &m->tensors[i], k->job->quant, PCS_UNSEEN, types, &n)) n = 0;
        if (n > 1) all += (double)pcs_draw_steps(&m->tensors[i], k->weights) * (double)m->tensors[i].ne[0] * (double)n;
    }
    k->ctx->message[0] = 0;
    return all;
}

/* Whether types with books of vectors will be taken. */
static bool takes_books(const machine *k)
{
    const pcs_times_job *j = k->job;
    uint64_t bytes = 0;
    const bool known = j->plans && (j->profiles || j->quant->profile) && !(j->opt->max_kld > 0);
    if (!known || pcs_job_budget_bytes(k->ctx, j->m, j->opt, j->quant, &bytes)) return false;
    return pcs_wants_books(k->ctx, j->m, j->quant->method, bytes);
}

/* What tensors cost: gradients, probes that a method codes from text of its own, and whole plans. */
static double costs_time(const machine *k, double text, double sampled)
{
    const pcs_amounts a = k->amounts;
    const double some = text < a.measured && sampled == 0 ? text : a.measured, rest = text < a.probed ? text : a.probed;
    if (!k->job->set->coder->apply) return some * k->token * (10 + sampled) + k->code * k->weights * 8;
    const double types = (double)a.n_types, look = 1.7 * rest * k->token;
    const double whole = some * k->token * (3.5 + 1.1 * types + 0.9 * (double)a.plans);
    return look + whole + (some + a.sampled) * k->token * sampled +
           k->code * k->weights * (FACTORED + ROUNDED * types) / 10;
}

/* Text that the coder codes the file from; sampled: what the profile has made. */
static double coder_text(const machine *k, double text, double sampled)
{
    if (sampled > 0) return k->amounts.sampled;
    return k->job->own && text > k->amounts.coded ? k->amounts.coded : text;
}

static void expect(const machine *k, precis_times *out)
{
    const pcs_times_job *j = k->job;
    const double text = calibration_tokens(k), sampled = j->opt->calibrate.n_texts ? 0 : 4;
    const double again = j->profiles ? k->amounts.measured : 0;
    const double seen = j->own && !j->opt->calibrate.tokens && text > k->amounts.seen ? k->amounts.seen : text;
    if (j->calibrates) out->calibrate = k->token * seen * (1 + sampled);
    if (j->profiles) out->costs = costs_time(k, text, sampled);
    if (j->plans) out->plan = 1.5 * k->code * fits(k);
    if (!j->opt->dry_run) out->quantize = coding_time(k, j->set->coder, coder_text(k, text, sampled));
    if (takes_books(k)) {
        out->plan += BOOKS_FITTED * k->code * k->weights;
        if (!j->opt->dry_run) out->quantize += BOOKS_CODED * k->code * k->weights;
    }
    if (j->evaluates) out->evaluate = 1.75 * k->token * (evaluation_tokens(k) + again);
    out->all = out->calibrate + out->costs + out->plan + out->quantize + out->evaluate;
}

/* Types that are given, no text and no evaluation: writing alone, or a model that cannot be run. */
static bool writes_alone(const pcs_times_job *j)
{
    return !j->calibrates && !j->evaluates && !j->profiles && !j->plans;
}

precis_status pcs_times_expect(precis_ctx *ctx, const pcs_times_job *job, precis_times *out)
{
    machine k = { .ctx = ctx, .job = job };
    const char *text = job->opt->calibrate.n_texts ? job->opt->calibrate.texts[0] : NULL;
    size_t len = text ? job->opt->calibrate.lengths[0] : 0;
    *out = (precis_times){ 0 };
    if (ctx->memory.limit || writes_alone(job)) return PRECIS_OK;
    if (!text) text = precis_eval_default_text(&len);
    k.weights = pcs_quantizable_weights(job->m);
    k.amounts = pcs_amounts_of(job->m, &job->opt->calibrate);
    precis_status st = measure_token(&k);
    if (!st) st = measure_code(&k);
    if (!st) st = measure_text(&k, text, len);
    if (!st) expect(&k, out);
    if (!st || pcs_no_answer(st)) return st;
    ctx->message[0] = 0; /* whoever does the work says what is wrong */
    return PRECIS_OK;
}

static const char *duration(double s, char text[16])
{
    if (s < 9.5) snprintf(text, 16, "%.1f s", s);
    else if (s < 99.5) snprintf(text, 16, "%.0f s", s);
    else if (s < 6000) snprintf(text, 16, "%.0f min", s / 60);
    else snprintf(text, 16, "%.1f h", s / 3600);
    return text;
}

void pcs_times_say(precis_ctx *ctx, const char *what, const precis_times *t)
{
    char line[200], one[16];
    size_t used = 0;
    const struct { const char *name; double s; } parts[] = { { "calibration", t->calibrate }, { "costs", t->costs },
        { "plan", t->plan }, { "quantizing", t->quantize }, { "evaluation", t->evaluate } };
    if (!(t->all > 0)) return;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && used < sizeof line; i++)
        if (parts[i].s > 0.005 * t->all)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %s", used ? ", " : "", parts[i].name,
                                     duration(parts[i].s, one));
    pcs_warn(ctx, "%s %s (%s)", what, duration(t->all, one), line);
}
