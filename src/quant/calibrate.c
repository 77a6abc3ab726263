/* calibrate.c - what the inputs of every matmul look like, on given texts or on text that the model makes.
 *
 * It runs in reference arithmetic, so that the result, and with it every file made from it, is the same on every
 * machine. Sums of squares are kept in f64, tokens in order. */
#include "base/options.h"
#include "precis/run.h"
#include "quant/methods.h"
#include "run/runner.h"
#include "text/tokenizer.h"

#include <stdio.h>

#define LEAST 16     /* tokens of a text */
#define SAMPLED 2048 /* tokens */
#define WINDOW 512   /* of a text */

/* node: of experts */
typedef struct watch { pcs_importance *e; struct watch *next; precis_runner *r; const pcs_node *node; } watch;

static void add_row(pcs_importance *e, size_t expert, const float *x)
{
    for (size_t k = 0; k < e->n; k++) e->sum[expert * e->n + k] += (double)x[k] * (double)x[k];
    e->counts[expert]++;
}

static void on_value(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    /* Several weights read one value: the first collects, the others copy at the end. */
    for (uint64_t r = 0; r < rows; r++) add_row(((watch *)user)->e, 0, x + r * width);
}

/* The result of experts: their input and the route are still there. */
static void on_experts(void *user, precis_value v, const float *y, uint64_t rows, uint64_t width)
{
    (void)v, (void)y, (void)width;
    const watch *w = user;
    const pcs_value *values = w->r->graph->values;
    const float *x = pcs_program_value(w->r->program, w->node->in[0]),
                *route = pcs_program_value(w->r->program, w->node->in[w->node->op->route]);
    const size_t top = (size_t)values[w->node->in[w->node->op->route]].shape[1] / 2;
    const bool slots = values[w->node->in[0]].dims == 3;
    for (uint64_t i = 0; i < rows; i++) { /* one of a token and an expert */
        const uint64_t t = i / top, s = i % top;
        const float id = route[t * 2 * top + s];
        if (id >= 0 && id < (float)w->e->experts) add_row(w->e, (size_t)id, x + (slots ? i : t) * w->e->n);
    }
}

/* A tap on the input of each node that multiplies by a stored weight. */
static precis_status tap_all(precis_imatrix *im, precis_runner *r, watch **lists)
{
    const precis_graph *g = r->graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        const bool experts = n->op->route != 0;
        const pcs_value *w = pcs_node_weight(g, n);
        if (!w || pcs_map_get(&im->map, w->name, strlen(w->name), NULL)) continue;
        watch *item = pcs_arena_alloc(&im->arena, 1, sizeof *item);
        pcs_importance *e;
        if (!item) return PRECIS_ENOMEM;
        const precis_status st = pcs_imatrix_add(im, w->name, strlen(w->name), (size_t)w->shape[w->dims - 1],
                                                 experts ? (size_t)w->shape[0] : 1, &e);
        if (st) return st;
        /* entries move when the table grows: keep the place in v.tokens for now */
        item->e = (pcs_importance *)(uintptr_t)im->n;
        item->r = r;
        item->node = experts ? n : NULL;
        const precis_value at = experts ? n->out[0] : n->in[0];
        item->next = lists[at];
        lists[at] = item;
    }
    for (size_t v = 0; v < g->n_values; v++) {
        for (watch *w = lists[v]; w; w = w->next) w->e = &im->entries[(uintptr_t)w->e - 1];
        if (lists[v]) pcs_program_tap(r->program, (precis_value)v, lists[v]->node ? on_experts : on_value, lists[v]);
    }
    return PRECIS_OK;
}

static void share(const precis_graph *g, watch *const *lists)
{
    for (size_t v = 0; v < g->n_values; v++)
        for (const watch *w = lists[v] ? lists[v]->next : NULL; w; w = w->next) {
            memcpy(w->e->sum, lists[v]->e->sum, w->e->n * sizeof *w->e->sum);
            w->e->counts[0] = lists[v]->e->counts[0];
        }
}

