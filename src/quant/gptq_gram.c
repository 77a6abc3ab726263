/* gptq_gram.c - the Hessian of a weight: sums of products of its inputs, the upper part, then its mirror. */
#include "base/pool.h"
#include "quant/gptq.h"

#include <math.h>

#define TILE 64 /* of the mirror */

typedef struct { gptq *g; const float *xt, *x; size_t tokens, pad_tokens; float *tile; } gram;

static void gram_panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const gram *a = arg;
    gptq *g = a->g;
    float *tile = a->tile + ith * g->pad * 16;
    for (uint64_t p = begin; p < end; p++) {
        const size_t j = (size_t)p * 16, rows = j + 16 < g->n ? j + 16 : g->n;
        g->kernels->gemm(&(pcs_gemm_args){ a->xt, a->pad_tokens, a->x + j, g->pad, a->tokens, rows, tile, 16, false });
        for (size_t i = 0; i < rows; i++)
            for (size_t c = 0; c < 16 && j + c < g->n; c++) g->h[i * g->n + j + c] += (double)tile[i * 16 + c];
    }
}

precis_status pcs_gptq_gram(gptq *g, const float *x, size_t tokens, float *xt, float *xp, float *tile)
{
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < g->pad; i++) {
            const float v = i < g->n ? x[t * g->n + i] : 0.0f;
            xp[t * g->pad + i] = v;
            if (i < g->n) xt[i * tokens + t] = v;
        }
    gram a = { g, xt, xp, tokens, tokens, tile };
    pcs_for(g->w->ctx, g->pad / 16, 1, gram_panels, &a);
    g->tokens += tokens;
    return PRECIS_OK;
}

/* The lower part is the upper one's. */
static void mirror(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const gptq *g = arg;
    const size_t n = g->n;
    for (size_t i0 = begin * TILE; i0 < end * TILE && i0 < n; i0 += TILE)
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < i0 + TILE && i < n; i++)
                for (size_t j = j0; j < j0 + TILE && j < i; j++) g->h[i * n + j] = g->h[j * n + i];
}

void pcs_gptq_mirror(gptq *g)
{
    pcs_for(g->w->ctx, (g->n + TILE - 1) / TILE, 1, mirror, g);
}

/* ---- its factor ------------------------------------------------------------------------------------------------- */

/* The feedback in the columns' order; dampening grows until there is one. Why not, or NULL. */
const char *pcs_gptq_factor(gptq *g, precis_status *st)
{
    precis_ctx *ctx = g->w->ctx;
    const size_t n = g->n;
    double mean = 0;
    pcs_free(ctx, g->feedback);
    pcs_free(ctx, g->importance);
    pcs_free(ctx, g->order);
    pcs_free(ctx, g->pivot);
    g->feedback = pcs_alloc(ctx, PCS_FEEDBACK_SIZE(n), sizeof *g->feedback);
    g->importance = pcs_alloc(ctx, n, sizeof *g->importance);
    g->order = pcs_alloc(ctx, n, sizeof *g->order);
    double *work = pcs_alloc(ctx, PCS_FEEDBACK_WORK(n), sizeof *work), *diag = pcs_alloc(ctx, n, sizeof *diag);
    g->pivot = pcs_alloc(ctx, n, sizeof *g->pivot);
    *st = g->feedback && g->importance && g->order && g->pivot && work && diag ? PRECIS_OK : PRECIS_ENOMEM;
    const char *why = NULL;
    /* Where the sweep prunes nothing else would, and what is dampened has a factor all the same. */
    if (!*st && g->tokens < 64 && g->tokens < n && !g->swept) why = "too few calibration tokens";
    for (size_t i = 0; i < n && !*st; i++) {
        diag[i] = g->h[i * n + i];
        mean += diag[i] / (double)n;
        g->order[i] = (uint32_t)i;
        g->importance[i] = (float)(diag[i] / (double)g->tokens);
        if (!(diag[i] > 0) && !why && !g->swept) why = "dead columns: an input is 0 for every calibration token";
        if (!isfinite(diag[i])) why = "the calibration text makes inputs that are not finite";
    }
    if (!*st && !why && !g->w->opt->no_act_order) *st = pcs_gptq_columns(g, diag);
    bool ok = false;
    for (double damp = g->damp; !*st && !why && !ok && damp <= 1.0; damp *= 10)
        ok = pcs_feedback(ctx, &(pcs_damped){ n, g->h, g->order, damp * mean }, work, g->feedback);
    if (!*st && !why && !ok) why = "the Hessian has no Cholesky factor, even dampened by its mean diagonal";
    for (size_t i = 0; ok && i < n; i++) { /* the factor's diagonal, from the last column on (cholesky.c) */
        const double r = work[(n - 1 - i) * PCS_FEEDBACK_LD(n) + n - 1 - i];
        g->pivot[g->order[i]] = r * r;
    }
    pcs_free(ctx, work);
    pcs_free(ctx, diag);
    return why;
}
