/* inputs.c - statistics of what weights multiply by, and some of its rows. */
#include "quant/inputs.h"

#include "quant/samples.h"
#include "quant/work.h"

#include <math.h>

#define INPUT_ROWS 384 /* of each input that are kept */

typedef struct { pcs_inputs *e; uint64_t total; } tap;

static void on_input(void *user, precis_value v, const float *x, uint64_t rows, uint64_t width)
{
    (void)v;
    const tap *t = user;
    pcs_inputs *e = t->e;
    for (uint64_t r = 0; r < rows; r++, e->seen++) {
        const float *row = x + r * width;
        for (uint64_t k = 0; k < width; k++) {
            const float a = row[k] < 0 ? -row[k] : row[k];
            e->top[k] = a > e->top[k] ? a : e->top[k];
            e->mean[k] += a; /* a sum until the end */
        }
        /* rows at even distances */
        if (e->n_rows < e->cap_rows && e->seen * e->cap_rows >= e->n_rows * t->total)
            memcpy(e->rows + e->n_rows++ * width, row, width * sizeof *row);
    }
}

const pcs_node *pcs_weight_node(const precis_graph *g, const char *tensor)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const pcs_node *n = &g->nodes[i];
        const pcs_value *w = pcs_node_weight(g, n);
        if (w && !strcmp(w->name, tensor)) return n;
    }
    return NULL;
}

void pcs_inputs_free(precis_ctx *ctx, pcs_inputs *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++) {
        pcs_free(ctx, list[i].top);
        pcs_free(ctx, list[i].mean);
        pcs_free(ctx, list[i].rows);
    }
    pcs_free(ctx, list);
}

const pcs_inputs *pcs_inputs_of(const pcs_inputs *list, size_t n, precis_value v)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].value == v) return &list[i];
    return NULL;
}

/* The means; scales, clippings and saliency are made from finite numbers only. */
static precis_status finish_input(precis_ctx *ctx, const precis_graph *g, pcs_inputs *e)
{
    const int32_t node = g->values[e->value].node;
    for (size_t k = 0; k < e->n && e->seen; k++) {
        if (!isfinite(e->mean[k]) || !isfinite(e->top[k]))
            return pcs_fail(ctx, PRECIS_EFORMAT,
                            "%s: the calibration text makes numbers there that are not finite; with weights that "
                            "large, "
                            "no scale can be measured",
                            node >= 0 ? g->nodes[node].name : "the input");
        e->mean[k] /= (float)e->seen;
    }
    return PRECIS_OK;
}

precis_status pcs_inputs_collect(pcs_work *w, precis_runner **runner, pcs_inputs **list, size_t *n)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.context = ro.batch = w->windows.longest;
    *runner = NULL;
    *list = NULL;
    *n = 0;
    precis_status st = pcs_runner_open(w->ctx, runner, w->m, &ro, &(pcs_runner_how){ .inputs = true });
    if (st) return st;
    const precis_graph *g = (*runner)->graph;
    tap *taps = pcs_alloc(w->ctx, g->n_nodes + 1, sizeof *taps);
    pcs_inputs *in = pcs_alloc(w->ctx, g->n_nodes + 1, sizeof *in);
    if (!taps || !in) st = PRECIS_ENOMEM;
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        const pcs_node *node = &g->nodes[i];
        if (!node->op->weight || pcs_inputs_of(in, *n, node->in[0])) continue;
        pcs_inputs *e = &in[(*n)++];
        const pcs_value *x = &g->values[node->in[0]];
        *e = (pcs_inputs){ .value = node->in[0], .n = (size_t)x->shape[x->dims - 1], .cap_rows = INPUT_ROWS };
        e->top = pcs_alloc(w->ctx, e->n, sizeof *e->top);
        e->mean = pcs_alloc(w->ctx, e->n, sizeof *e->mean);
        e->rows = pcs_alloc(w->ctx, e->n * INPUT_ROWS, sizeof *e->rows);
        if (!e->top || !e->mean || !e->rows) st = PRECIS_ENOMEM;
        taps[*n - 1] = (tap){ e, w->windows.n_ids };
        if (!st) pcs_program_tap((*runner)->program, node->in[0], on_input, &taps[*n - 1]);
    }
    pcs_samples samples = { .ctx = w->ctx };
    const pcs_samples_pass pass = { .on = { .program = (*runner)->program, .runner = *runner },
                                    .stage = "calibrate", .checked = true };
    if (!st) st = pcs_samples_of_windows(w->ctx, &samples, &w->windows, PCS_WANT_ALL, 1);
    if (!st) st = pcs_samples_run(&samples, &pass);
    pcs_samples_close(&samples);
    for (size_t i = 0; i < *n && !st; i++) st = finish_input(w->ctx, g, &in[i]);
    for (size_t i = 0; i < *n; i++) pcs_program_tap((*runner)->program, in[i].value, NULL, NULL);
    pcs_free(w->ctx, taps);
    *list = in;
    if (st) {
        pcs_inputs_free(w->ctx, in, *n);
        *list = NULL;
        *n = 0;
        precis_runner_close(runner);
    }
    return st;
}
