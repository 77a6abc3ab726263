/* method.c - the table of methods, and quantizing one row. */
#include "base/f16.h"
#include "base/pool.h"
#include "model/finite.h"
#include "quant/quant.h"

#include <math.h>
#include <strings.h>

#define METHOD(name) extern const pcs_method pcs_method_##name;
#include "quant/methods.def"
#undef METHOD

const pcs_method *const pcs_methods[] = {
#define METHOD(name) &pcs_method_##name,
#include "quant/methods.def"
#undef METHOD
    NULL,
};

const pcs_method *pcs_method_by_name(const char *name)
{
    for (size_t i = 0; name && pcs_methods[i]; i++)
        if (!strcasecmp(pcs_methods[i]->name, name)) return pcs_methods[i];
    return name ? NULL : pcs_methods[0];
}

const char *pcs_method_profiled(const char *name)
{
    const pcs_method *m = name ? pcs_method_by_name(name) : NULL;
    return m && m->refines ? m->refines : name;
}

const pcs_method *pcs_method_refining(const char *name)
{
    for (size_t i = 0; pcs_methods[i]; i++)
        if (pcs_methods[i]->refines && !strcasecmp(pcs_methods[i]->refines, name)) return pcs_methods[i];
    return NULL;
}

precis_status pcs_tensor_shared(precis_ctx *ctx, const pcs_tensor *t, pcs_shared *shared)
{
    const size_t n = (size_t)t->ne[0];
    float *x = pcs_alloc(ctx, n, sizeof *x);
    if (!x) return PRECIS_ENOMEM;
    *shared = (pcs_shared){ 0 };
    for (uint64_t r = 0; r < pcs_tensor_rows(t); r++) {
        pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
        pcs_shared_add(shared, n, x, (size_t)r * n);
    }
    pcs_free(ctx, x);
    return PRECIS_OK;
}

/* The largest magnitude; NaN when a number is not finite. */
static float largest_finite(const pcs_kernels *kernels, const float *x, size_t n)
{
    float least, most;
    kernels->extremes(&(pcs_extremes_args){ x, n, &least, &most });
    return most > -least ? most : -least;
}

/* The least that any type's scales end at: NVFP4's are E4M3, of E2M1 (448 times 6). Plain E4M3 ends before. */
#define RANGE_LEAST 448.0f
/* Of the largest number, what may be cut off: less than 8 bits round away. */
#define RANGE_LOST 0x1p-9f
/* Squares of larger numbers, times importances, may pass the range of F32, and a search that adds them up would choose
 * anything: such rows are rounded to nearest. */
#define SEARCH_MOST 0x1p40f

/* Where a type ends is found by coding the same row of smaller numbers, which every type codes alike but for a power
 * of two: near an end numbers are cut off, be it a scale's (of F16 at 65504, of blocks of blocks later), a minimum's
 * or a code's own. So every number is compared, not the largest: the row's end may be met in another block. Rounded to
 * nearest, as a search may take another of two that are as good. */
bool pcs_row_holds(const pcs_row_job *j, size_t n, float *x, float *y, uint8_t *dst)
{
    const float top = largest_finite(j->kernels, x, n);
    if (!(top < INFINITY)) return false;
    if (!(top > RANGE_LEAST)) return true;
    float to = top, down = 1.0f;
    /* with the scale that this row alone would have, as that of the tensor has its range */
    j->kernels->encode(&(pcs_encode_args){ j->f, n, x, NULL, j->rounding, NULL, dst, y });
    while (to > 8.0f) to *= 0.125f, down *= 0.125f; /* not below what scales of few bits begin at */
    for (size_t i = 0; i < n; i++) x[i] *= down;
    j->kernels->encode(&(pcs_encode_args){ j->f, n, x, NULL, j->rounding, NULL, dst, x });
    for (size_t i = 0; i < n; i++) {
        const float lost = x[i] - y[i] * down;
        if (!((lost < 0 ? -lost : lost) <= RANGE_LOST * to)) return false;
    }
    return true;
}

