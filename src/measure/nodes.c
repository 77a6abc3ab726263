/* nodes.c - what every node of the net puts out: range, outliers, and how far it is from the same node of a
 * reference. */
#include "base/options.h"
#include "precis/job.h"

#include "quant/methods.h"
#include "run/runner.h"

#include <math.h>
#include <stdlib.h>

enum { WINDOW = 128, TOKENS = 512 };

/* One node that puts out numbers. */
typedef struct node {
    const char *name, *op;
    size_t width;
    uint64_t rows;
    double squares, fourth, top;
    float *channel;      /* [width]: largest |x| of each channel */
    /* beside the reference */
    double signal, noise, cosine;
    uint64_t compared;
    const float *kept;   /* of the reference, while a window runs */
    struct tap { struct nodes *all; struct node *n; } tap;
} node;

typedef struct nodes {
    precis_ctx *ctx;
    node *list;
    size_t n;
    struct nodes *reference;
    float **store;
    size_t *room;
    bool failed;
} nodes;

static void on_reference(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const struct tap *t = user;
    nodes *all = t->all;
    const size_t i = (size_t)(t->n - all->list), need = (size_t)(rows * width);
    if (all->room[i] < need) {
        pcs_free(all->ctx, all->store[i]);
        all->store[i] = pcs_alloc(all->ctx, need, sizeof(float));
        all->room[i] = all->store[i] ? need : 0;
        if (!all->store[i]) all->failed = true;
    }
    if (all->store[i]) memcpy(all->store[i], x, need * sizeof *x);
    t->n->rows = rows;
    t->n->width = (size_t)width;
    t->n->kept = all->store[i];
}

static void compare(node *n, const node *ref, const float *x, uint64_t rows, uint64_t width)
{
    if (!ref->kept || ref->rows != rows || ref->width != width) return;
    for (uint64_t r = 0; r < rows; r++) {
        double xx = 0, yy = 0, xy = 0, e = 0;
        for (uint64_t k = 0; k < width; k++) {
            const double a = x[r * width + k], b = ref->kept[r * width + k];
            xx += a * a;
            yy += b * b;
            xy += a * b;
            e += (a - b) * (a - b);
        }
        n->signal += yy;
        n->noise += e;
        n->cosine += xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : xx == yy;
        n->compared++;
    }
}

static const node *find(const nodes *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (!strcmp(all->list[i].name, name)) return &all->list[i];
    return NULL;
}

static void on_model(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const struct tap *t = user;
    node *n = t->n;
    if (!n->channel) {
        n->width = (size_t)width;
        if (!(n->channel = pcs_alloc(t->all->ctx, (size_t)width, sizeof *n->channel))) t->all->failed = true;
    }
    if (!n->channel || n->width != width) return;
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t k = 0; k < width; k++) {
            const double a = x[r * width + k], s = a * a;
            n->squares += s;
            n->fourth += s * s;
            if (fabs(a) > n->top) n->top = fabs(a);
            if (fabs(a) > (double)n->channel[k]) n->channel[k] = (float)fabs(a);
        }
    n->rows += rows;
    if (t->all->reference) {
        const node *ref = find(t->all->reference, n->name);
        if (ref) compare(n, ref, x, rows, width);
    }
}

/* Taps on all nodes that put out floats. */
static precis_status tap_all(nodes *all, precis_runner *r, pcs_tap_fn *fn)
{
    const precis_graph *g = r->graph;
    all->list = pcs_alloc(all->ctx, g->n_nodes + 1, sizeof *all->list);
    all->store = pcs_alloc(all->ctx, g->n_nodes + 1, sizeof *all->store);
    all->room = pcs_alloc(all->ctx, g->n_nodes + 1, sizeof *all->room);
    if (!all->list || !all->store || !all->room) return PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        const bool runs = pcs_program_step_of(r->program, n->out[0]) < r->program->n_steps;
        if (g->values[n->out[0]].dtype != PCS_F32 || !runs || !n->name) continue;
        node *k = &all->list[all->n++];
        *k = (node){ .name = n->name, .op = n->op->name };
        k->tap = (struct tap){ all, k };
        pcs_program_tap(r->program, n->out[0], fn, &k->tap);
    }
    return PRECIS_OK;
}

