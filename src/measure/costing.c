/* costing.c - costs of weights on this machine, measured: each type and shape of a model alone, streamed from where the
 * whole model would lie; and a token of the model, for what is beside the weights. Values do not matter to speed, so
 * weights are a pattern of bytes. All of it in rounds, of which medians count: other guests of a machine slow its
 * memory for seconds, and a row that was measured in those alone would be wrong for good. */
#include "base/pool.h"
#include "kernel/choose.h"
#include "measure/costing.h"
#include "measure/machine.h"
#include "model/finite.h"
#include "plan/plan.h"
#include "plan/costs.h"
#include "run/runner.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5, PASSES = 3, TOKENS = 12, PATTERN = 0x11 }; /* as f16 it is 0.0006 */

/* All copies, one after another, as the weights of a token. */
static void stream(void *arg, uint32_t ith, uint32_t nth)
{
    const pcs_costing *c = arg;
    uint64_t begin, end;
    pcs_share(c->rows, 16, ith, nth, &begin, &end);
    for (uint64_t i = 0; i < c->copies; i++) {
        const uint8_t *w = c->ring + i * c->stride;
        if (c->f->kind == PCS_QUANT)
            c->run(&(pcs_mp_args){ .f = c->f, .w = w, .row_bytes = pcs_row_bytes(c->f, c->width), .k = c->width,
                                   .n0 = begin, .n1 = end, .m = 1, .act = c->act, .y = c->y, .ldy = c->rows,
                                   .scratch = c->scratch + ith * c->scratch_size, .packed = c->packed });
        else
            c->runf(&(pcs_mvf_args){ c->f, w, c->width, begin, end, 1, c->x, c->y, c->rows, NULL });
        pcs_barrier(c->ctx, ith);
    }
}

precis_status pcs_costing_measure(pcs_costing *c, const pcs_matrix *m, double *seconds)
{
    const pcs_format *f = m->f;
    const uint64_t rows = m->rows, width = m->width;
    pcs_mv_fn *few = pcs_few(&c->kernels, f, (size_t)width);
    const bool mv = pcs_has_few(&c->kernels, f, (size_t)width);
    c->f = f;
    c->rows = (size_t)rows;
    c->width = (size_t)width;
    c->packed = mv;
    c->run = few ? few : c->kernels.mp;
    c->runf = pcs_few_floats(&c->kernels, f, (size_t)width);
    c->stride = mv ? pcs_panels_bytes(f, (size_t)width, rows) : rows * pcs_row_bytes(f, width) + 64;
    const uint64_t ring = m->bytes < c->room ? m->bytes : c->room;
    c->copies = ring / c->stride ? ring / c->stride : 1;
    if (!mv && c->copies > 2) c->copies = 2; /* slow ones are not slowed by memory */
    if (c->stride > c->room)
        return pcs_fail(c->ctx, PRECIS_EINVAL, "a matrix of %llu bytes is too large to be measured",
                        (unsigned long long)c->stride);
    const size_t chunks = pcs_chunks((size_t)width);
    c->scratch_size = (pcs_mp_scratch((size_t)width) + 127) / 64 * 64;
    void *acts = pcs_alloc(c->ctx, pcs_act_bytes(1, chunks), 1);
    c->x = pcs_alloc(c->ctx, width, sizeof *c->x);
    c->y = pcs_alloc(c->ctx, rows, sizeof *c->y);
    c->scratch = pcs_alloc(c->ctx, precis_ctx_threads(c->ctx), c->scratch_size);
    precis_status st = acts && c->x && c->y && c->scratch ? PRECIS_OK : PRECIS_ENOMEM;
    double times[PCS_PASSES];
    if (!st) {
        for (uint64_t i = 0; i < width; i++) c->x[i] = (float)(i % 17) - 8;
        c->act = pcs_act_in(acts, 1, chunks);
        c->kernels.quantize_act(&(pcs_quantize_act_args){ c->x, (size_t)width, 0, 1, c->act });
        pcs_act_interleave(&c->act, chunks, 1, 0, 1);
        for (int p = 0; p < m->passes; p++) {
            const double begun = pcs_now();
            pcs_run(c->ctx, stream, c);
            times[p] = (pcs_now() - begun) / (double)c->copies;
        }
        qsort(times, (size_t)m->passes, sizeof *times, pcs_ascending);
        *seconds = times[(m->passes - 1) / 2];
    }
    pcs_free(c->ctx, acts);
    pcs_free(c->ctx, c->x);
    pcs_free(c->ctx, c->y);
    pcs_free(c->ctx, c->scratch);
    return st;
}

