/* gptq_gram.c - the Hessian of a weight: sums of products of its inputs, the upper part, then its mirror. */
#include "base/pool.h"
#include "quant/gptq.h"

#include <math.h>

#define TILE 64 /* of the mirror */

/* from: rows of n; xt, x: the same as columns, and padded by zeros. */
typedef struct { gptq *g; const float *from; float *xt, *x; size_t tokens; float *tile; } gram;

/* Columns [16 begin, 16 end) of all rows. */
static void lay_columns(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const gram *a = arg;
    const size_t n = a->g->n, pad = a->g->pad;
    for (size_t j = begin * 16; j < end * 16; j += 16) {
        const size_t some = j + 16 < n ? 16 : n - j;
        for (size_t t = 0; t < a->tokens; t++) {
            const float *v = a->from + t * n + j;
            float *row = a->x + t * pad + j, *column = a->xt + j * a->tokens + t;
            for (size_t l = 0; l < some; l++) row[l] = column[l * a->tokens] = v[l];
            for (size_t l = some; l < 16; l++) row[l] = 0;
        }
    }
}

static void gram_panels(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const gram *a = arg;
    gptq *g = a->g;
    float *tile = a->tile + ith * g->pad * 16;
    for (uint64_t p = begin; p < end; p++) {
        const size_t j = (size_t)p * 16, rows = j + 16 < g->n ? j + 16 : g->n;
        g->kernels->gemm(&(pcs_gemm_args){ a->xt, a->tokens, a->x + j, g->pad, a->tokens, rows, tile, 16, false });
        for (size_t i = 0; i < rows; i++)
            for (size_t c = 0; c < 16 && j + c < g->n; c++) g->h[i * g->n + j + c] += (double)tile[i * 16 + c];
    }
}

precis_status pcs_gptq_gram(gptq *g, const float *x, size_t tokens, float *xt, float *xp, float *tile)
{
    gram a = { g, x, xt, xp, tokens, tile };
    pcs_for(g->w->ctx, g->pad / 16, 1, lay_columns, &a);
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

/* ---- of what comes through a layer ------------------------------------------------------------------------------ */

precis_status pcs_gptq_run_to(gptq *g, const pcs_gptq_layer *l, const float *states, size_t to,
                              precis_status (*after)(void *user, const pcs_sample *at), void *user)
{
    const pcs_samples_pass pass = { .on = { .program = g->r->program, .runner = g->r },
                                    .part = true, .cut = l->cut, .states = states, .width = g->r->lm.width,
                                    .from = l->from, .to = to, .after = after, .user = user };
    return pcs_samples_run(&g->samples, &pass);
}

/* What the next layer will see of a sample. */
void pcs_gptq_keep_state(gptq *g, const pcs_gptq_layer *l, const pcs_sample *at)
{
    const size_t width = g->r->lm.width;
    const float *x = pcs_program_value(g->r->program, l->out);
    memcpy(g->hidden + at->first * width, x, (size_t)at->rows * width * sizeof *x);
}

/* Rows of a call that went to an expert, packed into one array; how many. */
static size_t routed(const gptq *g, const pcs_node *n, int64_t expert, size_t tokens, float *out)
{
    const precis_graph *gr = g->r->graph;
    const float *x = pcs_program_value(g->r->program, n->in[0]), *route = pcs_program_value(g->r->program, n->in[2]);
    const size_t top = (size_t)gr->values[n->in[2]].shape[1] / 2;
    const bool slots = gr->values[n->in[0]].dims == 3;
    size_t count = 0;
    for (size_t t = 0; t < tokens; t++)
        for (size_t s = 0; s < top; s++)
            if ((int64_t)route[t * 2 * top + s] == expert)
                memcpy(out + count++ * g->n, x + (slots ? t * top + s : t) * g->n, g->n * sizeof *out);
    return count;
}

/* of: what a Hessian is made of. Room: rows of the expert; panels; a thread's tile. */
typedef struct {
    gptq *g;
    pcs_gptq_inputs of;
    float *some, *xt, *x, *tile;
} collector;

static precis_status collect_sample(void *user, const pcs_sample *at)
{
    const collector *c = user;
    const float *x = pcs_program_value(c->g->r->program, c->of.input);
    size_t count = (size_t)at->rows;
    if (c->of.node) count = routed(c->g, c->of.node, c->of.expert, count, c->some), x = c->some;
    return count ? pcs_gptq_gram(c->g, x, count, c->xt, c->x, c->tile) : PRECIS_OK;
}

size_t pcs_gptq_width(const gptq *g, precis_value input)
{
    const pcs_value *in = &g->r->graph->values[input];
    return (size_t)pcs_arg_width(&(pcs_arg){ .dims = 1, .shape = { in->shape[in->dims - 1] } });
}

precis_status pcs_gptq_collect(gptq *g, const pcs_gptq_inputs *of, const pcs_gptq_layer *l)
{
    precis_ctx *ctx = g->w->ctx;
    const size_t most = g->w->windows.longest;
    const precis_program *p = g->r->program;
    collector c = { .g = g, .of = *of };
    size_t to = pcs_program_step_of(p, of->input) + 1;
    if (of->node && pcs_program_step_of(p, of->node->in[2]) >= to) to = pcs_program_step_of(p, of->node->in[2]) + 1;
    g->n = pcs_gptq_width(g, of->input);
    g->pad = (g->n + 15) / 16 * 16;
    g->tokens = 0;
    pcs_free(ctx, g->h);
    pcs_free(ctx, g->feedback); /* of the group before */
    g->feedback = NULL;
    g->h = pcs_alloc(ctx, g->n * g->n, sizeof *g->h);
    const size_t slots = of->node ? (size_t)g->r->graph->values[of->node->in[2]].shape[1] / 2 : 0;
    c.some = pcs_alloc(ctx, g->n * most * slots, sizeof *c.some);
    c.xt = pcs_alloc(ctx, g->pad * most, sizeof *c.xt);
    c.x = pcs_alloc(ctx, g->pad * most, sizeof *c.x);
    c.tile = pcs_alloc(ctx, g->pad * 16 * precis_ctx_threads(ctx), sizeof *c.tile);
    precis_status st = g->h && c.some && c.xt && c.x && c.tile ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_gptq_run_on(g, l, to, collect_sample, &c);
    if (!st) pcs_gptq_mirror(g);
    pcs_free(ctx, c.some);
    pcs_free(ctx, c.xt);
    pcs_free(ctx, c.x);
    pcs_free(ctx, c.tile);
    return st;
}

/* ---- its factor ------------------------------------------------------------------------------------------------- */

/* The feedback in the columns' order; dampening grows until there is one. Why not, or NULL. Rows of an embedding go
 * into the net, too, where all their columns count: the diagonal counts more (gutenberg-7m at 5.8 bits, KL by dampening
 * of its tied embedding: 0.01 0.000433, 0.1 0.000419). */
const char *pcs_gptq_factor(gptq *g, const pcs_tensor *t, precis_status *st)
{
    precis_ctx *ctx = g->w->ctx;
    const size_t n = g->n;
    const double least = t->is.role == PCS_ROLE_token_embd && g->damp < 0.1 ? 0.1 : g->damp;
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
    for (double damp = least; !*st && !why && !ok && damp <= 1.0; damp *= 10)
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
