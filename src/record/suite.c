/* suite.c - several texts and tasks at once: results of each, and the gate over all of them. */
#include "base/lack.h"
#include "base/options.h"
#include "precis/record.h"
#include "precis/suite.h"

#include <math.h>
#include <stdio.h>

enum {
    TEXTS = PRECIS_SUITE_MOST,
    TASKS = PRECIS_SUITE_MOST,
    ROWS = 3 * TEXTS + TASKS,
    BLOCK = 64 /* tokens that are taken to depend on each other */
};

/* Of each scored token. */
typedef struct {
    precis_ctx *ctx;
    const precis_eval_options *watched; /* whose `each` is called, too */
    double *kld, *ratio;
    size_t n, cap;
    bool failed;
} tokens;

typedef struct {
    char *name;
    const char *text;
    size_t len;
    char sha[65];
    precis_eval_result e;
    tokens k;
    bool uneven; /* the model loses far more here than elsewhere */
} text;

typedef struct {
    precis_task *task;
    precis_task_info info;
    precis_answer *answers, *reference;
    double *logliks;
    char sha[65];
    bool compared; /* the reference was asked, too */
} asked;

typedef struct { const char *what, *unit, *of; bool percent; } row;

struct precis_suite {
    precis_ctx *ctx;
    const precis_model *model, *reference;
    precis_suite_options opt;
    precis_eval_options eval;
    text texts[TEXTS];
    asked tasks[TASKS];
    size_t n_texts, n_tasks, n_rows, best; /* best: the text with the least divergence */
    size_t done_texts, done_tasks;         /* those with results: when it is stopped, fewer */
    row rows[ROWS];
    precis_gate_result gates[ROWS];
    precis_verdict verdict;
};

precis_status precis_suite_open(precis_ctx *ctx, precis_suite **out, const precis_model *model,
                                const precis_model *reference, const precis_suite_options *opts)
{
    precis_suite *s = *out = NULL;
    precis_suite_options o = PRECIS_SUITE_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    if (!reference && (o.max_kld > 0 || o.max_ppl > 0 || o.max_drop > 0))
        return pcs_fail(ctx, PRECIS_EINVAL, "a gate compares: it needs a reference");
    if (!(s = pcs_alloc(ctx, 1, sizeof *s))) return PRECIS_ENOMEM;
    s->ctx = ctx;
    s->model = model;
    s->reference = reference;
    s->opt = o;
    s->eval = (precis_eval_options)PRECIS_EVAL_OPTIONS_INIT;
    pcs_options_take(&s->eval, sizeof s->eval, o.eval);
    s->verdict = PRECIS_UNDECIDED;
    *out = s;
    return PRECIS_OK;
}

void precis_suite_close(precis_suite **suite)
{
    precis_suite *s = suite ? *suite : NULL;
    if (!s) return;
    for (size_t i = 0; i < s->n_texts; i++) {
        pcs_free(s->ctx, s->texts[i].name);
        pcs_free(s->ctx, s->texts[i].k.kld);
        pcs_free(s->ctx, s->texts[i].k.ratio);
    }
    for (size_t i = 0; i < s->n_tasks; i++) {
        precis_task_close(&s->tasks[i].task);
        pcs_free(s->ctx, s->tasks[i].answers);
        pcs_free(s->ctx, s->tasks[i].reference);
        pcs_free(s->ctx, s->tasks[i].logliks);
    }
    pcs_free(s->ctx, s);
    *suite = NULL;
}

precis_status precis_suite_add_text(precis_suite *s, const char *name, const char *bytes, size_t len)
{
    if (s->n_texts == TEXTS) return pcs_fail(s->ctx, PRECIS_EINVAL, "more than %d texts", TEXTS);
    text *t = &s->texts[s->n_texts];
    const size_t n = strlen(name) + 1;
    *t = (text){ .name = pcs_alloc(s->ctx, n, 1), .text = bytes, .len = len, .e.size = sizeof t->e, .k.ctx = s->ctx };
    if (!t->name) return PRECIS_ENOMEM;
    memcpy(t->name, name, n);
    s->n_texts++;
    precis_sha256(bytes, len, t->sha);
    return PRECIS_OK;
}

