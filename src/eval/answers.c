/* answers.c - what a model answers: log-likelihoods of continuations, greedy generation, and the summary of both. */
#include "base/options.h"
#include "eval/eval.h"
#include "eval/task.h"

#include "base/fmath.h"
#include "base/pool.h"
#include "graph/arch.h"
#include "model/model.h"
#include "precis/session.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>

enum { ROWS = 64, GENERATED = 256, CONTEXT = 2048 };

/* A runner that remembers what stands in its cache, so that a shared beginning is computed once. */
typedef struct {
    precis_ctx *ctx;
    pcs_kernels kernels;
    precis_runner *r;
    precis_tokenizer *t;
    uint32_t context, batch, vocabulary;
    int32_t bos;
    int32_t *cached; /* tokens in the cache */
    size_t n_cached;
    float *row, *spare; /* logits after token row_at of the cache; row_at < 0: none */
    int64_t row_at;
    precis_row *rows;
    precis_session *session; /* that generates, in the same sequence; NULL: nothing has been generated */
} answerer;

static precis_status start(answerer *a, precis_ctx *ctx, const precis_model *m, const precis_eval_options *o)
{
    *a = (answerer){ .ctx = ctx, .kernels = pcs_kernels_for(ctx->cpu), .row_at = -1, .bos = -1 };
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = o->arithmetic;
    const int64_t known = pcs_arch_int(m, "context_length", CONTEXT, NULL);
    ro.context = o->window ? o->window : known > 0 && known < CONTEXT ? (uint32_t)known : CONTEXT;
    ro.outputs = ROWS;
    ro.k_type = o->k_type;
    ro.v_type = o->v_type;
    precis_status st = precis_tokenizer_open(ctx, &a->t, m);
    if (!st) st = precis_runner_open(ctx, &a->r, m, &ro);
    if (st) return st;
    precis_runner_info info = { .size = sizeof info };
    precis_runner_get_info(a->r, &info);
    if (info.encoder)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                        "the model is an encoder and continues no text; tasks want a language model");
    a->context = info.context;
    a->batch = info.batch;
    a->vocabulary = info.vocabulary;
    int32_t *ids;
    size_t n;
    st = precis_tokenizer_encode(a->t, "", 0, PRECIS_TEXT_ADD, &ids, &n);
    if (!st) a->bos = pcs_window_bos(a->t, ids, n);
    precis_ids_free(a->t, ids);
    a->cached = pcs_alloc(ctx, a->context, sizeof *a->cached);
    a->rows = pcs_alloc(ctx, a->batch, sizeof *a->rows);
    a->row = pcs_alloc(ctx, a->vocabulary, sizeof *a->row);
    a->spare = pcs_alloc(ctx, a->vocabulary, sizeof *a->spare);
    return st ? st : a->cached && a->rows && a->row && a->spare ? PRECIS_OK : PRECIS_ENOMEM;
}

static void stop(answerer *a)
{
    pcs_free(a->ctx, a->cached);
    pcs_free(a->ctx, a->rows);
    pcs_free(a->ctx, a->row);
    pcs_free(a->ctx, a->spare);
    precis_session_close(&a->session);
    precis_runner_close(&a->r);
    precis_tokenizer_close(&a->t);
}

/* Text to ids, after BOS when the model begins with one; freed with pcs_free. */
static precis_status encode(answerer *a, const char *text, size_t len, int32_t **ids, size_t *n)
{
    int32_t *plain;
    size_t k;
    precis_status st = precis_tokenizer_encode(a->t, text, len, 0, &plain, &k);
    if (st) return st;
    *n = k + (a->bos >= 0);
    *ids = pcs_alloc(a->ctx, *n + 1, sizeof **ids);
    if (*ids) {
        if (a->bos >= 0) (*ids)[0] = a->bos;
        memcpy(*ids + (a->bos >= 0), plain, k * sizeof *plain);
    }
    precis_ids_free(a->t, plain);
    return *ids ? PRECIS_OK : PRECIS_ENOMEM;
}

typedef struct {
    const pcs_kernels *kernels;
    const float *logits;
    size_t vocabulary;
    const int32_t *next;
    double *out;
    bool *greedy;
} scored;

static void score_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const scored *s = arg;
    for (uint64_t i = begin; i < end; i++) {
        size_t best;
        const float *x = s->logits + i * s->vocabulary;
        s->out[i] = (double)x[s->next[i]] - pcs_log_sum(s->kernels, x, s->vocabulary, &best);
        s->greedy[i] = best == (size_t)s->next[i];
    }
}

