/* eval.c - perplexity, KL divergence, probability differences, top-1 agreement. */
#include "base/options.h"
#include "eval/logits.h"
#include "eval/eval.h"
#include "precis/eval.h"

#include "base/file.h"
#include "base/fmath.h"
#include "base/pool.h"
#include "model/model.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROWS = 64 }; /* logit rows at a time, where the bits of single rows are asked for */

/* What one scored token gives. */
typedef struct score { double nll, ref_nll, kld, dp; bool same; } score;

typedef struct {
    const pcs_kernels *kernels;
    const float *a, *b; /* logits of the model; of the reference or NULL */
    const int32_t *next;
    size_t vocabulary;
    score *out;
    const pcs_kept_logits *kept; /* of the reference, instead; or NULL */
    size_t first;           /* row of it */
    float *scratch;         /* [threads][vocabulary] */
    /* b is what codes for a file stand for: figures are then those that the file will give; or NULL */
    const pcs_logits_row *made;
} rows;

static void score_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const rows *r = arg;
    const size_t n = r->vocabulary;
    float *kept = r->kept ? r->scratch + ith * n : NULL;
    for (uint64_t i = begin; i < end; i++) {
        const float *a = r->a + i * n, *b = r->b ? r->b + i * n : NULL;
        size_t best, ref_best;
        const double la = pcs_log_sum(r->kernels, a, n, &best);
        double lb;
        score *s = &r->out[i];
        s->nll = la - (double)a[r->next[i]];
        if (r->kept || r->made) {
            const pcs_logits_row row = r->made ? r->made[i] : pcs_logits_get(r->kept, r->first + i, kept);
            if (!r->made) b = kept;
            lb = row.log_sum;
            s->ref_nll = row.nll;
            s->same = (double)best == row.best;
        } else if (b) {
            lb = pcs_log_sum(r->kernels, b, n, &ref_best);
            s->ref_nll = lb - (double)b[r->next[i]];
            s->same = best == ref_best;
        } else continue;
        s->kld = pcs_divergence(r->kernels, b, lb, a, la, n);
        s->dp = pcs_exp(-s->nll) - pcs_exp(-s->ref_nll);
    }
}

/* Mean and standard error of f(i) over n scores. */
typedef double field(const score *s);
static double f_nll(const score *s) { return s->nll; }
static double f_ref(const score *s) { return s->ref_nll; }
static double f_ratio(const score *s) { return s->nll - s->ref_nll; }
static double f_kld(const score *s) { return s->kld; }
static double f_dp(const score *s) { return s->dp; }
static double f_dp2(const score *s) { return s->dp * s->dp; }
static double f_same(const score *s) { return s->same; }

static double mean(const score *s, size_t n, field *f, double *se)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += f(&s[i]);
    const double m = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (f(&s[i]) - m) * (f(&s[i]) - m);
    *se = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : 0;
    return m;
}

/* Sorted values at a place between two of them. */
static double between(const double *k, size_t n, double x)
{
    if (x <= 0) return k[0];
    const size_t lo = (size_t)x;
    return lo + 1 < n ? k[lo] + (x - (double)lo) * (k[lo + 1] - k[lo]) : k[n - 1];
}