/* A chain over the items: the same questions have the same hash. */
static precis_status hash_items(precis_ctx *ctx, asked *a)
{
    char all[65 * 2 + 1] = { 0 };
    for (size_t i = 0; i < a->info.items; i++) {
        precis_task_item item = { .size = sizeof item };
        const precis_status st = precis_task_get(ctx, a->task, i, &item);
        if (st) return st;
        const char *first = item.context ? item.context : item.contexts[0];
        precis_sha256(first, strlen(first), all + 64);
        precis_sha256(all, strlen(all), a->sha);
        memcpy(all, a->sha, 64);
    }
    return PRECIS_OK;
}

precis_status precis_suite_add_task(precis_suite *s, const char *name, const precis_task_options *opts)
{
    if (s->n_tasks == TASKS) return pcs_fail(s->ctx, PRECIS_EINVAL, "more than %d tasks", TASKS);
    asked *a = &s->tasks[s->n_tasks];
    *a = (asked){ .info.size = sizeof a->info };
    const precis_status st = precis_task_open(s->ctx, &a->task, name, opts);
    if (st) return st;
    s->n_tasks++;
    precis_task_get_info(a->task, &a->info);
    a->answers = pcs_alloc(s->ctx, a->info.items, sizeof *a->answers);
    a->reference = s->reference ? pcs_alloc(s->ctx, a->info.items, sizeof *a->reference) : NULL;
    a->logliks = pcs_alloc(s->ctx, a->info.items, PRECIS_TASK_CHOICES * sizeof *a->logliks);
    if (!a->answers || !a->logliks || (s->reference && !a->reference)) return PRECIS_ENOMEM;
    return hash_items(s->ctx, a);
}

/* ---- the gate --------------------------------------------------------------------------------------------------- */

static precis_gate_result *add_row(precis_suite *s, const char *what, const char *unit, const char *of, bool percent)
{
    s->rows[s->n_rows] = (row){ what, unit, of, percent };
    s->gates[s->n_rows] = (precis_gate_result){ .size = sizeof s->gates[0] };
    return &s->gates[s->n_rows++];
}

static const char kl_divergence[] = "KL divergence", perplexity[] = "perplexity increase", accuracy[] = "accuracy drop";

static precis_status judge(precis_suite *s)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < s->n_texts && !st; i++) {
        const text *t = &s->texts[i];
        if (s->opt.max_kld > 0)
            st = precis_gate(s->ctx, t->k.kld, t->k.n, BLOCK, s->opt.max_kld,
                             add_row(s, kl_divergence, "nats per token", t->name, false));
        if (s->opt.max_ppl > 0 && !st)
            st = precis_gate(s->ctx, t->k.ratio, t->k.n, BLOCK, log1p(s->opt.max_ppl / 100),
                             add_row(s, perplexity, "percent", t->name, true));
    }
    for (size_t i = 0; i < s->n_tasks && s->opt.max_drop > 0 && !st; i++) {
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(s->tasks[i].task, NULL, s->tasks[i].answers, s->tasks[i].reference, &r);
        st = precis_gate_accuracy(s->ctx, r.items, r.to_wrong, r.to_right, s->opt.max_drop,
                                  add_row(s, accuracy, "part of the items", s->tasks[i].info.name, false));
    }
    if (!st && s->n_rows) s->verdict = precis_gate_holm(s->gates, s->n_rows);
    return st;
}

/* A text is uneven when its divergence is above twice that of the text where the model is best, by the same test and
 * Holm. */
static precis_status find_uneven(precis_suite *s)
{
    precis_gate_result g[TEXTS];
    precis_status st = PRECIS_OK;
    s->best = 0;
    for (size_t i = 1; i < s->n_texts; i++)
        if (s->texts[i].e.kld_mean < s->texts[s->best].e.kld_mean) s->best = i;
    const double twice = 2 * s->texts[s->best].e.kld_mean;
    for (size_t i = 0; i < s->n_texts && !st; i++) {
        g[i].size = sizeof g[i];
        st = precis_gate(s->ctx, s->texts[i].k.kld, s->texts[i].k.n, BLOCK, twice, &g[i]);
    }
    if (!st) precis_gate_holm(g, s->n_texts);
    for (size_t i = 0; i < s->n_texts && !st; i++) s->texts[i].uneven = g[i].verdict == PRECIS_REJECT;
    return st;
}

/* ---- evaluation ------------------------------------------------------------------------------------------------- */