static void sum_rows(answerer *a, const float *logits, const int32_t *next, uint32_t k, double *sum, bool *greedy)
{
    double out[ROWS];
    bool right[ROWS];
    scored s = { &a->kernels, logits, a->vocabulary, next, out, right };
    pcs_for(a->ctx, k, 1, score_rows, &s);
    for (uint32_t i = 0; i < k; i++) *sum += out[i], *greedy &= right[i];
}

/* What the tokens after a context have summed up to: log probabilities, and whether each was the likeliest. */
typedef struct { double sum; bool greedy; } scores;

/* Puts ids[from .. end) into the cache. Logits of `first` and later ones score the ids that follow them; the row of
 * `first` is kept. */
static precis_status feed(answerer *a, const int32_t *ids, size_t from, size_t end, size_t first, scores *out)
{
    precis_status st = PRECIS_OK;
    if (a->row_at >= (int64_t)from) a->row_at = -1;
    a->n_cached = 0;
    for (size_t at = from; at < end && !st;) {
        const bool want = at >= first;
        const size_t most = want && ROWS < a->batch ? ROWS : a->batch;
        const size_t left = want || first > end ? end - at : first - at, k = left < most ? left : most;
        for (size_t i = 0; i < k; i++) a->rows[i] = (precis_row){ ids[at + i], (uint32_t)(at + i), 0, want };
        const float *logits = NULL;
        st = precis_runner_decode(a->r, a->rows, (uint32_t)k, &logits);
        if (!st && at == first) {
            memcpy(a->row, logits, a->vocabulary * sizeof *a->row);
            a->row_at = (int64_t)first;
        }
        if (!st && want) sum_rows(a, logits, ids + at + 1, (uint32_t)k, &out->sum, &out->greedy);
        at += k;
    }
    if (!st) {
        memcpy(a->cached, ids, end * sizeof *ids);
        a->n_cached = end;
    }
    return st;
}

/* How many of ids stand in the cache already. */
static size_t shared(const answerer *a, const int32_t *ids, size_t n)
{
    size_t k = 0;
    while (k < n && k < a->n_cached && a->cached[k] == ids[k]) k++;
    return k;
}

/* ids[n], of which the first k are the context. */
static precis_status score_ids(answerer *a, const int32_t *ids, size_t n, size_t k, double *sum, bool *greedy)
{
    const size_t end = n - 1; /* the last token only follows */
    size_t from = shared(a, ids, end), first = k - 1;
    scores s = { 0, true };
    precis_status st = PRECIS_OK;
    if (from >= k && a->row_at == (int64_t)k - 1) { /* another choice of the same context: its row is kept */
        sum_rows(a, a->row, ids + k, 1, &s.sum, &s.greedy);
        first = k;
    }
    if (from > first) from = first;
    if (first < end && first == k - 1) st = feed(a, ids, from, end, first, &s);
    else if (first < end) {
        const int64_t kept = a->row_at; /* feed keeps the row of `first`; the context's is worth more */
        float *row = a->row;
        a->row = a->spare;
        st = feed(a, ids, from, end, first, &s);
        a->row = row;
        a->row_at = st ? -1 : kept;
    }
    *sum = s.sum;
    *greedy = s.greedy;
    return st;
}

/* Log-likelihood of a continuation, as lm-evaluation-harness counts: blanks at the context's end belong to the
 * continuation, whose tokens are those of both together less as many as the context alone has. */
static precis_status loglik(answerer *a, const char *context, const char *continuation, double *sum, bool *greedy)
{
    const size_t both = strlen(context) + strlen(continuation);
    char *whole = pcs_alloc(a->ctx, both + 1, 1);
    if (!whole) return PRECIS_ENOMEM;
    size_t len = strlen(context), n = 0, k = 0;
    memcpy(whole, context, len);
    memcpy(whole + len, continuation, both - len);
    while (len && strchr(" \t\r\n", whole[len - 1])) len--;
    int32_t *ids = NULL, *head = NULL;
    precis_status st = encode(a, whole, both, &ids, &n);
    if (!st) st = encode(a, whole, len, &head, &k);
    if (!st && k < 1)
        st = pcs_fail(a->ctx, PRECIS_EINVAL, "an empty context, and the model has no token that begins a text");
    if (!st && k >= n)
        st = pcs_fail(a->ctx, PRECIS_EINVAL, "the choice \"%.40s\" has no token of its own behind its context",
                      continuation);
    const size_t cut = !st && n > (size_t)a->context + 1 ? n - a->context - 1 : 0; /* the beginning goes */
    if (!st && cut >= k)
        st = pcs_fail(a->ctx, PRECIS_EINVAL, "a choice of %zu tokens is longer than the context of %u", n - k,
                      a->context);
    if (!st) st = score_ids(a, ids + cut, n - cut, k - cut, sum, greedy);
    pcs_free(a->ctx, head);
    pcs_free(a->ctx, ids);
    pcs_free(a->ctx, whole);
    return st;
}