static precis_status read_texts(precis_ctx *ctx, precis_runner *r, const precis_model *m,
                                const precis_calibrate_options *o, uint32_t most, uint64_t *seen)
{
    const pcs_window_rule rule = { .length = WINDOW, .shortest = 1, .least = LEAST, .who = "it needs",
                                   .limit = " (the limit on tokens)" };
    pcs_windows w, some;
    pcs_samples samples = { .ctx = ctx };
    precis_status st = pcs_windows_of_texts(ctx, m, o, &rule, &w);
    if (st) return st;
    if (w.n_ids > most && !(st = pcs_windows_spread(&w, most, &some))) {
        pcs_windows_free(&w);
        w = some;
    }
    if (!st) st = pcs_samples_of_windows(ctx, &samples, &w, PCS_WANT_ALL, 1);
    const pcs_samples_pass pass = { .on = { .program = r->program, .runner = r },
                                    .stage = "calibrate", .checked = true };
    if (!st) st = pcs_samples_run(&samples, &pass);
    *seen = w.n_ids;
    pcs_samples_close(&samples);
    pcs_windows_free(&w);
    return st;
}

precis_status precis_calibrate(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                               const precis_calibrate_options *opts)
{
    return pcs_calibrate_some(ctx, out, model, opts, UINT32_MAX);
}

precis_status pcs_calibrate_some(precis_ctx *ctx, precis_imatrix **out, const precis_model *model,
                                 const precis_calibrate_options *opts, uint32_t most)
{
    precis_calibrate_options o = PRECIS_CALIBRATE_OPTIONS_INIT;
    pcs_options_take(&o, sizeof o, opts);
    *out = NULL;
    const bool sampled = !o.n_texts;
    const uint64_t wanted = o.tokens ? o.tokens : SAMPLED;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.batch = WINDOW;
    const int64_t context = pcs_arch_int(model, "context_length", 2048, NULL);
    ro.context = context < WINDOW ? (uint32_t)context : WINDOW;
    precis_imatrix *im = NULL;
    precis_runner *r = NULL;
    precis_tokenizer *t = NULL;
    watch **lists = NULL;
    uint64_t seen = 0;
    precis_status st = sampled ? pcs_sample_open(ctx, &r, model, wanted, &ro)
                               : pcs_runner_open(ctx, &r, model, &ro, &(pcs_runner_how){ .inputs = true });
    if (!st) st = pcs_imatrix_new(ctx, &im);
    if (!st && sampled && pcs_tokenizes(model)) st = precis_tokenizer_open(ctx, &t, model);
    if (!st && !(lists = pcs_alloc(ctx, r->graph->n_values, sizeof *lists))) st = PRECIS_ENOMEM;
    if (!st) st = tap_all(im, r, lists);
    pcs_windows made = { .ctx = ctx };
    if (!st)
        st = sampled ? pcs_sample_text(r, t, wanted, "calibrate", &made, &seen)
                     : read_texts(ctx, r, model, &o, most, &seen);
    if (!st && sampled) st = pcs_sample_check(ctx, t, &made);
    pcs_windows_free(&made);
    if (!st) {
        share(r->graph, lists);
        im->chunk = sampled ? r->context : WINDOW;
        im->chunks = (seen + im->chunk - 1) / im->chunk;
        im->dataset = pcs_arena_printf(&im->arena, sampled ? "sampled from the model, seed %llu" : "text",
                                       (unsigned long long)ctx->opt.seed);
        if (sampled)
            im->source = pcs_arena_printf(&im->arena, "{\"sampled\":{\"seed\":%llu,\"tokens\":%llu}}",
                                          (unsigned long long)ctx->opt.seed, (unsigned long long)seen);
        else {
            char hex[65];
            precis_sha256(o.texts[0], o.lengths[0], hex);
            im->source = pcs_arena_printf(&im->arena,
                                          "{\"text\":{\"first_sha256\":\"%s\",\"texts\":%zu,\"tokens\":%llu}}", hex,
                                          o.n_texts, (unsigned long long)seen);
        }
        if (!im->dataset || !im->source) st = PRECIS_ENOMEM;
        pcs_imatrix_finish(im);
        if (!st) st = pcs_imatrix_sound(im);
    }
    pcs_free(ctx, lists);
    precis_tokenizer_close(&t);
    precis_runner_close(&r);
    if (st) precis_imatrix_close(&im);
    *out = im;
    return st;
}
