/* draw.c - the relative error of a tensor in a type, from some of its rows.
 *
 * A row that holds more of the tensor's weighted norm than a step is taken for certain; the others at even steps of the
 * sum of their norms, and the mean over the steps of their relative errors is that of all of them. Massive activations
 * meet one row of some ffn_down, which then holds nearly all of the norm and, as one weight of it matters, little of
 * the error: rows at even distances missed the norm (Q3_K of such a tensor was predicted at 2.5 nats, and measured at
 * 0.02), rows by their norms alone missed the error, 4,000 times that row's.
 *
 * Rooted, an input counts by the root of its importance (its root mean square). Importance is a mean over tokens, and a
 * few tokens with massive activations (Sun et al. 2024) outweigh all others in some ffn_down: the error of nearly all
 * tokens then hardly counts, and a plan gives such a tensor one bit. docs/planning.md has what each way reaches. */
#include "base/pool.h"
#include "model/finite.h"
#include "quant/methods.h"

#include <math.h>

#define WORK 240e6 /* weights that are fitted for a whole model in 16 types, about */
#define STEPS_LEAST 8

/* a row, and how many of the steps fell on it; 0: it was certain */
typedef struct pcs_pick { uint64_t row; uint32_t steps; double err, norm; } pcs_pick;
typedef struct { pcs_draw *d; const pcs_format *f; double *norms; } drawing;

size_t pcs_draw_steps(const pcs_tensor *t, double weights)
{
    const uint64_t all = pcs_tensor_rows(t);
    const double rows = (double)all * WORK / (weights * 16 + 1), least = rows < STEPS_LEAST ? STEPS_LEAST : rows;
    return least > (double)all ? (size_t)all : (size_t)least;
}

static float *scratch_of(const pcs_draw *d, uint32_t ith)
{
    return (float *)((char *)d->scratch + ith * d->scratch_size);
}

static void measure_norms(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const drawing *w = arg;
    const pcs_tensor *t = w->d->t;
    const size_t n = (size_t)t->ne[0];
    float *x = scratch_of(w->d, ith), *zero = x + n;
    double err;
    memset(zero, 0, n * sizeof *zero);
    for (uint64_t r = begin; r < end; r++) {
        pcs_decode_by(&w->d->kernels, t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
        w->d->kernels.error(&(pcs_error_args){ n, x, zero, pcs_row_importance(&w->d->weights, r), &err, &w->norms[r] });
    }
}

/* Rows whose norms are more than a step of what is left, half of the steps at most; then the sums of the others'
 * norms. */
static void take_certain(pcs_draw *d, uint64_t all)
{
    double left = 0;
    for (uint64_t r = 0; r < all; r++) left += d->ends[r];
    d->norm = left;
    for (bool more = true; more;) {
        more = false;
        const double step = left / (double)(d->steps - d->certain);
        for (uint64_t r = 0; r < all && 2 * d->certain < d->steps; r++) {
            if (!(d->ends[r] > step)) continue;
            left -= d->ends[r];
            d->ends[r] = 0;
            d->picks[d->certain++] = (pcs_pick){ .row = r };
            more = true;
        }
    }
    d->rest = 0;
    for (uint64_t r = 0; r < all; r++) d->ends[r] = d->rest += d->ends[r];
}

/* Weights of the draw's own: the roots of d->weights, as many. */
static precis_status take_roots(pcs_draw *d)
{
    const uint64_t n = (uint64_t)d->t->ne[0], experts = d->weights.stride ? pcs_tensor_rows(d->t) / d->weights.rows : 1;
    d->roots = pcs_alloc(d->ctx, n * experts, sizeof *d->roots);
    if (!d->roots) return PRECIS_ENOMEM;
    for (uint64_t k = 0; k < n * experts; k++) d->roots[k] = sqrtf(d->weights.mean[k]);
    d->weights.mean = d->roots;
    return PRECIS_OK;
}

precis_status pcs_draw_open(precis_ctx *ctx, pcs_draw *d, const pcs_draw_job *job)
{
    const pcs_tensor *t = job->t;
    const size_t steps = job->steps, n = (size_t)t->ne[0];
    const uint64_t all = pcs_tensor_rows(t);
    *d = (pcs_draw){ .ctx = ctx, .t = t, .method = job->method, .kernels = pcs_kernels_for(ctx->cpu), .steps = steps };
    d->scratch_size = (2 * n * sizeof(float) + n * 8 + 1024) / 64 * 64;
    d->scratch = pcs_alloc(ctx, precis_ctx_threads(ctx), d->scratch_size);
    d->ends = pcs_alloc(ctx, all + 1, sizeof *d->ends);
    d->picks = pcs_alloc(ctx, 2 * steps + 1, sizeof *d->picks);
    if (!d->scratch || !d->ends || !d->picks) return PRECIS_ENOMEM;
    precis_status st = pcs_imatrix_for(job->imatrix, t, &d->weights);
    if (!st && job->rooted && d->weights.mean) st = take_roots(d);
    if (st) return st;
    pcs_for(ctx, all, 1 + 65536 / n, measure_norms, &(drawing){ d, NULL, d->ends });
    take_certain(d, all);
    return isfinite(d->norm) ? PRECIS_OK : pcs_tensor_odd_fail(ctx, NULL, t);
}

void pcs_draw_close(pcs_draw *d)
{
    pcs_free(d->ctx, d->scratch);
    pcs_free(d->ctx, d->ends);
    pcs_free(d->ctx, d->picks);
    pcs_free(d->ctx, d->roots);
    *d = (pcs_draw){ .ctx = d->ctx };
}

static void measure(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const drawing *w = arg;
    const pcs_draw *d = w->d;
    float *x = scratch_of(d, ith), *y = x + d->t->ne[0];
    for (uint64_t i = begin; i < end; i++) {
        pcs_pick *p = &d->picks[i];
        const pcs_row_job row = { w->f, pcs_row_importance(&d->weights, p->row), &d->shared, PCS_FIT_RTN, &d->kernels };
        pcs_row_loss loss;
        pcs_quantize_row(d->t, p->row, &row, d->method, &(pcs_row_out){ x, (uint8_t *)(y + d->t->ne[0]) }, &loss);
        p->err = loss.err;
        p->norm = loss.norm;
    }
}

precis_status pcs_draw_error(pcs_draw *d, const pcs_format *f, size_t steps, double *relative)
{
    size_t n = d->certain;
    uint64_t row = 0;
    *relative = 0;
    if (!(d->norm > 0)) return PRECIS_OK; /* zeros lose nothing */
    if (f->tensor && !d->known) {
        const precis_status st = pcs_tensor_shared(d->ctx, d->t, &d->shared);
        if (st) return st;
        d->known = true;
    }
    for (size_t s = 0; s < steps && d->rest > 0; s++) {
        const double at = ((double)s + 0.5) / (double)steps * d->rest;
        while (row + 1 < pcs_tensor_rows(d->t) && d->ends[row] <= at) row++;
        if (n > d->certain && d->picks[n - 1].row == row) d->picks[n - 1].steps++;
        else d->picks[n++] = (pcs_pick){ .row = row, .steps = 1 };
    }
    pcs_for(d->ctx, n, 1, measure, &(drawing){ d, f, NULL });
    for (size_t i = 0; i < n; i++) {
        const pcs_pick *p = &d->picks[i];
        if (i < d->certain) *relative += p->err / d->norm;
        else if (p->norm > 0) *relative += p->err / p->norm * (double)p->steps / (double)steps * d->rest / d->norm;
    }
    return isfinite(*relative) ? PRECIS_OK : pcs_too_large(d->ctx, d->t, f);
}
