/* gptq - columns are rounded one by one, and what a rounding loses is made up by the columns still to come (Frantar et
 * al. 2022, section 3; how, see cholesky.c). Layer by layer, inputs are those that the quantized layers before give;
 * within a layer, weights that read one value come together. Columns go by falling diagonal of the Hessian, groups keep
 * their places (static groups), so no index is stored. */
#include "base/pool.h"
#include "quant/gptq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define GPTQ_ROWS 36 /* that a thread has in work */
#define HEAD_ROWS ((size_t)1152) /* of what makes the logits that are numbers at a time */

/* ---- running parts of the net ---------------------------------------------------------------------------------- */

typedef pcs_gptq_layer layer;

precis_status pcs_gptq_run_to(gptq *g, const layer *l, const float *states, size_t to,
                              precis_status (*after)(void *user, const pcs_sample *at), void *user)
{
    const pcs_samples_pass pass = { .on = { .program = g->r->program, .runner = g->r },
                                    .part = true, .cut = l->cut, .states = states, .width = g->r->lm.width,
                                    .from = l->from, .to = to, .after = after, .user = user };
    return pcs_samples_run(&g->samples, &pass);
}

/* ---- the Hessian ------------------------------------------------------------------------------------------------- */

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

/* What a Hessian is made of: the input of weights; of experts, that of number `expert` of a node (NULL: all tokens
 * count). */
typedef struct {
    gptq *g;
    precis_value input;
    const pcs_node *node;
    int64_t expert;
    float *some, *xt, *x, *tile; /* rows of the expert; panels; a thread's tile */
} collector;

static precis_status collect_sample(void *user, const pcs_sample *at)
{
    const collector *c = user;
    const float *x = pcs_program_value(c->g->r->program, c->input);
    size_t count = (size_t)at->rows;
    if (c->node) count = routed(c->g, c->node, c->expert, count, c->some), x = c->some;
    return count ? pcs_gptq_gram(c->g, x, count, c->xt, c->x, c->tile) : PRECIS_OK;
}

/* to: the step behind what is wanted. */
static precis_status collect(gptq *g, collector c, const layer *l, size_t to)
{
    precis_ctx *ctx = g->w->ctx;
    const size_t most = g->w->windows.longest;
    const pcs_value *in = &g->r->graph->values[c.input];
    g->n = (size_t)pcs_arg_width(&(pcs_arg){ .dims = 1, .shape = { in->shape[in->dims - 1] } });
    g->pad = (g->n + 15) / 16 * 16;
    g->tokens = 0;
    pcs_free(ctx, g->h);
    pcs_free(ctx, g->feedback); /* of the group before */
    g->feedback = NULL;
    g->h = pcs_alloc(ctx, g->n * g->n, sizeof *g->h);
    const size_t slots = c.node ? (size_t)g->r->graph->values[c.node->in[2]].shape[1] / 2 : 0;
    c.g = g;
    c.some = pcs_alloc(ctx, g->n * most * slots, sizeof *c.some);
    c.xt = pcs_alloc(ctx, g->pad * most, sizeof *c.xt);
    c.x = pcs_alloc(ctx, g->pad * most, sizeof *c.x);
    c.tile = pcs_alloc(ctx, g->pad * 16 * precis_ctx_threads(ctx), sizeof *c.tile);
    precis_status st = g->h && c.some && c.xt && c.x && c.tile ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_gptq_run_to(g, l, g->hidden, to, collect_sample, &c);
    if (!st) pcs_gptq_mirror(g);
    pcs_free(ctx, c.some);
    pcs_free(ctx, c.xt);
    pcs_free(ctx, c.x);
    pcs_free(ctx, c.tile);
    return st;
}

/* ---- rounding ---------------------------------------------------------------------------------------------------- */

