/* windows.c - calibration: token windows, statistics of inputs, and the model's copy that methods work on. */
#include "base/pool.h"
#include "model/finite.h"
#include "quant/methods.h"
#include "text/tokenizer.h"

#include <math.h>
#include <stdio.h>

#define SAMPLED 8192 /* tokens */
#define WINDOW 512
#define LEAST 64   /* tokens */
#define ROWS 384 /* of each input that are kept */

/* ---- windows ----------------------------------------------------------------------------------------- */

void pcs_windows_free(pcs_windows *w)
{
    pcs_free(w->ctx, w->ids);
    pcs_free(w->ctx, w->lengths);
    *w = (pcs_windows){ .ctx = w->ctx };
}

precis_status pcs_windows_add(pcs_windows *w, const int32_t *ids, uint32_t n)
{
    if (w->n == w->cap) {
        uint32_t *grown = pcs_grow(w->ctx, w->lengths, w->n * sizeof *grown, w->cap * 2 + 64, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        w->lengths = grown;
        w->cap = w->cap * 2 + 64;
    }
    if (w->n_ids + n > w->cap_ids) {
        const size_t cap = (w->n_ids + n) * 2;
        int32_t *grown = pcs_grow(w->ctx, w->ids, w->n_ids * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        w->ids = grown;
        w->cap_ids = cap;
    }
    memcpy(w->ids + w->n_ids, ids, n * sizeof *ids);
    w->n_ids += n;
    w->lengths[w->n++] = n;
    if (n > w->longest) w->longest = n;
    return PRECIS_OK;
}

static precis_status sample(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o, pcs_windows *w)
{
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    const uint64_t wanted = o->tokens ? o->tokens : SAMPLED;
    precis_runner *r = NULL;
    precis_tokenizer *t = NULL;
    uint64_t made;
    precis_status st = pcs_sample_open(ctx, &r, m, wanted, &ro);
    if (!st && pcs_model_string(m, "tokenizer.ggml.model")) st = precis_tokenizer_open(ctx, &t, m);
    if (!st) st = pcs_sample(r, t, wanted, "sample", w, &made);
    precis_tokenizer_close(&t);
    precis_runner_close(&r);
    return st;
}

double pcs_spread(size_t k)
{
    double at = 0, part = 0.5;
    for (; k; k /= 2, part /= 2) at += (double)(k % 2) * part;
    return at;
}

/* The next place of n in that order; *k counts on. */
static size_t next_place(size_t *k, size_t n)
{
    size_t all = 1, place;
    while (all < n) all *= 2;
    do place = (size_t)(pcs_spread((*k)++) * (double)all);
    while (place >= n);
    return place;
}

precis_status pcs_windows_spread(const pcs_windows *all, uint64_t tokens, pcs_windows *w)
{
    *w = (pcs_windows){ .ctx = all->ctx };
    uint64_t *starts = pcs_alloc(all->ctx, all->n + 1, sizeof *starts);
    precis_status st = starts ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < all->n && !st; i++) starts[i + 1] = starts[i] + all->lengths[i];
    const uint64_t wanted = all->longest && tokens < all->n_ids ? (tokens + all->longest - 1) / all->longest : all->n;
    const size_t n = wanted < all->n ? (size_t)wanted : all->n;
    for (size_t i = 0, k = 0; i < n && !st && w->n_ids < tokens; i++) {
        const size_t from = (2 * next_place(&k, n) + 1) * all->n / (2 * n);
        const uint64_t left = tokens - w->n_ids, length = left < all->lengths[from] ? left : all->lengths[from];
        /* a rest of a few tokens tells nothing, and takes a run */
        if (length < 2 || (i && 4 * left < all->longest)) break;
        st = pcs_windows_add(w, all->ids + starts[from], (uint32_t)length);
    }
    pcs_free(all->ctx, starts);
    if (st) pcs_windows_free(w);
    return st;
}

precis_status pcs_windows_make(precis_ctx *ctx, const precis_model *m, const precis_calibrate_options *o,
                               uint32_t length, pcs_windows *w)
{
    *w = (pcs_windows){ .ctx = ctx };
    if (!o->n_texts) {
        const precis_status st = sample(ctx, m, o, w);
        if (st) pcs_windows_free(w);
        return st;
    }
    const int64_t context = pcs_arch_int(m, "context_length", 2048, NULL);
    if (context < 1) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: a context of %lld tokens", m->path, (long long)context);
    precis_tokenizer *t;
    precis_status st = precis_tokenizer_open(ctx, &t, m);
    if (st) return st;
    const uint32_t longest = length ? length : WINDOW, window = context < longest ? (uint32_t)context : longest;
    const uint64_t most = o->tokens ? o->tokens : UINT64_MAX;
    for (size_t i = 0; i < o->n_texts && !st && w->n_ids < most; i++) {
        int32_t *ids;
        size_t n;
        st = precis_tokenizer_encode(t, o->texts[i], o->lengths[i], PRECIS_TEXT_ADD, &ids, &n);
        const int32_t bos = st ? -1 : pcs_window_bos(t, ids, n);
        for (size_t at = 0; at < n && !st && w->n_ids < most; at += window) {
            uint64_t k = n - at < window ? n - at : window;
            if (k > most - w->n_ids) k = most - w->n_ids;
            if (bos >= 0) ids[at] = bos; /* a model that begins with it knows no text without */
            if (k > 1) st = pcs_windows_add(w, ids + at, (uint32_t)k);
        }
        precis_ids_free(t, ids);
    }
    precis_tokenizer_close(&t);
    if (!st && w->n_ids < LEAST) st = pcs_fail(ctx, PRECIS_EINVAL, "the calibration text gives %zu tokens%s; methods that look at the whole model need at least %d, and a few thousand to be good", w->n_ids, o->tokens && o->tokens < LEAST ? " (--calib-tokens)" : "", LEAST);
    if (st) pcs_windows_free(w);
    return st;
}

/* ---- statistics of inputs ------------------------------------------------------------------------------ */

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
        if (e->n_rows < e->cap_rows && e->seen * e->cap_rows >= e->n_rows * t->total) memcpy(e->rows + e->n_rows++ * width, row, width * sizeof *row);
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
            return pcs_fail(ctx, PRECIS_EFORMAT, "%s: the calibration text makes numbers there that are not finite; with weights that large, "
                            "no scale can be measured", node >= 0 ? g->nodes[node].name : "the input");
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
        *e = (pcs_inputs){ .value = node->in[0], .n = (size_t)g->values[node->in[0]].shape[g->values[node->in[0]].dims - 1], .cap_rows = ROWS };
        e->top = pcs_alloc(w->ctx, e->n, sizeof *e->top);
        e->mean = pcs_alloc(w->ctx, e->n, sizeof *e->mean);
        e->rows = pcs_alloc(w->ctx, e->n * ROWS, sizeof *e->rows);
        if (!e->top || !e->mean || !e->rows) st = PRECIS_ENOMEM;
        taps[*n - 1] = (tap){ e, w->windows.n_ids };
        if (!st) pcs_program_tap((*runner)->program, node->in[0], on_input, &taps[*n - 1]);
    }
    precis_row *rows = pcs_alloc(w->ctx, w->windows.longest, sizeof *rows);
    if (!st && !rows) st = PRECIS_ENOMEM;
    const int32_t *ids = w->windows.ids;
    for (size_t i = 0; i < w->windows.n && !st; i++) {
        const uint32_t k = w->windows.lengths[i];
        for (uint32_t t = 0; t < k; t++) rows[t] = (precis_row){ ids[t], t, 0, 1 };
        ids += k;
        st = precis_runner_decode(*runner, rows, k, NULL);
        if (!st) st = pcs_progress(w->ctx, "calibrate", i + 1, w->windows.n);
    }
    for (size_t i = 0; i < *n && !st; i++) st = finish_input(w->ctx, g, &in[i]);
    for (size_t i = 0; i < *n; i++) pcs_program_tap((*runner)->program, in[i].value, NULL, NULL);
    pcs_free(w->ctx, rows);
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

