/* versions.c - where a version of a model is worse than the one before it: the same items, pair by pair, by the gate's
 * tests with a margin of nothing; all figures of a run together by Holm's procedure. */
#include "record/history.h"

#include <math.h>

enum {
    BLOCK = 64,     /* tokens that are taken to depend on each other */
    MEASURES = 512  /* series of a history, and figures of a run */
};

/* The last run of a series. */
typedef struct { char *key, *model; float *values; size_t n; } series;

/* A figure of the run that is being read, and its test. */
typedef struct { precis_history_row row; precis_gate_result gate; } waiting;

struct pcs_versions {
    precis_ctx *ctx;
    precis_history_fn *fn;
    void *user;
    series list[MEASURES];
    size_t n;
    waiting run[MEASURES];
    size_t n_run;
    pcs_arena texts; /* of the run that is being read */
    int64_t last;
};

precis_status pcs_versions_open(precis_ctx *ctx, pcs_versions **out, precis_history_fn *fn, void *user)
{
    pcs_versions *v = *out = pcs_alloc(ctx, 1, sizeof *v);
    if (!v) return PRECIS_ENOMEM;
    v->ctx = ctx;
    v->fn = fn;
    v->user = user;
    v->last = -1;
    pcs_arena_init(&v->texts, ctx);
    return PRECIS_OK;
}

void pcs_versions_close(pcs_versions **versions)
{
    pcs_versions *v = *versions;
    if (!v) return;
    for (size_t i = 0; i < v->n; i++) {
        pcs_free(v->ctx, v->list[i].key);
        pcs_free(v->ctx, v->list[i].model);
        pcs_free(v->ctx, v->list[i].values);
    }
    pcs_arena_free(&v->texts);
    pcs_free(v->ctx, v);
    *versions = NULL;
}

/* Is the new version worse than the old one on the same items? The change of the loss, and the gate's test of it. */
static precis_status compare(precis_ctx *ctx, const series *old, const pcs_history_figure *f, double *change,
                             precis_gate_result *g)
{
    const size_t n = old->n;
    if (!strncmp(f->what, "acc", 3) || !strcmp(f->what, "exact_match")) {
        uint64_t lost = 0, gained = 0;
        for (size_t i = 0; i < n; i++) {
            lost += old->values[i] > f->values[i];
            gained += old->values[i] < f->values[i];
        }
        *change = ((double)gained - (double)lost) / (double)n;
        return precis_gate_accuracy(ctx, n, lost, gained, 0, g);
    }
    double *d = pcs_alloc(ctx, n, sizeof *d), sum = 0;
    if (!d) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) sum += d[i] = (double)f->values[i] - (double)old->values[i];
    *change = sum / (double)n;
    const precis_status st = precis_gate(ctx, d, n, BLOCK, 0, g);
    pcs_free(ctx, d);
    return st;
}

static char *copy_text(precis_ctx *ctx, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *own = pcs_alloc(ctx, n, 1);
    return own ? memcpy(own, s, n) : NULL;
}

static series *series_of(pcs_versions *v, const char *key)
{
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->list[i].key, key)) return &v->list[i];
    if (v->n == MEASURES) return NULL;
    series *s = &v->list[v->n];
    *s = (series){ .key = copy_text(v->ctx, key) };
    v->n += s->key != NULL;
    return s;
}

/* The figure becomes the last of its series. */
static precis_status keep(precis_ctx *ctx, series *s, const pcs_history_figure *f)
{
    char *model = copy_text(ctx, f->model);
    float *values = pcs_alloc(ctx, f->n, sizeof *values);
    if (!model || !values) {
        pcs_free(ctx, model);
        pcs_free(ctx, values);
        return PRECIS_ENOMEM;
    }
    pcs_free(ctx, s->model);
    pcs_free(ctx, s->values);
    if (f->n) memcpy(values, f->values, f->n * sizeof *values);
    s->model = model;
    s->values = values;
    s->n = f->n;
    return PRECIS_OK;
}

/* The texts of a row, which the figure's owner takes back. */
static precis_status own_texts(pcs_arena *a, precis_history_row *r)
{
    const char **texts[] = { &r->at, &r->name, &r->model_sha256, &r->what, &r->of, &r->verdict };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] && !(*texts[i] = pcs_arena_copy(a, *texts[i], strlen(*texts[i])))) return PRECIS_ENOMEM;
    return PRECIS_OK;
}

void pcs_versions_end(pcs_versions *v, bool *worse)
{
    precis_gate_result tested[MEASURES];
    size_t at[MEASURES], n = 0;
    bool any = false;
    for (size_t i = 0; i < v->n_run; i++)
        if (isfinite(v->run[i].row.change)) at[n] = i, tested[n++] = v->run[i].gate;
    precis_gate_holm(tested, n);
    for (size_t i = 0; i < n; i++) {
        precis_history_row *r = &v->run[at[i]].row;
        r->worse = tested[i].verdict == PRECIS_REJECT;
        r->better = tested[i].verdict == PRECIS_ACCEPT;
        any |= r->worse;
    }
    for (size_t i = 0; i < v->n_run && v->fn; i++) v->fn(v->user, &v->run[i].row);
    v->n_run = 0;
    pcs_arena_free(&v->texts);
    pcs_arena_init(&v->texts, v->ctx);
    *worse = any;
}

precis_status pcs_versions_add(pcs_versions *v, const pcs_history_figure *f)
{
    bool worse;
    if (f->run != v->last) pcs_versions_end(v, &worse);
    v->last = f->run;
    series *s = v->n_run < MEASURES ? series_of(v, f->key) : NULL;
    if (!s) return pcs_fail(v->ctx, PRECIS_EFORMAT, "the file of results has more than %d series", MEASURES);
    if (!s->key) return PRECIS_ENOMEM;
    waiting *w = &v->run[v->n_run];
    w->gate = (precis_gate_result){ .size = sizeof w->gate, .verdict = PRECIS_UNDECIDED, .p_reject = 1, .p_accept = 1 };
    w->row = (precis_history_row){ .size = sizeof w->row, .at = f->at, .name = f->name, .model_sha256 = f->model,
                                   .what = f->what, .of = f->of, .verdict = f->verdict };
    w->row.mean = f->mean;
    w->row.se = f->se;
    w->row.items = f->n;
    w->row.change = NAN;
    precis_status st = PRECIS_OK;
    if (s->model && s->n == f->n && f->n && strcmp(s->model, f->model))
        st = compare(v->ctx, s, f, &w->row.change, &w->gate);
    if (!st) st = own_texts(&v->texts, &w->row);
    if (!st) st = keep(v->ctx, s, f);
    v->n_run += !st;
    return st;
}