typedef struct {
    gptq *g;
    const pcs_format *f;
    float *weights;     /* [rows][n], becomes what was coded */
    uint8_t *dst;
    uint64_t row_bytes;
    size_t rows, per_thread;
    char *scratch;
    pcs_shared shared;
    double *err, *norm; /* of each row */
    pcs_latent *latent; /* or NULL */
    pcs_sparsity sparsity;
    size_t first;       /* row of the tensor */
} coding;

/* Parameters of a row: of each 16 columns in their own places, and of each block as it is stored. */
typedef struct { float *d, *m; pcs_params *p; float scale; int zero; } row_params;

/* The block at column `at`, whose weights are x. */
static void fit_block(const coding *c, const float *x, const float *importance, size_t at, const row_params *rp)
{
    const pcs_format *f = c->f;
    const size_t n = c->g->n, k = n - at < f->block ? n - at : f->block;
    float xs[PCS_BLOCK_MAX] = { 0 }, ws[PCS_BLOCK_MAX] = { 0 };
    memcpy(xs, x, k * sizeof *xs);
    memcpy(ws, importance + at, k * sizeof *ws);
    pcs_params *p = &rp->p[at / f->block];
    c->g->kernels->fit(&(pcs_fit_args){ .f = f, .x = xs, .w = ws, .effort = PCS_FIT_SEARCH, .params = p });
    float d[PCS_SUB], m[PCS_SUB];
    pcs_expand(f, p, d, m);
    memcpy(rp->d + at / 16, d, (f->block + 15) / 16 * sizeof *d);
    memcpy(rp->m + at / 16, m, (f->block + 15) / 16 * sizeof *m);
}

static void fit_row(const coding *c, const float *x, const float *importance, row_params *rp)
{
    const size_t n = c->g->n;
    if (!c->f->head) {
        for (size_t at = 0; at < n; at += c->f->block) fit_block(c, x + at, importance, at, rp);
        return;
    }
    c->g->kernels->fit(&(pcs_fit_args){ c->f, n, x, importance, PCS_FIT_SEARCH, c->f->tensor ? &c->shared : NULL,
                                        NULL, &rp->scale, &rp->zero });
    for (size_t s = 0; s < (n + 15) / 16; s++) {
        rp->d[s] = rp->scale;
        rp->m[s] = rp->scale * (float)rp->zero;
    }
}

static void pack(const coding *c, const int8_t *q, const row_params *rp, uint8_t *dst)
{
    const pcs_format *f = c->f;
    const size_t pad = (c->g->n + f->block - 1) / f->block * f->block;
    if (f->head) {
        f->pack_row(pad, q, rp->scale, rp->zero, dst);
        return;
    }
    for (size_t at = 0; at < pad; at += f->block, dst += f->bytes) f->pack(q + at, &rp->p[at / f->block], dst);
}

/* What a thread has in work: of GPTQ_ROWS rows, what each column lost, the columns that come next, and what they will
 * be stored as. fits: blocks as they come, the order is the identity */
typedef struct {
    float *lost, *x, *u;
    uint8_t *out;
    int8_t *q;
    row_params rp[GPTQ_ROWS];
    size_t rows, room, span;
    bool fits;
} chunk;

/* The parameters of a block that begins where a span does: of what its columns would become if each took over the
 * losses before it and lost nothing to rounding, which is where the roundings will be near. */
static void fit_ahead(const coding *c, const float *x, const float *w, size_t begin, const row_params *rp)
{
    const gptq *g = c->g;
    const size_t end = begin + c->f->block < g->n ? begin + c->f->block : g->n, room = PCS_FEEDBACK_LD(end - begin);
    float y[PCS_BLOCK_MAX];
    memcpy(y, x, room * sizeof *y);
    for (size_t i = begin; i < end; i++) {
        const float moved = w[i] - y[i - begin];
        for (size_t j = i / 16 * 16; j < begin + room; j += 16) {
            const float *a = g->feedback + PCS_FEEDBACK_PANEL(j / 16) + i * 16;
            PCS_LANES(l, 16) y[j - begin + l] += moved * a[l];
        }
    }
    fit_block(c, y, g->importance, begin, rp);
}