/* ---- the copy -------------------------------------------------------------------------------------------- */

precis_status pcs_work_open(precis_ctx *ctx, pcs_work *w, const precis_model *origin, const precis_quant_options *opt,
                            const precis_calibrate_options *calibrate, const char *type)
{
    *w = (pcs_work){ .ctx = ctx, .origin = origin, .opt = opt, .calibrate = calibrate };
    precis_status st = pcs_methods_parse(ctx, opt->method, &w->set);
    if (!st) st = pcs_model_finite(ctx, origin);
    if (!st) st = pcs_model_copy(ctx, &w->m, origin);
    const bool calibrated = w->set.coder->apply || w->set.transforms || w->set.residual || opt->static_activations;
    w->formats = pcs_alloc(ctx, origin->n_tensors + 1, sizeof *w->formats);
    if (!w->formats) st = PRECIS_ENOMEM;
    precis_plan *plan = NULL;
    if (!st && (type || w->set.transforms)) st = precis_plan_types(ctx, &plan, origin, type ? type : "Q4_0", 0); /* a budget has no types yet: 4 bits stand for them */
    for (size_t i = 0; plan && i < origin->n_tensors; i++)
        if (plan->rows[i].to != pcs_resting(&origin->tensors[i])) w->formats[i] = plan->rows[i].to;
    precis_plan_close(&plan);
    if (!st && calibrated) st = pcs_windows_make(ctx, origin, calibrate, 0, &w->windows);
    if (st) pcs_work_close(w);
    return st;
}

void pcs_work_close(pcs_work *w)
{
    for (size_t i = 0; w->coded && i < w->n_coded; i++) pcs_encoded_close(w->ctx, &w->coded[i]);
    pcs_free(w->ctx, w->coded);
    pcs_free(w->ctx, w->formats);
    if (w->windows.ctx) pcs_windows_free(&w->windows);
    precis_model_close(&w->before);
    precis_model_close(&w->m);
    *w = (pcs_work){ .ctx = w->ctx };
}