/* Every type that a plan may choose or a tensor has, for every shape of the model. */
static precis_status all_types(pcs_costing *c, const precis_model *m, precis_costs *t)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < m->n_tensors && !st; i++) {
        const pcs_tensor *w = &m->tensors[i];
        if (pcs_costs_share(m, w) == 0) continue;
        for (size_t k = 0; pcs_formats[k] && !st; k++) {
            const pcs_format *f = pcs_formats[k];
            const bool own = f == w->format;
            pcs_cost cost = { .f = f, .rows = (uint64_t)w->ne[1], .width = (uint64_t)w->ne[0] };
            if (f->kind == PCS_INT || f->element || !pcs_format_fits(f, (uint64_t)w->ne[0])) continue;
            if (!own && (!pcs_format_portable(f) || !pcs_encodable(f))) continue;
            if (f->kind == PCS_FLOAT && !pcs_few_floats(&c->kernels, f, (size_t)w->ne[0])) continue;
            const char *level = f->kind == PCS_QUANT ? pcs_mp_level(c->ctx, f) : NULL;
            if (level) snprintf(cost.prompt, sizeof cost.prompt, "%s", level);
            if (!pcs_costs_find(t, f, cost.rows, cost.width)) st = pcs_costs_add(t, &cost);
        }
    }
    return st;
}

/* A model of this one's shapes in Q4_0 or what fits in its place, all rows of one pattern. */
static precis_status stand_in(precis_ctx *ctx, const precis_model *m, precis_model **copy, uint8_t **rows)
{
    uint64_t most = 0;
    precis_status st = pcs_model_copy(ctx, copy, m);
    for (size_t i = 0; !st && i < m->n_tensors; i++) {
        pcs_tensor *t = &(*copy)->tensors[i];
        const pcs_format *f = pcs_costs_share(m, t) > 0 ? pcs_fitting(pcs_format_by_name("Q4_0"), t->ne[0]) : NULL;
        if (!f) continue;
        t->format = f;
        t->bytes = pcs_tensor_rows(t) * pcs_row_bytes(f, (uint64_t)t->ne[0]);
        most = t->bytes > most ? t->bytes : most;
    }
    if (!st && !(*rows = pcs_grow(ctx, NULL, 0, most + 64, 1))) st = PRECIS_ENOMEM;
    if (!st) memset(*rows, PATTERN, most + 64);
    for (size_t i = 0; !st && i < m->n_tensors; i++) {
        pcs_tensor *stands = &(*copy)->tensors[i];
        if (pcs_costs_share(m, &m->tensors[i]) > 0 && stands->format != m->tensors[i].format) stands->data = *rows;
    }
    return st;
}

/* The stand-in as it runs. */
typedef struct { precis_model *copy; uint8_t *rows; precis_runner *r; uint32_t at; } token;

static precis_status token_open(precis_ctx *ctx, const precis_model *m, token *k)
{
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.context = 256;
    o.batch = 8;
    o.pack = PRECIS_PACK_LOAD;
    precis_status st = stand_in(ctx, m, &k->copy, &k->rows);
    if (!st) st = precis_runner_open(ctx, &k->r, k->copy, &o);
    if (!st && k->r->lm.encoder)
        st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: an encoder generates no tokens", m->path);
    return st;
}

static void token_close(precis_ctx *ctx, token *k)
{
    precis_runner_close(&k->r);
    precis_model_close(&k->copy);
    pcs_free(ctx, k->rows);
}

/* Seconds of a token beside its weights, as the table has those now. */
static precis_status token_measure(token *k, const precis_model *m, const precis_costs *t, double *beside)
{
    precis_status st = PRECIS_OK;
    double begun = 0, weights = 0;
    /* half of them fetch weights into the cache, where those of a model that runs are */
    for (int i = -TOKENS; i < TOKENS && !st; i++, k->at++) {
        const float *logits;
        if (!i) begun = pcs_now();
        const int32_t some = (int32_t)(k->at * 37 % k->r->lm.vocabulary);
        st = precis_runner_decode(k->r, &(precis_row){ some, k->at, 0, 1 }, 1, &logits);
    }
    *beside = (pcs_now() - begun) / TOKENS;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const double s = pcs_costs_of(t, m, &k->copy->tensors[i], k->copy->tensors[i].format);
        weights += s > 0 ? s : 0;
    }
    *beside -= weights;
    return st;
}