static precis_status summarize(precis_ctx *ctx, const score *s, size_t n, bool reference, precis_eval_result *r)
{
    static const double at[PRECIS_QUANTILES] = { 0.01, 0.05, 0.1, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999 };
    double se;
    r->tokens = n;
    r->ppl = pcs_exp(mean(s, n, f_nll, &se));
    r->ppl_se = r->ppl * se;
    r->has_reference = reference;
    if (!reference) return PRECIS_OK;
    r->ref_ppl = pcs_exp(mean(s, n, f_ref, &se));
    r->ref_ppl_se = r->ref_ppl * se;
    r->log_ratio = mean(s, n, f_ratio, &r->log_ratio_se);
    r->kld_mean = mean(s, n, f_kld, &r->kld_se);
    r->dp_mean = mean(s, n, f_dp, &r->dp_mean_se);
    const double square = mean(s, n, f_dp2, &se);
    r->dp_rms = sqrt(square);
    r->dp_rms_se = r->dp_rms > 0 ? se / (2 * r->dp_rms) : 0;
    r->top1 = mean(s, n, f_same, &r->top1_se);
    double *k = pcs_alloc(ctx, n, sizeof *k);
    if (!k) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) k[i] = s[i].kld;
    qsort(k, n, sizeof *k, pcs_ascending);
    r->kld_min = k[0];
    r->kld_max = k[n - 1];
    for (int i = 0; i < PRECIS_QUANTILES; i++) {
        const double x = at[i] * (double)(n - 1), deviation = sqrt(at[i] * (1 - at[i]) * (double)n);
        r->kld_quantile[i] = between(k, n, x);
        r->kld_quantile_se[i] = (between(k, n, x + deviation) - between(k, n, x - deviation)) / 2;
    }
    pcs_free(ctx, k);
    return PRECIS_OK;
}

typedef struct {
    precis_ctx *ctx;
    pcs_kernels kernels;
    const precis_eval_options *o;
    precis_runner *model, *reference;
    const int32_t *ids;
    size_t windows, done; /* all; those that are whole */
    int32_t bos; /* takes the place of a window's first token; < 0: none does */
    uint32_t window, outputs; /* logit rows of a call at most */
    size_t vocabulary;
    precis_row *rows;
    score *scores;
    size_t n_scores;
    float *scratch;    /* [threads][vocabulary], with logits of a file */
    bool kept;         /* the reference's logits are those of `logits` */
    pcs_kept_logits logits;
    pcs_out *out;      /* where they go; or NULL */
    pcs_logits_row *made;
    int16_t *codes;    /* [outputs][vocabulary] */
} evaluation;

typedef struct { evaluation *e; float *b; const int32_t *next; } coding;

static void code_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const coding *c = arg;
    evaluation *e = c->e;
    for (uint64_t i = begin; i < end; i++)
        e->made[e->n_scores + i] = pcs_logits_code(&e->kernels, c->b + i * e->vocabulary, e->vocabulary, c->next[i],
                                                   e->codes + i * e->vocabulary);
}

static precis_status score_rows_at(evaluation *e, const int32_t *next, uint32_t k, const float *a, const float *b)
{
    rows r = { &e->kernels,
               a,
               b,
               next,
               e->vocabulary,
               e->scores + e->n_scores,
               e->kept ? &e->logits : NULL,
               e->n_scores,
               e->scratch,
               e->out ? e->made + e->n_scores : NULL };
    precis_status st = PRECIS_OK;
    if (e->out) {
        pcs_for(e->ctx, k, 1, code_rows, &(coding){ e, (float *)b, next });
        st = pcs_out_add(e->out, e->codes, k * e->vocabulary * sizeof *e->codes);
    }
    pcs_for(e->ctx, k, 1, score_rows, &r);
    e->n_scores += k;
    return st;
}

static precis_status score_window(evaluation *e, const int32_t *ids)
{
    const uint32_t n = e->window, first = n / 2;
    for (uint32_t i = 0; i < n; i++) e->rows[i] = (precis_row){ i == 0 && e->bos >= 0 ? e->bos : ids[i], i, 0, 0 };
    precis_status st = PRECIS_OK;
    for (uint32_t at = 0; at + 1 < n && !st;) {
        const uint32_t from = at < first ? first : at, end = n - 1 - from < e->outputs ? n - 1 : from + e->outputs;
        for (uint32_t i = from; i < end; i++) e->rows[i].want = 1;
        const float *a = NULL, *b = NULL;
        st = precis_runner_decode(e->model, e->rows + at, end - at, &a);
        if (!st && e->reference) st = precis_runner_decode(e->reference, e->rows + at, end - at, &b);
        if (!st) st = score_rows_at(e, ids + from + 1, end - from, a, b);
        at = end;
    }
    return st;
}