bool pcs_quantize_row(const pcs_tensor *t, uint64_t row, const pcs_row_job *j, const pcs_method *method,
                      const pcs_row_out *to, pcs_row_loss *loss)
{
    uint8_t *dst = to->dst;
    const size_t n = (size_t)t->ne[0];
    const uint64_t row_bytes = pcs_tensor_row_bytes(t);
    const uint8_t *src = t->data + row * row_bytes;
    if (j->f == t->format) {
        memcpy(dst, src, row_bytes);
        *loss = (pcs_row_loss){ 0, 1 };
        return true;
    }
    float *x = to->scratch, *y = x + n;
    pcs_decode_by(j->kernels, t->format, n, src, x);
    *loss = (pcs_row_loss){ INFINITY, 0 };
    const float top = largest_finite(j->kernels, x, n);
    if (!(top < INFINITY)) return false;
    if (top > RANGE_LEAST && (j->f->kind == PCS_QUANT || j->f->element)) {
        if (!pcs_row_holds(j, n, x, y, dst)) return false;
        pcs_decode_by(j->kernels, t->format, n, src, x);
    }
    loss->err = 0;
    if ((j->f->kind == PCS_QUANT || j->f->element) && top <= SEARCH_MOST) method->row(j, n, x, dst, y);
    else j->kernels->encode(&(pcs_encode_args){ j->f, n, x, NULL, j->rounding, j->shared, dst, y });
    j->kernels->error(&(pcs_error_args){ n, x, y, j->importance, &loss->err, &loss->norm });
    return true;
}

typedef struct {
    const pcs_tensor *t;
    const pcs_method *method;
    pcs_kernels kernels;
    pcs_row_job job;
    pcs_row_weights weights;
    uint8_t *out;
    float *scratch;
    pcs_row_loss *loss;
} coding_rows;

static void code_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const coding_rows *c = arg;
    const size_t n = (size_t)c->t->ne[0];
    const uint64_t row = pcs_row_bytes(c->job.f, n);
    for (uint64_t r = begin; r < end; r++) {
        pcs_row_job j = c->job;
        j.importance = pcs_row_importance(&c->weights, r);
        const pcs_row_out to = { c->scratch + ith * (2 * n + 64), c->out + r * row };
        pcs_quantize_row(c->t, r, &j, c->method, &to, &c->loss[r]);
    }
}

/* Why a tensor's error is no number. */
static precis_status say_odd(precis_ctx *ctx, const pcs_tensor *t, const pcs_format *f)
{
    pcs_odd odd;
    const precis_status st = pcs_tensor_odd(ctx, t, &odd);
    return st ? st : odd.t ? pcs_odd_fail(ctx, NULL, &odd) : pcs_too_large(ctx, t, f);
}

precis_status pcs_quantize_tensor(precis_ctx *ctx, const pcs_tensor_job *job, uint8_t *out, double *error)
{
    const pcs_tensor *t = job->t;
    const pcs_format *f = job->f;
    const size_t n = (size_t)t->ne[0];
    const uint64_t rows = pcs_tensor_rows(t);
    pcs_shared shared = { 0 };
    coding_rows c = { .t = t, .method = job->method, .weights = job->weights, .out = out };
    c.kernels = pcs_kernels_for(ctx->cpu);
    c.job = (pcs_row_job){ f, NULL, f->tensor ? &shared : NULL, PCS_FIT_RTN, &c.kernels };
    precis_status st = f->tensor ? pcs_tensor_shared(ctx, t, &shared) : PRECIS_OK;
    c.scratch = pcs_alloc(ctx, precis_ctx_threads(ctx) * (2 * n + 64), sizeof *c.scratch);
    c.loss = pcs_alloc(ctx, rows, sizeof *c.loss);
    if (!st && (!c.scratch || !c.loss)) st = PRECIS_ENOMEM;
    if (!st) {
        pcs_row_loss loss = { 0 };
        pcs_for(ctx, rows, 1 + 16384 / n, code_rows, &c);
        for (uint64_t r = 0; r < rows; r++) loss.err += c.loss[r].err, loss.norm += c.loss[r].norm;
        *error = pcs_relative(&loss);
        if (!isfinite(loss.err)) st = say_odd(ctx, t, f);
    }
    pcs_free(ctx, c.scratch);
    pcs_free(ctx, c.loss);
    return st;
}