static void keep_token(void *user, const precis_eval_token *t)
{
    tokens *k = user;
    if (k->watched->each) k->watched->each(k->watched->user, t);
    if (k->failed) return;
    if (k->n == k->cap) {
        const size_t cap = k->cap * 2 + 4096, used = k->n * sizeof *k->kld;
        double *a = pcs_grow(k->ctx, k->kld, used, cap, sizeof *a);
        double *b = a ? pcs_grow(k->ctx, k->ratio, used, cap, sizeof *b) : NULL;
        if (a) k->kld = a;
        if (b) k->ratio = b, k->cap = cap;
        k->failed = !b;
        if (!b) return;
    }
    k->kld[k->n] = t->kld;
    k->ratio[k->n++] = t->nll - t->ref_nll;
}

static precis_status evaluate_text(precis_suite *s, text *t)
{
    precis_eval_options o = s->eval;
    char why[1024];
    o.each = keep_token;
    o.user = &t->k;
    t->k.watched = &s->eval;
    if (s->opt.begin) s->opt.begin(s->eval.user, t->name, 0);
    precis_status st = precis_eval_text(s->ctx, s->model, s->reference, t->text, t->len, &o, &t->e);
    if (!st && t->k.failed) st = PRECIS_ENOMEM;
    if (st == PRECIS_EINVAL && s->n_texts > 1) {
        snprintf(why, sizeof why, "%s", precis_ctx_message(s->ctx));
        pcs_fail(s->ctx, st, "text %.200s: %s", t->name, why);
    }
    return st;
}

static precis_status evaluate_task(precis_suite *s, asked *a)
{
    precis_eval_options o = s->eval;
    o.window = s->opt.task_window;
    if (s->opt.begin) s->opt.begin(s->eval.user, a->info.name, 1);
    precis_status st = precis_eval_task(s->ctx, s->model, a->task, &o, a->answers, a->logliks);
    o.k_type = o.v_type = NULL; /* the reference keeps f16 */
    a->compared = !st && s->reference;
    if (a->compared && s->opt.begin) s->opt.begin(s->eval.user, a->info.name, 1);
    if (a->compared) st = precis_eval_task(s->ctx, s->reference, a->task, &o, a->reference, NULL);
    return st;
}