/* Which window a failure was in; what failed is said already. */
static precis_status fail_in(evaluation *e, size_t window, precis_status st)
{
    char why[sizeof e->ctx->message];
    if (st != PRECIS_EFORMAT) return st;
    memcpy(why, e->ctx->message, sizeof why);
    return pcs_fail(e->ctx, st, "window %zu of %zu: %s", window + 1, e->windows, why);
}

static precis_status score_text(evaluation *e)
{
    precis_status st = PRECIS_OK;
    for (size_t w = 0; w < e->windows && !st; w++) {
        const size_t before = e->n_scores;
        st = fail_in(e, w, score_window(e, e->ids + w * e->window));
        for (size_t i = before; e->o->each && !st && i < e->n_scores; i++)
            e->o->each(e->o->user, &(precis_eval_token){ e->scores[i].kld, e->scores[i].nll, e->scores[i].ref_nll,
                                                         e->scores[i].same });
        if (!st) e->done = w + 1;
        if (!st) st = pcs_progress(e->ctx, "evaluate", w + 1, e->windows);
    }
    return st;
}

/* The file of the reference's logits: codes while the text is scored, then what belongs to rows. */
static precis_status fill(void *user, pcs_out *out, size_t i)
{
    evaluation *e = user;
    if (i) return pcs_out_add(out, e->made, e->n_scores * sizeof *e->made);
    e->out = out;
    const precis_status st = score_text(e);
    e->out = NULL;
    return st;
}

static precis_status refuse_encoder(precis_ctx *ctx, const precis_runner *r)
{
    precis_runner_info info = { .size = sizeof info };
    precis_runner_get_info(r, &info);
    if (!info.encoder) return PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                    "the model is an encoder and predicts no next token; precis run --embed and precis eval --sts use "
                    "it");
}

static precis_status open_runner(precis_ctx *ctx, precis_runner **r, const precis_model *m,
                                 const precis_eval_options *o, bool reference)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = o->arithmetic;
    ro.context = o->window;
    ro.batch = o->window;
    ro.outputs = pcs_eval_outputs(m, o->window);
    ro.k_type = reference ? NULL : o->k_type;
    ro.v_type = reference ? NULL : o->v_type;
    const precis_status st = precis_runner_open(ctx, r, m, &ro);
    return st ? st : refuse_encoder(ctx, *r);
}

/* Two models compare only when they cut the text alike. */
static precis_status same_tokens(precis_ctx *ctx, const precis_model *reference, const char *text, size_t len,
                                 const int32_t *ids, size_t n)
{
    precis_tokenizer *t;
    int32_t *other = NULL;
    size_t m;
    precis_status st = precis_tokenizer_open(ctx, &t, reference);
    if (st) return st;
    st = precis_tokenizer_encode(t, text, len, PRECIS_TEXT_ADD, &other, &m);
    if (!st && (n != m || memcmp(ids, other, n * sizeof *ids)))
        st = pcs_fail(ctx, PRECIS_EINVAL, "the two models cut the text into different tokens; they cannot be compared");
    precis_ids_free(t, other);
    precis_tokenizer_close(&t);
    return st;
}

/* Are the reference's logits to be written? */
static bool writes(const evaluation *e) { return e->o->logits && !e->kept; }

