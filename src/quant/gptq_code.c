/* gptq_code.c - rows of a weight, rounded column by column under the Hessian in work. */
#include "base/pool.h"
#include "quant/gptq.h"

#define GPTQ_ROWS 36 /* that a thread has in work */
#define APART_ROWS ((size_t)1152) /* that are numbers at a time, where a weight is coded from its own bytes */

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
    c->g->kernels->fit(&(pcs_fit_args){ c->f, n, x, importance, PCS_FIT_SEARCH, c->f->tensor ? &c->shared : NULL, NULL,
                                        &rp->scale, &rp->zero });
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
 * be stored as. u, out: of a latent, or NULL. fits: blocks as they come, the order is the identity */
typedef struct {
    float *lost, *x, *u;
    int8_t *q;
    uint8_t *out;
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

enum { TOGETHER = 12 }; /* rows, a third of a chunk's */

/* The same 16 columns of up to TOGETHER rows, of which nothing is left out and no block's parameters are still to come:
 * each row is a lane. Missing lanes do what the first does. */
static void round_together(const coding *c, const chunk *k, size_t first, size_t at, const float *w)
{
    const gptq *g = c->g;
    const size_t rows = k->rows - first < TOGETHER ? k->rows - first : TOGETHER;
    const float *a = g->feedback + PCS_FEEDBACK_PANEL(at / 16) + at * 16;
    float x[16][TOGETHER], d[TOGETHER], m[TOGETHER], u[TOGETHER], lost[TOGETHER];
    int32_t codes[TOGETHER];
    for (size_t r = 0; r < TOGETHER; r++)
        for (size_t i = 0; i < 16; i++) x[i][r] = k->x[(first + (r < rows ? r : 0)) * k->span + i];
    for (size_t i = 0; i < 16 && at + i < g->n; i++, a += 16) {
        const size_t own = g->order[at + i];
        for (size_t r = 0; r < TOGETHER; r++) {
            const size_t row = first + (r < rows ? r : 0);
            d[r] = k->rp[row].d[own / 16];
            m[r] = k->rp[row].m[own / 16];
            lost[r] = w[row * g->n + own];
        }
        PCS_LANES(r, TOGETHER) {
            const float by = d[r] != 0 ? d[r] : 1;
            u[r] = d[r] != 0 ? (x[i][r] + m[r]) / by : 0;
        }
        pcs_codes_of(c->f, TOGETHER, u, codes);
        PCS_LANES(r, TOGETHER) lost[r] -= d[r] * (float)codes[r] - m[r];
        for (size_t j = i + 1; j < 16; j++) PCS_LANES(r, TOGETHER) x[j][r] += lost[r] * a[j];
        for (size_t r = 0; r < rows; r++) {
            k->lost[(first + r) * g->pad + at + i] = lost[r];
            k->q[(first + r) * k->room + own] = (int8_t)codes[r];
            if (k->u) k->u[(first + r) * g->n + own] = u[r];
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
        const bool alone = k->fits || k->out || c->sparsity;
        for (size_t r = 0; r < k->rows && !alone; r += TOGETHER) round_together(c, k, r, begin, w);
        for (size_t r = 0; r < k->rows && alone; r++)
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

const char *pcs_gptq_refuses(const pcs_format *f)
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

precis_status pcs_gptq_code_part(gptq *g, size_t index, const pcs_gptq_part *p, pcs_encoded *e, pcs_row_loss *loss)
{
    pcs_work *w = g->w;
    pcs_tensor *t = &w->m->tensors[index];
    const pcs_format *f = p->to;
    coding c = { .g = g, .f = f, .weights = p->weights, .rows = p->count, .latent = p->latent, .first = p->first };
    c.row_bytes = pcs_row_bytes(f, (uint64_t)t->ne[0]);
    c.dst = e->bytes + p->first * c.row_bytes;
    c.sparsity = pcs_gptq_sparsity(g, t);
    c.per_thread = chunk_bytes(g->n, f->block);
    c.scratch = pcs_alloc(w->ctx, precis_ctx_threads(w->ctx), c.per_thread);
    c.err = pcs_alloc(w->ctx, 2 * c.rows, sizeof *c.err);
    precis_status st = c.scratch && c.err ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st && f->tensor) st = pcs_tensor_shared(w->ctx, t, &c.shared);
    if (!st) st = check_range(&c, t);
    if (!st) {
        c.norm = c.err + c.rows;
        if (p->latent) pcs_gptq_keep_importance(g, p->latent, p->first);
        if (p->why) pcs_for(w->ctx, c.rows, 4, search_rows, &c);
        else pcs_for(w->ctx, (c.rows + GPTQ_ROWS - 1) / GPTQ_ROWS, 1, code_rows, &c);
        for (size_t r = 0; r < c.rows; r++) loss->err += c.err[r], loss->norm += c.norm[r];
    }
    pcs_free(w->ctx, c.scratch);
    pcs_free(w->ctx, c.err);
    return st;
}

/* Rows [first, first + count), whose input the Hessian in work is of, as they stand in the model: the net goes on with
 * what they were. */
precis_status pcs_gptq_code_apart(gptq *g, size_t index, const pcs_gptq_part *rows, pcs_encoded *e, pcs_row_loss *loss)
{
    const pcs_tensor *t = &g->w->m->tensors[index];
    const size_t n = g->n, end = rows->first + rows->count;
    const uint64_t own = pcs_tensor_row_bytes(t);
    pcs_gptq_part part = *rows;
    part.weights = pcs_alloc(g->w->ctx, APART_ROWS * n + 16, sizeof *part.weights);
    precis_status st = part.weights ? PRECIS_OK : PRECIS_ENOMEM;
    for (; part.first < end && !st; part.first += APART_ROWS) {
        part.count = end - part.first < APART_ROWS ? end - part.first : APART_ROWS;
        for (size_t r = 0; r < part.count; r++)
            pcs_decode(t->format, n, t->data + (part.first + r) * own, part.weights + r * n);
        st = pcs_gptq_code_part(g, index, &part, e, loss);
    }
    pcs_free(g->w->ctx, part.weights);
    return st;
}