precis_status precis_suite_run(precis_suite *s)
{
    precis_status st = PRECIS_OK;
    const uint64_t refused = precis_ctx_refused(s->ctx);
    for (size_t i = 0; i < s->n_texts && !st; i++) {
        st = evaluate_text(s, &s->texts[i]);
        s->done_texts += s->texts[i].e.windows > 0;
    }
    for (size_t i = 0; i < s->n_tasks && !st; i++) {
        st = evaluate_task(s, &s->tasks[i]);
        s->done_tasks += s->tasks[i].info.items && s->tasks[i].answers[0].choice != PRECIS_UNANSWERED;
    }
    if (!st && s->reference && s->n_texts > 1) st = find_uneven(s);
    if (!st && s->reference) st = judge(s);
    return pcs_with_memory(s->ctx, refused, st);
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

int precis_suite_get_text(const precis_suite *s, size_t i, precis_suite_text *out)
{
    if (i >= s->done_texts) return 0;
    const text *t = &s->texts[i];
    const precis_suite_text all = { .name = t->name, .sha256 = t->sha, .eval = &t->e, .kld = t->k.kld,
                                    .log_ratio = t->k.ratio, .tokens = t->k.n, .uneven = t->uneven,
                                    .best = s->best == i };
    pcs_options_give(out, &all, sizeof all);
    return 1;
}

int precis_suite_get_task(const precis_suite *s, size_t i, precis_suite_task *out)
{
    if (i >= s->done_tasks) return 0;
    const asked *a = &s->tasks[i];
    const bool both = a->compared && a->info.items && a->reference[0].choice != PRECIS_UNANSWERED;
    const precis_suite_task all = { .task = a->task, .answers = a->answers, .reference = both ? a->reference : NULL,
                                    .logliks = a->logliks, .sha256 = a->sha };
    pcs_options_give(out, &all, sizeof all);
    return 1;
}

int precis_suite_get_row(const precis_suite *s, size_t i, precis_suite_row *out)
{
    if (i >= s->n_rows) return 0;
    const row *r = &s->rows[i];
    const precis_suite_row all = { .what = r->what, .unit = r->unit, .of = r->of, .percent = r->percent,
                                   .gate = &s->gates[i] };
    pcs_options_give(out, &all, sizeof all);
    return 1;
}

precis_verdict precis_suite_verdict(const precis_suite *s) { return s->verdict; }

/* ---- keeping ---------------------------------------------------------------------------------------------------- */

/* The figures of a suite; owned: their values. */
typedef struct { precis_ctx *ctx; precis_measure list[ROWS]; float *owned[ROWS]; size_t n; bool failed; } figures;

static const char *verdict_of(const precis_suite *s, const char *what, const char *of)
{
    for (size_t i = 0; i < s->n_rows; i++)
        if (s->rows[i].what == what && !strcmp(s->rows[i].of, of)) return precis_verdict_name(s->gates[i].verdict);
    return NULL;
}

static void add_figure(figures *f, precis_measure m, const double *values)
{
    float *own = pcs_alloc(f->ctx, m.n, sizeof *own);
    for (size_t i = 0; i < m.n && own; i++) own[i] = (float)values[i];
    m.size = sizeof m;
    m.values = f->owned[f->n] = own;
    f->failed |= !own;
    f->list[f->n++] = m;
}

static void collect_texts(const precis_suite *s, figures *f)
{
    for (size_t i = 0; i < s->n_texts && s->reference; i++) {
        const text *t = &s->texts[i];
        precis_measure m = { .what = "kld", .of = t->name, .data_sha256 = t->sha, .n = t->k.n };
        m.mean = t->e.kld_mean;
        m.se = t->e.kld_se;
        m.verdict = verdict_of(s, kl_divergence, t->name);
        add_figure(f, m, t->k.kld);
        m.what = "log_ppl_ratio";
        m.mean = t->e.log_ratio;
        m.se = t->e.log_ratio_se;
        m.verdict = verdict_of(s, perplexity, t->name);
        add_figure(f, m, t->k.ratio);
    }
}

static void collect_tasks(const precis_suite *s, figures *f)
{
    for (size_t i = 0; i < s->n_tasks; i++) {
        const asked *a = &s->tasks[i];
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(a->task, NULL, a->answers, a->reference, &r);
        double *right = pcs_alloc(s->ctx, a->info.items, sizeof *right);
        precis_measure m = { .what = a->info.metric, .of = a->info.name, .data_sha256 = a->sha };
        m.n = right ? a->info.items : 0;
        for (size_t k = 0; k < m.n; k++) right[k] = a->answers[k].right;
        m.mean = r.accuracy;
        m.se = r.accuracy_se;
        m.verdict = verdict_of(s, accuracy, a->info.name);
        f->failed |= !right;
        add_figure(f, m, right);
        pcs_free(s->ctx, right);
    }
}

precis_status precis_suite_keep(const precis_suite *s, const char *path, const char *name, int64_t when)
{
    char model[65], reference[65], settings[160];
    precis_status st = precis_model_sha256(s->model, model);
    if (!st && s->reference) st = precis_model_sha256(s->reference, reference);
    if (st) return st;
    figures *f = pcs_alloc(s->ctx, 1, sizeof *f);
    if (!f) return PRECIS_ENOMEM;
    f->ctx = s->ctx;
    collect_texts(s, f);
    collect_tasks(s, f);
    const precis_eval_options *o = &s->eval;
    snprintf(settings, sizeof settings, "arithmetic %s, window %u, windows %u, keys %s, values %s",
             precis_arithmetic_name(o->arithmetic), o->window, o->windows, o->k_type ? o->k_type : "f16",
             o->v_type ? o->v_type : "f16");
    const precis_history_run run = { .size = sizeof run, .name = name, .model_sha256 = model,
                                     .reference_sha256 = s->reference ? reference : NULL, .settings = settings,
                                     .verdict = s->n_rows ? precis_verdict_name(s->verdict) : NULL, .when = when,
                                     .measures = f->list, .n = f->n };
    st = f->failed ? PRECIS_ENOMEM : precis_history_add(s->ctx, path, &run);
    for (size_t i = 0; i < f->n; i++) pcs_free(s->ctx, f->owned[i]);
    pcs_free(s->ctx, f);
    return st;
}