static precis_status allocate(evaluation *e)
{
    precis_ctx *ctx = e->ctx;
    const bool write = writes(e);
    const size_t scored = e->windows * pcs_logits_rows(e->window);
    e->rows = pcs_alloc(ctx, e->window, sizeof *e->rows);
    e->scores = pcs_alloc(ctx, scored, sizeof *e->scores);
    e->scratch = pcs_alloc(ctx, e->kept ? precis_ctx_threads(ctx) * e->vocabulary : 1, sizeof *e->scratch);
    e->made = pcs_alloc(ctx, write ? scored : 1, sizeof *e->made);
    e->codes = pcs_alloc(ctx, write ? e->outputs * e->vocabulary : 1, sizeof *e->codes);
    return e->rows && e->scores && e->scratch && e->made && e->codes ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Runners, and the reference's logits where a file has them. */
static precis_status prepare(evaluation *e, const precis_model *model, const precis_model *reference, pcs_logits_of *of)
{
    precis_ctx *ctx = e->ctx;
    const precis_eval_options *o = e->o;
    e->kept = o->logits && !pcs_absent(o->logits);
    if (writes(e) && !reference)
        return pcs_fail(ctx, PRECIS_EIO, "%s does not exist, and there is no reference to make it from (--against REF)",
                        o->logits);
    precis_status st = writes(e) ? pcs_out_check(ctx, o->logits, 0, model) : PRECIS_OK;
    if (!st && writes(e)) st = pcs_out_check(ctx, o->logits, 0, reference);
    if (!st) st = open_runner(ctx, &e->model, model, o, false);
    if (!st && reference && !e->kept) st = open_runner(ctx, &e->reference, reference, o, true);
    precis_runner_info a = { .size = sizeof a }, b = { .size = sizeof b };
    if (st) return st;
    precis_runner_get_info(e->model, &a);
    if (e->reference) precis_runner_get_info(e->reference, &b);
    if (e->reference && a.vocabulary != b.vocabulary)
        return pcs_fail(ctx, PRECIS_EINVAL, "vocabularies of %u and %u cannot be compared", a.vocabulary, b.vocabulary);
    e->vocabulary = a.vocabulary;
    e->outputs = pcs_eval_outputs(model, e->window);
    *of = (pcs_logits_of){ e->ids, e->window, e->windows, e->vocabulary, o->arithmetic };
    if (e->kept) st = pcs_logits_open(ctx, &e->logits, o->logits, of, reference);
    return st ? st : allocate(e);
}

/* Behind its context a model says nothing that it learnt: windows are no longer than that. */
static void cut_windows(precis_ctx *ctx, const precis_model *m, uint32_t *window)
{
    char key[128];
    const char *arch = pcs_model_string(m, "general.architecture");
    snprintf(key, sizeof key, "%s.context_length", arch ? arch : "");
    const int64_t known = pcs_model_int(m, key, 0, NULL);
    if (known < 4 || known >= *window) return;
    pcs_warn(ctx, "windows are cut to %lld tokens, all that the model knows, not %u", (long long)known,
             *window);
    *window = (uint32_t)known;
}

precis_status precis_eval_text(precis_ctx *ctx, const precis_model *model, const precis_model *reference,
                               const char *text, size_t len, const precis_eval_options *opts,
                               precis_eval_result *result)
{
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    o.arithmetic = precis_arithmetic_for(ctx, model, o.arithmetic);
    precis_eval_result all = { .size = sizeof all, .arithmetic = o.arithmetic };
    pcs_options_give(result, &all, sizeof all); /* whatever ends it first: no figures */
    if (!o.window) o.window = 512;
    if (o.window < 4) return pcs_fail(ctx, PRECIS_EINVAL, "windows of %u tokens are too short", o.window);
    precis_tokenizer *t = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    cut_windows(ctx, model, &o.window);
    if (reference) cut_windows(ctx, reference, &o.window);
    evaluation e = { .ctx = ctx, .kernels = pcs_kernels_for(ctx->cpu), .o = &o, .window = o.window };
    precis_status st = precis_tokenizer_open(ctx, &t, model);
    if (!st) st = precis_tokenizer_encode(t, text, len, PRECIS_TEXT_ADD, &ids, &n);
    if (!st && reference) st = same_tokens(ctx, reference, text, len, ids, n);
    e.ids = ids;
    e.windows = n / o.window;
    if (!st && !e.windows)
        st = pcs_fail(ctx, PRECIS_EINVAL,
                      "the text has %zu token%s, less than one window of %u; a shorter --ctx or a longer text helps", n,
                      n == 1 ? "" : "s", o.window);
    if (o.windows && e.windows > o.windows) e.windows = o.windows;
    e.bos = st ? -1 : pcs_window_bos(t, ids, n);
    pcs_logits_of of;
    if (!st) st = prepare(&e, model, reference, &of);
    if (!st) st = writes(&e) ? pcs_logits_write(ctx, o.logits, &of, reference, fill, &e) : score_text(&e);
    if (!st || (st == PRECIS_ECANCELED && e.done)) { /* when it is stopped: what there is */
        all.windows = e.done;
        const size_t n_whole = e.done * pcs_logits_rows(e.window);
        const precis_status more = summarize(ctx, e.scores, n_whole, e.reference || e.kept, &all);
        if (more) st = more;
        pcs_options_give(result, &all, sizeof all);
    }
    pcs_free(ctx, e.rows);
    pcs_free(ctx, e.scores);
    pcs_free(ctx, e.scratch);
    pcs_free(ctx, e.made);
    pcs_free(ctx, e.codes);
    pcs_logits_close(&e.logits);
    precis_runner_close(&e.model);
    precis_runner_close(&e.reference);
    if (t) precis_ids_free(t, ids);
    precis_tokenizer_close(&t);
    return st;
}

precis_status precis_eval_ids(precis_ctx *ctx, const precis_model *model, const int32_t *ids, size_t n,
                              const precis_eval_options *opts, double *nll)
{
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    if (n < 2 || n > 1u << 20) return pcs_fail(ctx, PRECIS_EINVAL, "%zu ids are not 2 to %u", n, 1u << 20);
    precis_runner *r = NULL;
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    /* NULL: what it was made for */
    const char *own = pcs_model_string(model, "precis.kv"), *usual = own ? NULL : "f32";
    const uint32_t batch = o.batch && o.batch < ROWS ? o.batch : ROWS;
    ro.arithmetic = o.arithmetic;
    ro.context = (uint32_t)n;
    ro.batch = ro.outputs = batch;
    ro.k_type = o.k_type ? o.k_type : usual;
    ro.v_type = o.v_type ? o.v_type : usual;
    precis_status st = precis_runner_open(ctx, &r, model, &ro);
    precis_runner_info info = { .size = sizeof info };
    if (!st) st = refuse_encoder(ctx, r);
    if (!st) precis_runner_get_info(r, &info);
    for (size_t i = 0; i < n && !st; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= info.vocabulary)
            st = pcs_fail(ctx, PRECIS_EINVAL, "id %d is outside the vocabulary of %u", ids[i], info.vocabulary);
    const int64_t known = st ? 0 : pcs_arch_int(model, "context_length", 0, NULL);
    if (known > 0 && n > (uint64_t)known)
        pcs_warn(ctx, "%zu ids, but the model was made for a context of %lld: beyond those it has learnt nothing", n,
                 (long long)known);
    for (size_t i = 0; i + 1 < n && !st; i++) nll[i] = NAN;
    for (size_t at = 0; at + 1 < n && !st;) {
        precis_row row[ROWS];
        score scores[ROWS];
        uint32_t k = 0;
        const float *logits;
        for (; k < batch && at + k + 1 < n; k++) row[k] = (precis_row){ ids[at + k], (uint32_t)(at + k), 0, 1 };
        st = precis_runner_decode(r, row, k, &logits);
        rows what = { &kernels, logits, NULL, ids + at + 1, info.vocabulary, scores, NULL, 0, NULL, NULL };
        if (!st) pcs_for(ctx, k, 1, score_rows, &what);
        for (uint32_t i = 0; i < k && !st; i++) nll[at + i] = scores[i].nll;
        at += k;
        if (!st) st = pcs_progress(ctx, "evaluate", at, n - 1);
    }
    precis_runner_close(&r);
    return st;
}