/* A row's columns [at, at + 16), whose share of what was lost before `begin` is in x; of what they lose, columns to the
 * end of the span take theirs. */
static void round_row(const coding *c, const chunk *k, size_t r, size_t begin, size_t at, const float *w)
{
    const gptq *g = c->g;
    float *x = k->x + r * k->span, *lost = k->lost + r * g->pad;
    const row_params *rp = &k->rp[r];
    unsigned out = 0; /* of four columns, as bits */
    for (size_t i = at; i < at + 16 && i < g->n; i++) {
        const size_t own = g->order[i];
        if (k->fits && own == begin) fit_ahead(c, x, w, begin, rp);
        if (c->sparsity == PCS_SWEPT && i % 4 == 0)
            out = pcs_gptq_leave_out(g, c->f, &(pcs_quad){ g->order + i, x + i - begin, rp->d, rp->m });
        const bool zero = c->sparsity == PCS_SWEPT ? out >> i % 4 & 1 : c->sparsity == PCS_HELD && w[own] == 0;
        const float d = rp->d[own / 16], m = rp->m[own / 16];
        const float u = d != 0 ? ((zero ? 0 : x[i - begin]) + m) / d : 0.0f;
        const int8_t code = pcs_code_of(c->f, u);
        if (k->u) k->u[r * g->n + own] = u;
        if (k->out) k->out[r * g->n + own] = zero;
        k->q[r * k->room + own] = code;
        lost[i] = w[own] - (d * (float)code - m);
        for (size_t j = at; j < begin + k->span && j < g->n; j += 16) {
            const float *a = g->feedback + PCS_FEEDBACK_PANEL(j / 16) + i * 16;
            PCS_LANES(l, 16) x[j - begin + l] += lost[i] * a[l];
        }
    }
}

/* The columns of a chunk, a span at a time: 16, or a block where its parameters come from what its columns have
 * become. */
static void round_rows(const coding *c, const chunk *k, const float *w)
{
    const gptq *g = c->g;
    for (size_t begin = 0; begin < g->n; begin += k->span) {
        const size_t end = begin + k->span < g->n ? begin + k->span : g->n;
        for (size_t r = 0; r < k->rows; r++)
            for (size_t i = begin; i < begin + k->span; i++)
                k->x[r * k->span + i - begin] = i < end ? w[r * g->n + g->order[i]] : 0;
        for (size_t at = begin; at < end && begin; at += 16)
            g->kernels->gemm(&(pcs_gemm_args){ k->lost, g->pad, g->feedback + PCS_FEEDBACK_PANEL(at / 16), 16, begin,
                                               k->rows, k->x + at - begin, k->span, true });
        for (size_t r = 0; r < k->rows; r++)
            for (size_t at = begin; at < end; at += 16) round_row(c, k, r, begin, at, w + r * g->n);
    }
}

/* Bytes of a thread's chunk. */
static size_t chunk_bytes(size_t n, size_t block)
{
    const size_t pad = PCS_FEEDBACK_LD(n), coded = (n + block - 1) / block * block, subs = coded / 16 + PCS_SUB;
    const size_t floats = pad + PCS_BLOCK_MAX + 2 * subs, blocks = coded / block + 1;
    const size_t row = floats * sizeof(float) + blocks * sizeof(pcs_params) + coded + PCS_BLOCK_MAX;
    return GPTQ_ROWS * row / 64 * 64 + 128;
}

uint64_t pcs_gptq_memory(uint64_t n, uint64_t rows, uint64_t batch, uint64_t threads)
{
    const uint64_t pad = PCS_FEEDBACK_LD(n), h = 8 * n * n, feedback = 4 * PCS_FEEDBACK_SIZE(n);
    const uint64_t collect = h + (2 * pad * batch + pad * 16 * threads) * 4,
                   factor = h + feedback + 8 * PCS_FEEDBACK_WORK(n) + 36 * n,
                   code = h + feedback + threads * chunk_bytes(n, 32) + 16 * rows;
    const uint64_t most = collect > factor ? collect : factor;
    return most > code ? most : code;
}