static double median(double *x)
{
    qsort(x, ROUNDS, sizeof *x, pcs_ascending);
    return x[ROUNDS / 2];
}

static precis_status rounds(pcs_costing *c, const precis_model *m, token *k, precis_costs *t)
{
    precis_ctx *ctx = c->ctx;
    double weights = 0, read[ROUNDS], overhead[ROUNDS], (*seconds)[ROUNDS] = pcs_alloc(ctx, t->n + 1, sizeof *seconds);
    precis_status st = seconds ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < m->n_tensors; i++) weights += pcs_costs_share(m, &m->tensors[i]) * (double)m->tensors[i].n;
    for (int r = 0; r < ROUNDS && !st; r++) {
        read[r] = pcs_read_speed(ctx, c->ring, PCS_RING);
        for (size_t i = 0; i < t->n && !st; i++) {
            pcs_cost *row = &t->rows[i];
            const uint64_t bytes = (uint64_t)(weights * pcs_format_bpw(row->f) / 8);
            st = pcs_costing_measure(c, &(pcs_matrix){ row->f, row->rows, row->width, bytes, PASSES }, &row->seconds);
            seconds[i][r] = row->seconds;
            if (!st) st = pcs_progress(ctx, "costs", (uint64_t)r * t->n + i, ROUNDS * t->n);
        }
        if (!st) st = token_measure(k, m, t, &overhead[r]);
    }
    for (size_t i = 0; i < t->n && !st; i++) t->rows[i].seconds = median(seconds[i]);
    const double beside = st ? 0 : median(overhead), speed = st ? 0 : median(read);
    for (size_t i = 0; i < t->n; i++) t->rows[i].read = speed;
    t->overhead = beside > 0 ? beside : 0;
    pcs_free(ctx, seconds);
    return st;
}

precis_status pcs_costing_open(precis_ctx *ctx, pcs_costing *c, uint64_t room)
{
    *c = (pcs_costing){ .ctx = ctx, .kernels = pcs_kernels_for(ctx->cpu), .room = room };
    if (!(c->ring = pcs_alloc_large(ctx, room + 64))) return PRECIS_ENOMEM; /* as packed weights are */
    pcs_fill_near(ctx, c->ring, room + 64, PATTERN);
    return PRECIS_OK;
}

void pcs_costing_close(pcs_costing *c)
{
    pcs_free(c->ctx, c->ring);
    c->ring = NULL;
}

precis_status precis_costs_make(precis_ctx *ctx, precis_costs **out, const precis_model *model)
{
    pcs_costing c;
    precis_costs *t = NULL;
    uint64_t room = PCS_RING;
    *out = NULL;
    precis_status st = pcs_model_finite(ctx, model);
    if (st) return st;
    for (size_t i = 0; i < model->n_tensors; i++) { /* one F32 matrix must have room */
        const pcs_tensor *w = &model->tensors[i];
        const uint64_t need = w->dims < 2 ? 0 : (uint64_t)w->ne[0] * ((uint64_t)w->ne[1] + 16) * 4 + 4096;
        if (pcs_costs_share(model, w) > 0 && need > room) room = need;
    }
    st = pcs_costing_open(ctx, &c, room);
    if (!st) st = pcs_costs_new(ctx, &t);
    if (!st) {
        snprintf(t->cpu, sizeof t->cpu, "%.23s", precis_ctx_cpu(ctx));
        t->threads = precis_ctx_threads(ctx);
        st = all_types(&c, model, t);
    }
    token k = { 0 };
    if (!st) st = token_open(ctx, model, &k);
    if (!st) st = rounds(&c, model, &k, t);
    token_close(ctx, &k);
    pcs_costing_close(&c);
    if (!st) st = pcs_progress(ctx, "costs", 1, 1);
    if (st) precis_costs_close(&t);
    *out = t;
    return st;
}