/* Characters, as Python's len counts them. */
static double length_of(const char *s)
{
    double n = 0;
    for (; *s; s++) n += (*s & 0xC0) != 0x80;
    return n > 0 ? n : 1;
}

static precis_status choose(answerer *a, const pcs_item *item, bool per_length, precis_answer *out, double *logliks)
{
    double ll[PRECIS_TASK_CHOICES] = { 0 }, best = -INFINITY, best_norm = -INFINITY, other = -INFINITY;
    uint32_t norm = 0;
    bool greedy = false;
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < item->n_choices && !st; i++) {
        bool all = false;
        st = loglik(a, item->contexts ? item->contexts[i] : item->context, item->choices[i], &ll[i], &all);
        if (st) break;
        const char *bare = item->choices[i] + (item->choices[i][0] == ' ');
        const double per = ll[i] / length_of(bare);
        if (ll[i] > best) best = ll[i], out->choice = i;
        if (per > best_norm) best_norm = per, norm = i;
        if (i == item->right) greedy = all;
        else if (ll[i] > other) other = ll[i];
        if (logliks) logliks[i] = ll[i];
    }
    if (st) return st;
    if (item->n_choices == 1) out->choice = !greedy; /* lambada: is it what comes first? */
    out->choice_second = item->n_choices == 1 ? out->choice : norm;
    if (per_length) {
        const uint32_t c = out->choice;
        out->choice = out->choice_second;
        out->choice_second = c;
    }
    out->right = out->choice == (item->n_choices == 1 ? 0 : item->right);
    out->right_second = out->choice_second == (item->n_choices == 1 ? 0 : item->right);
    out->loglik = ll[item->right];
    out->margin = item->n_choices > 1 ? ll[item->right] - other : 0;
    return PRECIS_OK;
}

/* ---- generation: gsm8k -------------------------------------------------------------------------------------- */

/* Digits of a number without separators and signs of money, as lm-evaluation-harness compares them. */
static void bare_number(const char *s, size_t n, char out[32])
{
    size_t k = 0;
    for (size_t i = 0; i < n && k < 31; i++)
        if (s[i] != ',' && s[i] != '$') out[k++] = s[i];
    while (k && strchr(". \n", out[k - 1])) k--;
    out[k] = 0;
}

/* "#### NUMBER", the first (strict); the last number at all (flexible). */
static void numbers(const char *text, char strict[32], char flexible[32])
{
    const char *mark = strstr(text, "#### "), *last = NULL;
    size_t n = 0;
    *strict = *flexible = 0;
    if (mark) bare_number(mark + 5, strspn(mark + 5, "-0123456789.,"), strict);
    for (const char *p = text; *p; p++) {
        const size_t k = strspn(p, "-$0123456789.,");
        bool digit = false;
        for (size_t i = 0; i < k; i++) digit |= p[i] >= '0' && p[i] <= '9';
        if (digit) last = p, n = k;
        if (k) p += k - 1;
    }
    if (last) bare_number(last, n, flexible);
}

/* Greedy, until another question begins; prompts that begin alike are computed once. */
static precis_status open_session(answerer *a)
{
    static const char *const stops[] = { "Question:", "</s>", "<|im_end|>" };
    if (a->session) return PRECIS_OK;
    precis_sampler_options greedy = PRECIS_SAMPLER_OPTIONS_INIT;
    greedy.temperature = 0;
    precis_session_options o = PRECIS_SESSION_OPTIONS_INIT;
    o.sampler = &greedy;
    o.stops = stops;
    o.n_stops = sizeof stops / sizeof *stops;
    o.special = 1;
    o.predict = GENERATED < a->context / 2 ? GENERATED : a->context / 2;
    return precis_session_open(a->ctx, &a->session, a->r, a->t, &o);
}

static precis_status generate(answerer *a, const pcs_item *item, precis_answer *out)
{
    int32_t *ids = NULL;
    size_t n = 0, len;
    const size_t left = GENERATED < a->context / 2 ? GENERATED : a->context / 2;
    precis_status st = open_session(a);
    if (!st && a->n_cached) st = precis_runner_drop(a->r, 0, 0); /* the sequence holds a choice's tokens */
    a->n_cached = 0;
    a->row_at = -1;
    if (!st) st = encode(a, item->context, strlen(item->context), &ids, &n);
    const size_t cut = !st && n + left > a->context ? n + left - a->context : 0; /* the beginning goes */
    if (!st && !n) st = pcs_fail(a->ctx, PRECIS_EINVAL, "an empty prompt");
    if (!st) st = precis_session_begin(a->session, ids + cut, n - cut);
    if (!st) st = precis_session_run(&a->session, 1, NULL, NULL);
    char want[32], strict[32], flexible[32];
    if (!st) {
        bare_number(item->answer, strlen(item->answer), want);
        numbers(precis_session_text(a->session, &len), strict, flexible);
        *out = (precis_answer){ .loglik = NAN, .margin = NAN };
        out->right = !strcmp(strict, want);
        out->right_second = !strcmp(flexible, want);
        out->choice = (uint32_t)pcs_hash(strict, strlen(strict)); /* another answer is another choice */
        out->choice_second = (uint32_t)pcs_hash(flexible, strlen(flexible));
    }
    pcs_free(a->ctx, ids);
    return st;
}