static void keep_params(const coding *c, const row_params *rp, size_t row)
{
    pcs_latent *l = c->latent;
    if (c->f->head) l->scale[row] = rp->scale, l->zero[row] = rp->zero;
    else memcpy(l->params + row * l->blocks, rp->p, l->blocks * sizeof *rp->p);
}

static void code_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    coding *c = arg;
    const gptq *g = c->g;
    const pcs_format *f = c->f;
    const size_t n = g->n, coded = (n + f->block - 1) / f->block * f->block, subs = coded / 16 + PCS_SUB,
                 blocks = coded / f->block + 1;
    chunk k = { .room = coded + PCS_BLOCK_MAX, .fits = g->w->opt->no_act_order && !f->head };
    k.span = k.fits && f->block > 16 ? f->block : 16;
    k.lost = (float *)(void *)(c->scratch + ith * c->per_thread);
    k.x = k.lost + GPTQ_ROWS * g->pad;
    float *d = k.x + GPTQ_ROWS * PCS_BLOCK_MAX, *m = d + GPTQ_ROWS * subs;
    pcs_params *params = (pcs_params *)(void *)(m + GPTQ_ROWS * subs);
    k.q = (int8_t *)(params + GPTQ_ROWS * blocks);
    for (size_t first = begin * GPTQ_ROWS; first < end * GPTQ_ROWS && first < c->rows; first += GPTQ_ROWS) {
        float *w = c->weights + first * n;
        k.rows = c->rows - first < GPTQ_ROWS ? c->rows - first : GPTQ_ROWS;
        k.u = c->latent ? c->latent->u + (c->first + first) * n : NULL;
        k.out = c->latent && c->latent->out ? c->latent->out + (c->first + first) * n : NULL;
        memset(k.q, 0, GPTQ_ROWS * k.room);
        for (size_t r = 0; r < k.rows; r++) {
            k.rp[r] = (row_params){ d + r * subs, m + r * subs, params + r * blocks, 0, 0 };
            float *x = k.lost, *importance = k.lost + g->pad; /* which nothing is in yet */
            if (c->sparsity) pcs_gptq_thin(g, c->sparsity, w + r * n, x, importance);
            fit_row(c, c->sparsity ? x : w + r * n, c->sparsity ? importance : g->importance, &k.rp[r]);
        }
        round_rows(c, &k, w);
        for (size_t r = 0; r < k.rows; r++, w += n) {
            uint8_t *dst = c->dst + (first + r) * c->row_bytes;
            float *y = k.lost + r * g->pad;
            pack(c, k.q + r * k.room, &k.rp[r], dst);
            if (c->latent) keep_params(c, &k.rp[r], c->first + first + r);
            pcs_decode(f, n, dst, y);
            g->kernels->error(&(pcs_error_args){ n, w, y, g->importance, &c->err[first + r], &c->norm[first + r] });
            memcpy(w, y, n * sizeof *w);
        }
    }
}

/* By search, all inputs alike: what is left for an expert that saw too little. */
static void search_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    coding *c = arg;
    const size_t n = c->g->n;
    float *y = (float *)(void *)(c->scratch + ith * c->per_thread);
    for (uint64_t r = begin; r < end; r++) {
        float *x = c->weights + r * n;
        c->g->kernels->encode(&(pcs_encode_args){ c->f, n, x, NULL, PCS_FIT_SEARCH, c->f->tensor ? &c->shared : NULL,
                                                  c->dst + r * c->row_bytes, y });
        c->g->kernels->error(&(pcs_error_args){ n, x, y, NULL, &c->err[r], &c->norm[r] });
        memcpy(x, y, n * sizeof *x);
    }
}

static const char *refuses(const pcs_format *f)
{
    if (f->kind != PCS_QUANT || (!f->pack && !f->pack_row) || f->encode)
        return "gptq rounds weight by weight, and this type has no grid of single integers";
    return NULL;
}

