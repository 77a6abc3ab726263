/* gptq_gram.c - the Hessian of a weight: sums of products of its inputs, the upper part, then its mirror. */
#include "base/pool.h"
#include "quant/gptq.h"

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