precis_status precis_eval_task(precis_ctx *ctx, const precis_model *model, const precis_task *t,
                               const precis_eval_options *opts, precis_answer *answers, double *logliks)
{
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    answerer a;
    pcs_options_take(&o, sizeof o, opts);
    for (size_t i = 0; i < t->n; i++) answers[i] = (precis_answer){ .choice = PRECIS_UNANSWERED };
    precis_status st = start(&a, ctx, model, &o);
    for (size_t i = 0; i < t->n && !st; i++) {
        const pcs_item *item = &t->items[i];
        precis_answer answer = { 0 };
        double *own = logliks ? logliks + i * PRECIS_TASK_CHOICES : NULL;
        if (item->choices) st = choose(&a, item, !strcmp(t->kind->metric, "acc_norm"), &answer, own);
        else st = generate(&a, item, &answer);
        if (st == PRECIS_EINVAL) {
            char why[600];
            snprintf(why, sizeof why, "%s", precis_ctx_message(ctx));
            pcs_fail(ctx, st, "task %s, item %zu: %s", t->name, i + 1, why);
        }
        if (!st) answers[i] = answer;
        if (!st && o.each) o.each(o.user, &(precis_eval_token){ 0, -answer.loglik, NAN, answer.right });
        if (!st) st = pcs_progress(ctx, t->name, i + 1, t->n);
    }
    stop(&a);
    return st;
}

static bool is_answered(const precis_answer *a, const precis_answer *ref, size_t i)
{
    return a[i].choice != PRECIS_UNANSWERED && (!ref || ref[i].choice != PRECIS_UNANSWERED);
}

static double share_se(double p, size_t n) { return n > 1 ? sqrt(p * (1 - p) / (double)(n - 1)) : 0; }

void precis_task_summarize(const precis_task *t, const char *group, const precis_answer *a, const precis_answer *ref,
                           precis_task_result *result)
{
    precis_task_result r = { .size = result->size,
                             .reference = NAN,
                             .reference_second = NAN,
                             .flips = NAN,
                             .flips_se = NAN,
                             .changed = NAN,
                             .pairs_right = NAN,
                             .sensitivity = NAN,
                             .reference_sensitivity = NAN };
    double right = 0, second = 0, ref_right = 0, ref_second = 0, changed = 0, loglik = 0, pairs = 0, both = 0,
           moved = 0, ref_moved = 0;
    for (size_t i = 0; i < t->n; i++) {
        if (group && (!t->items[i].group || strcmp(group, t->items[i].group))) continue;
        if (!is_answered(a, ref, i)) continue;
        r.items++;
        right += a[i].right;
        second += a[i].right_second;
        loglik += a[i].loglik;
        if (ref) {
            ref_right += ref[i].right;
            ref_second += ref[i].right_second;
            changed += a[i].choice != ref[i].choice;
            r.to_wrong += ref[i].right && !a[i].right;
            r.to_right += !ref[i].right && a[i].right;
        }
        if (t->kind->paired && i % 2 == 0 && i + 1 < t->n && is_answered(a, ref, i + 1)) {
            pairs++;
            both += a[i].right && a[i + 1].right;
            moved += a[i].choice != a[i + 1].choice;
            if (ref) ref_moved += ref[i].choice != ref[i + 1].choice;
        }
    }
    const double n = r.items ? (double)r.items : 1;
    r.accuracy = right / n;
    r.second = second / n;
    r.accuracy_se = share_se(r.accuracy, r.items);
    r.second_se = share_se(r.second, r.items);
    r.perplexity = exp(-loglik / n);
    if (ref) {
        r.reference = ref_right / n;
        r.reference_second = ref_second / n;
        r.flips = (double)(r.to_wrong + r.to_right) / n;
        r.flips_se = share_se(r.flips, r.items);
        r.changed = changed / n;
    }
    if (pairs > 0) {
        r.pairs_right = both / pairs;
        r.sensitivity = moved / pairs;
        if (ref) r.reference_sensitivity = ref_moved / pairs;
    }
    pcs_options_give(result, &r, sizeof r);
}