/* Rows whose numbers the type's scales cannot hold, before they are coded. */
static precis_status check_range(coding *c, const pcs_tensor *t)
{
    const size_t n = c->g->n;
    precis_ctx *ctx = c->g->w->ctx;
    const pcs_row_job job = { c->f, NULL, c->f->tensor ? &c->shared : NULL, PCS_FIT_RTN, c->g->kernels };
    float *x = pcs_alloc(ctx, 2 * n + 16, sizeof *x);
    precis_status st = x ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t r = 0; r < c->rows && !st; r++) {
        memcpy(x, c->weights + r * n, n * sizeof *x);
        if (!pcs_row_holds(&job, n, x, x + n, c->dst + r * c->row_bytes))
            st = pcs_fail(ctx, PRECIS_EFORMAT,
                          "tensor %s: a number is NaN, infinite, or too large for the scales of %s", t->name,
                          c->f->name);
    }
    pcs_free(ctx, x);
    return st;
}

/* The numbers of a held tensor. */
static float *numbers_of(const pcs_tensor *t) { return (float *)(uintptr_t)t->data; }

/* Rows [first, first + count) of a weight: `weights` has them. why: they are not to be coded so, but by search. */
typedef struct { float *weights; size_t first, count; const char *why; pcs_latent *latent; } part;

/* A part under the Hessian into the tensor's bytes; its losses are added to *loss. */
static precis_status code_part(gptq *g, size_t index, const part *p, pcs_encoded *e, pcs_row_loss *loss)
{
    pcs_work *w = g->w;
    pcs_tensor *t = &w->m->tensors[index];
    const pcs_format *f = w->plan->rows[index].to;
    coding c = { .g = g, .f = f, .weights = p->weights, .rows = p->count, .latent = p->latent, .first = p->first };
    c.sparsity = pcs_gptq_sparsity(g, t);
    c.row_bytes = pcs_row_bytes(f, (uint64_t)t->ne[0]);
    c.dst = e->bytes + p->first * c.row_bytes;
    c.per_thread = chunk_bytes(g->n, f->block);
    c.scratch = pcs_alloc(w->ctx, precis_ctx_threads(w->ctx), c.per_thread);
    c.err = pcs_alloc(w->ctx, 2 * c.rows, sizeof *c.err);
    precis_status st = c.scratch && c.err ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && f->tensor) st = pcs_tensor_shared(w->ctx, t, &c.shared);
    if (!st) st = check_range(&c, t);
    if (!st) {
        c.norm = c.err + c.rows;
        pcs_latent *l = p->latent;
        if (l) memcpy(l->importance + p->first / l->per * g->n, g->importance, g->n * sizeof *g->importance);
        if (p->why) pcs_for(w->ctx, c.rows, 4, search_rows, &c);
        else pcs_for(w->ctx, (c.rows + GPTQ_ROWS - 1) / GPTQ_ROWS, 1, code_rows, &c);
        for (size_t r = 0; r < c.rows; r++) loss->err += c.err[r], loss->norm += c.norm[r];
    }
    pcs_free(w->ctx, c.scratch);
    pcs_free(w->ctx, c.err);
    return st;
}

static precis_status code_weight(gptq *g, size_t index)
{
    const pcs_tensor *t = &g->w->m->tensors[index];
    pcs_encoded *e = &g->w->coded[index];
    part whole = { .weights = numbers_of(t), .count = (size_t)pcs_tensor_rows(t) };
    pcs_row_loss loss = { 0 };
    precis_status st = pcs_encoded_open(g->w->ctx, e, t, g->w->plan->rows[index].to);
    if (!st) st = pcs_gptq_latent(g, index, numbers_of(t), &whole.latent);
    if (!st) st = code_part(g, index, &whole, e, &loss);
    if (st) pcs_encoded_close(g->w->ctx, e);
    e->method = st ? NULL : "gptq";
    e->error = pcs_relative(&loss);
    return st;
}