precis_status pcs_encoded_open(precis_ctx *ctx, pcs_encoded *e, const pcs_tensor *t, const pcs_format *f)
{
    *e = (pcs_encoded){ .bytes = NULL };
    const precis_status st = pcs_spill_open(ctx, &e->store, pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]));
    e->bytes = e->store.data;
    return st;
}

void pcs_encoded_close(precis_ctx *ctx, pcs_encoded *e)
{
    pcs_spill_close(ctx, &e->store);
    *e = (pcs_encoded){ .bytes = NULL };
}

const pcs_format *pcs_work_format(const pcs_work *w, const char *name)
{
    uint32_t i;
    return pcs_map_get(&w->m->tensor_map, name, strlen(name), &i) && i < w->origin->n_tensors ? w->formats[i] : NULL;
}

float *pcs_work_own(pcs_work *w, const char *name, pcs_tensor **t)
{
    uint32_t i;
    *t = NULL;
    if (!pcs_map_get(&w->m->tensor_map, name, strlen(name), &i)) return NULL;
    *t = &w->m->tensors[i];
    const pcs_tensor *o = w->origin == w->m ? NULL : i < w->origin->n_tensors ? &w->origin->tensors[i] : NULL;
    if ((*t)->format == &pcs_format_f32 && (!o || (*t)->data != o->data)) return (float *)(uintptr_t)(*t)->data;
    float *x = pcs_arena_alloc(&w->m->arena, (size_t)(*t)->n + 16, sizeof *x);
    if (!x) return NULL;
    const size_t n = (size_t)(*t)->ne[0];
    for (uint64_t r = 0; r < pcs_tensor_rows(*t); r++) pcs_decode((*t)->format, n, (*t)->data + r * pcs_tensor_row_bytes(*t), x + r * n);
    (*t)->data = (const uint8_t *)x;
    (*t)->format = &pcs_format_f32;
    (*t)->bytes = 4 * (*t)->n;
    return x;
}

precis_status pcs_work_add(pcs_work *w, const char *name, int64_t rows, int64_t cols, float **data)
{
    pcs_tensor *t = pcs_model_add_tensor(w->m);
    *data = pcs_arena_alloc(&w->m->arena, (size_t)((rows ? rows : 1) * cols) + 16, sizeof **data);
    if (!t || !*data) return PRECIS_ENOMEM;
    *t = (pcs_tensor){ .format = &pcs_format_f32,
                       .dims = rows ? 2 : 1,
                       .n = (uint64_t)((rows ? rows : 1) * cols),
                       .data = (const uint8_t *)*data };
    for (int i = 0; i < PCS_MAX_DIMS; i++) t->ne[i] = 1;
    t->ne[0] = t->shape[0] = cols;
    if (rows) t->ne[1] = t->shape[1] = rows;
    t->bytes = 4 * t->n;
    t->name = t->source = pcs_arena_copy(&w->m->arena, name, strlen(name));
    return t->name ? pcs_model_index(w->m) : PRECIS_ENOMEM;
}

precis_status pcs_work_transform(pcs_work *w)
{
    precis_status st = PRECIS_OK;
    for (size_t k = 0; pcs_methods[k] && !st; k++)
        for (size_t i = 0; i < w->set.n && !st; i++)
            if (w->set.all[i] == pcs_methods[k] && pcs_methods[k]->kind == PCS_TRANSFORM) st = pcs_methods[k]->apply(w);
    return st;
}

precis_status pcs_work_code(pcs_work *w)
{
    precis_status st = PRECIS_OK;
    w->n_coded = w->m->n_tensors;
    w->coded = pcs_alloc(w->ctx, w->n_coded + 1, sizeof *w->coded);
    if (!w->coded) return PRECIS_ENOMEM;
    if (w->set.coder->apply && w->set.residual) { /* the coder writes over what the residual is measured against */
        st = pcs_model_copy(w->ctx, &w->before, w->m);
        for (size_t i = 0; i < w->m->n_tensors && !st; i++) { /* owned weights part from the copy's data */
            pcs_tensor *t = &w->m->tensors[i];
            if (i < w->origin->n_tensors && t->data == w->origin->tensors[i].data) continue;
            uint8_t *data = pcs_arena_alloc(&w->before->arena, (size_t)t->bytes, 1);
            if (!data) st = PRECIS_ENOMEM;
            else memcpy(data, t->data, (size_t)t->bytes), w->before->tensors[i].data = data;
        }
    }
    if (!st && w->set.coder->apply) st = w->set.coder->apply(w);
    for (size_t i = 0; i < w->set.n && !st; i++)
        if (w->set.all[i]->kind == PCS_RESIDUAL) st = w->set.all[i]->apply(w);
    return st;
}