static void release(nodes *all)
{
    for (size_t i = 0; all->list && i < all->n; i++) {
        pcs_free(all->ctx, all->list[i].channel);
        pcs_free(all->ctx, all->store[i]);
    }
    pcs_free(all->ctx, all->list);
    pcs_free(all->ctx, all->store);
    pcs_free(all->ctx, all->room);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Channels whose largest value is above 6 times the median channel's (Dettmers et al. 2022, section 4, take a fixed
 * 6). */
static size_t outliers(node *n, double *median)
{
    size_t count = 0;
    float *sorted = n->channel;
    qsort(sorted, n->width, sizeof *sorted, ascending);
    *median = sorted[n->width / 2];
    for (size_t k = n->width; k && sorted[k - 1] > 6 * *median; k--) count++;
    return *median > 0 ? count : 0;
}

static void report(node *n, precis_node_fn *fn, void *user)
{
    if (!n->rows || !n->channel) return;
    const double count = (double)n->rows * (double)n->width, mean = n->squares / count;
    double median;
    const size_t channels = outliers(n, &median);
    precis_node_stats s = { .size = sizeof s, .name = n->name, .op = n->op, .width = n->width, .rows = n->rows,
                            .rms = sqrt(mean), .top = n->top, .outlier_channels = channels, .sqnr_db = NAN,
                            .cosine = NAN };
    s.crest_db = mean > 0 ? 20 * log10(n->top / s.rms) : 0;
    s.kurtosis = mean > 0 ? n->fourth / count / (mean * mean) : 0;
    s.range_db = median > 0 ? 20 * log10(n->top / median) : 0;
    if (n->compared) {
        s.sqnr_db = n->noise > 0 ? 10 * log10(n->signal / n->noise) : INFINITY;
        s.cosine = n->cosine / (double)n->compared;
    }
    fn(user, &s);
}

/* A reference runs each sample before the model does, so that its values are there to compare with. */
typedef struct { pcs_samples *samples; pcs_samples_pass reference; nodes *mine, *theirs; } pair;

static precis_status run_reference(void *user, const pcs_sample *at)
{
    const pair *p = user;
    return p->reference.on.runner ? pcs_samples_run_one(p->samples, at, &p->reference) : PRECIS_OK;
}

static precis_status kept_all(void *user, const pcs_sample *at)
{
    const pair *p = user;
    (void)at;
    return p->mine->failed || p->theirs->failed ? PRECIS_ENOMEM : PRECIS_OK;
}

precis_status precis_profile_nodes(precis_ctx *ctx, const precis_model *model, const precis_model *reference,
                                   const precis_calibrate_options *opts, precis_node_fn *fn, void *user)
{
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    if (!o.tokens) o.tokens = TOKENS;
    pcs_windows w = { .ctx = ctx };
    nodes mine = { .ctx = ctx }, theirs = { .ctx = ctx };
    precis_runner *r = NULL, *ref = NULL;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    precis_status st = pcs_windows_make(ctx, reference ? reference : model, &o, 0, &w);
    ro.context = ro.batch = ro.outputs = w.longest < WINDOW ? w.longest : WINDOW;
    if (!st) st = precis_runner_open(ctx, &r, model, &ro);
    if (!st && reference) st = precis_runner_open(ctx, &ref, reference, &ro);
    if (!st && ref && ref->lm.vocabulary != r->lm.vocabulary)
        st = pcs_fail(ctx, PRECIS_EINVAL, "the two models have other vocabularies; they cannot be compared");
    if (!st && ref) st = tap_all(&theirs, ref, on_reference);
    mine.reference = ref ? &theirs : NULL;
    if (!st) st = tap_all(&mine, r, on_model);
    pcs_samples samples = { .ctx = ctx };
    pair p = { &samples, { .on = { .runner = ref }, .checked = true }, &mine, &theirs };
    const pcs_samples_pass pass = { .on = { .runner = r }, .stage = "nodes", .checked = true, .before = run_reference,
                            .after = kept_all, .user = &p };
    if (!st) st = pcs_samples_of_windows(ctx, &samples, &w, PCS_WANT_ALL, 1);
    if (!st) pcs_samples_cut(&samples, ro.batch);
    if (!st) st = pcs_samples_run(&samples, &pass);
    pcs_samples_close(&samples);
    for (size_t i = 0; i < mine.n && !st; i++) report(&mine.list[i], fn, user);
    precis_runner_close(&r);
    precis_runner_close(&ref);
    release(&mine);
    release(&theirs);
    pcs_windows_free(&w);
    return st;
}
