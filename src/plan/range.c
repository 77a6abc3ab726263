/* range.c - does a type hold a tensor's numbers? F16 ends at 65504, and scales in F16 at so many times a code; weights
 * in BF16 may be larger. A type that was chosen for somebody (a substitute, a mix's, a budget's) gives way to the next
 * that holds. */
#include "base/pool.h"
#include "kernel/kernel.h"
#include "plan/plan.h"

typedef struct {
    const pcs_tensor *t;
    pcs_kernels kernels;
    float *rows, *tops;
} ranging;

/* The largest absolute value, in lanes that do not wait for one another: a refusal of a budget looks at all weights.
 * NaN is none: it is refused elsewhere. */
static float row_top(const float *x, size_t n)
{
    enum { LANES = 32 };
    float tops[LANES] = { 0 }, top = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            const float a = x[i + k] < 0 ? -x[i + k] : x[i + k];
            tops[k] = a > tops[k] ? a : tops[k];
        }
    for (; i < n; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i];
        top = a > top ? a : top;
    }
    for (size_t k = 0; k < LANES; k++) top = tops[k] > top ? tops[k] : top;
    return top;
}

static void rows_top(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const ranging *g = arg;
    const pcs_tensor *t = g->t;
    const size_t n = (size_t)t->ne[0];
    float *x = g->rows + ith * n;
    for (uint64_t r = begin; r < end; r++) {
        pcs_decode_by(&g->kernels, t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
        const float top = row_top(x, n);
        g->tops[ith] = top > g->tops[ith] ? top : g->tops[ith];
    }
}

precis_status pcs_tensor_top(precis_ctx *ctx, const pcs_tensor *t, float *top)
{
    const size_t n = (size_t)t->ne[0];
    const uint32_t threads = precis_ctx_threads(ctx);
    *top = 0;
    if (!t->n || !t->data) return PRECIS_OK;
    ranging g = { t, pcs_kernels_for(ctx->cpu), pcs_alloc(ctx, (size_t)threads * n + 1, sizeof *g.rows),
                  pcs_alloc(ctx, threads, sizeof *g.tops) };
    const precis_status st = g.rows && g.tops ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) pcs_for(ctx, pcs_tensor_rows(t), 1 + 65536 / n, rows_top, &g);
    for (uint32_t i = 0; i < threads && !st; i++) *top = g.tops[i] > *top ? g.tops[i] : *top;
    pcs_free(ctx, g.rows);
    pcs_free(ctx, g.tops);
    return st;
}

/* Whatever is in F16 is no larger than its end. */
static bool needs_look(const pcs_format *f, const pcs_tensor *t)
{
    const bool plain = t->format->kind == PCS_FLOAT && !t->format->element && t->format->largest;
    return f && f->largest && f != t->format && !(plain && t->format->largest <= f->largest);
}

precis_status pcs_holding(precis_ctx *ctx, const pcs_tensor *t, const pcs_format **f, float *top)
{
    precis_status st = PRECIS_OK;
    *top = 0;
    if (needs_look(*f, t)) st = pcs_tensor_top(ctx, t, top);
    while (!st && *f && !pcs_format_holds(*f, *top))
        *f = (*f)->substitute ? pcs_fitting(pcs_format_by_name((*f)->substitute), t->ne[0]) : NULL;
    if (!st && !*f) *f = t->format;
    return st;
}

precis_status pcs_too_large(precis_ctx *ctx, const pcs_tensor *t, const pcs_format *f)
{
    const pcs_format *other = f->substitute ? f : &pcs_format_f16;
    float top;
    precis_status st = pcs_tensor_top(ctx, t, &top);
    while (!st && other && (other == f || !pcs_format_holds(other, top)))
        other = other->substitute ? pcs_fitting(pcs_format_by_name(other->substitute), t->ne[0]) : NULL;
    if (st) return st;
    return pcs_fail(ctx, PRECIS_EFORMAT,
                    "tensor %s: its largest number, %.4g, is too large for %s; %s holds it (--type '%s=%s,*=%s', or "
                    "--pin '%s=%s' under a budget)",
                    t->name, (double)top, f->name, other ? other->name : "F32", t->name, other ? other->name : "F32",
                    f->name, t->name, other ? other->name : "F32");
}

const pcs_format *pcs_fitting(const pcs_format *f, int64_t n)
{
    while (f && !pcs_format_fits(f, (uint64_t)n)) f = f->substitute ? pcs_format_by_name(f->substitute) : NULL;
    return f;
}