/* Each expert under the Hessian of the tokens that it got. */
static precis_status code_experts(gptq *g, size_t index, const pcs_node *n, const layer *l)
{
    pcs_work *w = g->w;
    const pcs_tensor *t = &w->m->tensors[index];
    const size_t rows = (size_t)t->ne[1], experts = (size_t)pcs_tensor_rows(t) / rows;
    pcs_encoded *coded = &w->coded[index];
    const size_t a = pcs_program_step_of(g->r->program, n->in[0]), b = pcs_program_step_of(g->r->program, n->in[2]);
    pcs_row_loss loss = { 0 };
    size_t left = 0;
    pcs_latent *latent = NULL;
    precis_status st = pcs_encoded_open(w->ctx, coded, t, w->plan->rows[index].to);
    if (!st) st = pcs_gptq_latent(g, index, numbers_of(t), &latent);
    for (size_t e = 0; e < experts && !st; e++) {
        st = collect(g, (collector){ .input = n->in[0], .node = n, .expert = (int64_t)e }, l, (a > b ? a : b) + 1);
        const char *why = st ? NULL : pcs_gptq_factor(g, &st);
        if (!st && why && !w->opt->fallback)
            st = pcs_fail(w->ctx, PRECIS_EUNSUPPORTED,
                          "tensor %s, expert %zu: %s (%llu tokens); --fallback takes search there", t->name, e, why,
                          (unsigned long long)g->tokens);
        left += why != NULL;
        const part expert = { numbers_of(t) + e * rows * (size_t)t->ne[0], e * rows, rows, why, latent };
        if (!st) st = code_part(g, index, &expert, coded, &loss);
    }
    if (left && latent) pcs_gptq_drop_latent(g); /* codes of search were no such numbers */
    const char *method = left ? pcs_arena_printf(&w->m->arena, "gptq (%zu of %zu experts by search)", left, experts)
                              : "gptq";
    if (!st && !method) st = PRECIS_ENOMEM;
    if (st) pcs_encoded_close(w->ctx, coded);
    coded->method = st ? NULL : method;
    coded->error = pcs_relative(&loss);
    return st;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static precis_status give_up(gptq *g, size_t index, const char *why)
{
    const char *name = g->w->m->tensors[index].name;
    if (pcs_gptq_sparsity(g, &g->w->m->tensors[index]) == PCS_SWEPT && !refuses(g->w->plan->rows[index].to))
        return pcs_fail(g->w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s, and nothing else keeps what is left out", name,
                        why);
    if (!g->w->opt->fallback)
        return pcs_fail(g->w->ctx, PRECIS_EUNSUPPORTED, "tensor %s: %s; --fallback takes search there", name, why);
    g->w->coded[index].method = pcs_arena_printf(&g->w->m->arena, "search (gptq: %s)", why);
    return g->w->coded[index].method ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Index of the stored weight that a node reads, when it is to be coded; else -1. */
static long weight_of(const gptq *g, const pcs_node *n)
{
    const precis_graph *gr = g->r->graph;
    const pcs_value *w = pcs_node_weight(gr, n);
    uint32_t i;
    if (!w || !pcs_map_get(&g->w->m->tensor_map, w->name, strlen(w->name), &i)) return -1;
    const pcs_plan_row *row = &g->w->plan->rows[i];
    const bool codes = row->to != g->w->m->tensors[i].format && (row->to->kind == PCS_QUANT || row->to->element);
    return codes && !g->w->coded[i].bytes && !g->w->coded[i].method ? (long)i : -1;
}

/* Weights of the layer from a node on that read one input. */
static precis_status code_group(gptq *g, const layer *l, size_t first_node, precis_value input)
{
    const precis_graph *gr = g->r->graph;
    precis_status st = PRECIS_OK;
    bool ready = false;
    const char *why = NULL;
    for (size_t i = first_node; i < l->end_node && !st; i++) {
        const pcs_node *n = &gr->nodes[i];
        const long at = n->in[0] == input ? weight_of(g, n) : -1;
        if (at < 0) continue;
        const char *no = refuses(g->w->plan->rows[at].to);
        if (!no && n->op->route) {
            st = code_experts(g, (size_t)at, n, l);
            ready = false; /* the group's Hessian is gone */
            continue;
        }
        if (!no && !ready) {
            st = collect(g, (collector){ .input = input }, l, pcs_program_step_of(g->r->program, input) + 1);
            if (!st) why = pcs_gptq_factor(g, &st);
            ready = true;
        }
        if (st) break;
        if (!no) no = why;
        st = no ? give_up(g, (size_t)at, no) : code_weight(g, (size_t)at);
    }
    return st;
}

typedef struct { gptq *g; precis_value out; } follower;

/* What the next layer will see of a sample. */
static precis_status keep_state(void *user, const pcs_sample *at)
{
    const follower *f = user;
    const size_t width = f->g->r->lm.width;
    const float *x = pcs_program_value(f->g->r->program, f->out);
    memcpy(f->g->hidden + at->first * width, x, (size_t)at->rows * width * sizeof *x);
    return PRECIS_OK;
}

static precis_status code_layer(gptq *g, const layer *l, uint32_t number)
{
    const precis_graph *gr = g->r->graph;
    precis_status st = pcs_gptq_hold_layer(g, l->first_node, l->end_node);
    if (!st && g->refiner) st = g->refiner->before(g, l);
    for (size_t i = l->first_node; i < l->end_node && !st; i++)
        if (weight_of(g, &gr->nodes[i]) >= 0) st = code_group(g, l, i, gr->nodes[i].in[0]);
    if (!st && g->refiner) st = g->refiner->after(g, l, number);
    if (!st) st = pcs_gptq_run_to(g, l, g->hidden, l->to, keep_state, &(follower){ g, l->out });
    while (g->n_latents) pcs_gptq_drop_latent(g);
    pcs_gptq_release(g);
    return st;
}

/* What makes the logits is coded last, from what it reads behind the coded layers, by parts of its rows: nothing comes
 * behind it that would have to see the numbers. Where it cannot be coded so, it takes search, as it would without. Rows
 * of an embedding go into the net, too, where all their columns count: the diagonal counts more (gutenberg-7m at 5.8
 * bits, KL by dampening of its tied embedding: 0.01 0.000433, 0.1 0.000419). */
static precis_status code_head(gptq *g, const layer *l)
{
    pcs_work *w = g->w;
    const precis_graph *gr = g->r->graph;
    size_t node = l->first_node;
    long at = -1;
    for (size_t i = l->first_node; i < gr->n_nodes && at < 0; i++)
        if ((at = weight_of(g, &gr->nodes[i])) >= 0) node = i;
    const pcs_tensor *t = at < 0 ? NULL : &w->m->tensors[at];
    if (!t || !pcs_makes_logits(w->m, t) || t->dims > 2 || gr->nodes[node].op->route || refuses(w->plan->rows[at].to))
        return PRECIS_OK;
    const precis_value input = gr->nodes[node].in[0];
    precis_status st = collect(g, (collector){ .input = input }, l, pcs_program_step_of(g->r->program, input) + 1);
    const double damp = g->damp;
    if (t->is.role == PCS_ROLE_token_embd && g->damp < 0.1) g->damp = 0.1;
    const char *why = st ? NULL : pcs_gptq_factor(g, &st);
    g->damp = damp;
    if (st || why) return st;
    const size_t n = g->n, rows = (size_t)pcs_tensor_rows(t);
    const uint64_t own = pcs_tensor_row_bytes(t);
    pcs_encoded *e = &w->coded[at];
    pcs_row_loss loss = { 0 };
    float *x = pcs_alloc(w->ctx, HEAD_ROWS * n + 16, sizeof *x);
    st = x ? pcs_encoded_open(w->ctx, e, t, w->plan->rows[at].to) : PRECIS_ENOMEM;
    for (size_t first = 0; first < rows && !st; first += HEAD_ROWS) {
        const size_t count = rows - first < HEAD_ROWS ? rows - first : HEAD_ROWS;
        for (size_t r = 0; r < count; r++) pcs_decode(t->format, n, t->data + (first + r) * own, x + r * n);
        st = code_part(g, (size_t)at, &(part){ x, first, count, NULL, NULL }, e, &loss);
    }
    pcs_free(w->ctx, x);
    if (st) pcs_encoded_close(w->ctx, e);
    e->method = st ? NULL : "gptq";
    e->error = pcs_relative(&loss);
    return st;
}

static precis_status code_layers(gptq *g)
{
    const precis_program *p = g->r->program;
    const precis_graph *gr = g->r->graph;
    layer l = { .from = pcs_program_preamble(p), .cut = -1 };
    uint32_t n = 0, done = 0;
    precis_status st = pcs_gptq_resume_layers(g, &done);
    for (size_t i = 0; i < gr->n_nodes && !st; i++) {
        if (!gr->values[gr->nodes[i].out[0]].cut) continue;
        l.end_node = i + 1;
        l.out = gr->nodes[i].out[0];
        l.to = pcs_program_step_of(p, l.out) + 1;
        if (n >= done) st = code_layer(g, &l, n);
        if (!st && n >= done) st = pcs_gptq_keep_layer(g, l.first_node, l.end_node, n + 1);
        l = (layer){ .first_node = i + 1, .from = l.to, .cut = l.out };
        if (!st) st = pcs_progress(g->w->ctx, g->refiner ? g->refiner->name : "gptq", ++n, g->r->lm.layers);
    }
    return st ? st : code_head(g, &l);
}

precis_status pcs_gptq(pcs_work *w) { return pcs_gptq_refined(w, NULL); }

precis_status pcs_gptq_refined(pcs_work *w, const pcs_refiner *refiner)
{
    precis_ctx *ctx = w->ctx;
    const pcs_kernels kernels = pcs_kernels_for(ctx->cpu);
    gptq g = { .w = w, .kernels = &kernels, .refiner = refiner, .samples = { .ctx = ctx } };
    g.damp = w->opt->damp > 0 ? w->opt->damp : 0.01;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    ro.arithmetic = w->opt->activations ? PRECIS_EMULATED : PRECIS_REFERENCE;
    ro.k_type = ro.v_type = "f32";
    ro.context = ro.batch = w->windows.longest;
    precis_status st = pcs_gptq_announce(&g);
    if (!st) st = pcs_runner_open(ctx, &g.r, w->m, &ro, &(pcs_runner_how){ .inputs = true });
    pcs_gptq_withdraw(&g);
    const uint64_t nets = refiner ? 2 : 1;
    for (size_t i = 0; i < w->set.n; i++) g.swept |= w->set.all[i]->in_sweep;
    if (!st) st = pcs_spill_open(ctx, &g.states, nets * w->windows.n_ids * g.r->lm.width * sizeof *g.hidden);
    if (!st) st = pcs_samples_of_windows(ctx, &g.samples, &w->windows, PCS_WANT_ALL, 1);
    g.hidden = st ? NULL : g.states.data;
    if (!st) st = code_layers(&g);
    if (g.r) pcs_gptq_release(&g); /* after a failure */
    while (g.n_latents) pcs_gptq_drop_latent(&g);
    pcs_free(ctx, g.latents);
    pcs_free(ctx, g.held);
    pcs_spill_close(ctx, &g.states);
    pcs_samples_close(&g.samples);
    pcs_free(ctx, g.h);
    pcs_free(ctx, g.feedback);
    pcs_free(ctx, g.importance);
    pcs_free(ctx, g.order);
    pcs_free(ctx, g.pivot);
    precis_runner_close(&g.r);
    return st;
}

const pcs_method pcs_method_gptq = {
    .name = "gptq", .kind = PCS_CODER, .apply = pcs_gptq, .refuses = refuses, .uses_importance = true,
    .does = PCS_MAKES_UP,
};
