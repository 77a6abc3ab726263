/* round - codes of a layer go down by the signs of the gradients of the layer's error (Cheng et al. 2023, SignRound,
 * 2309.05516).
 *
 * What moves is where a weight is before it is rounded, in units of codes, and how large the scales and minimums of its
 * groups are, in the units that the type stores: the grid is always the very one of the file, so every type with codes
 * is learned alike. The beginning is where GPTQ has rounded (the weight with what the columns before it lost), not the
 * weight alone: fewer steps do. The error is that of the layer's result, of inputs that the coded layers before make,
 * against what the net makes of the text before anything of it was coded.
 *
 * Batches are drawn by the seed, from all but every eighth window, where there are so many. If the error of those that
 * were held back is less on a half or a quarter of the way, that is taken, and GPTQ's codes where it has not fallen. */
#include "base/f16.h"
#include "base/pool.h"
#include "quant/gptq.h"
#include "quant/segment.h"

enum { STEPS = 128, TOKENS = PCS_ROUND_TOKENS, CHECKED = 32768, HELD = 8 };
/* How far a code and a scale (of itself) may go in all: the rate falls from twice that over the steps to 0. */
#define CODES_GO 0.5f
#define SCALES_GO 0.15f

/* A weight that is learned. Of each group (of a row, with a head): a the scale, b the minimum, not yet rounded to what
 * is stored. first_: where the way began. */
typedef struct {
    pcs_latent *l;
    const pcs_format *f;
    float *numbers;   /* [rows][n], which the nets read */
    size_t groups;    /* of a row */
    float *a, *b, *first_a, *first_b;
    float *first_u, *last; /* [rows][n] and all of a and b after it */
} matrix;

typedef struct {
    gptq *g;
    pcs_segment segment;
    matrix *of;
    size_t n;
    uint32_t most;            /* tokens of a batch */
    uint32_t *order;          /* of windows, n_order of them: those that are learned from, or that are measured */
    size_t n_order, next;
    uint64_t seed;
    int32_t *ids, *positions, *sequences;
    float *states, *target, *by; /* [most][width]: the batch; by: the error's gradient */
    double *losses;           /* of its rows */
} descent;

/* ---- one weight -------------------------------------------------------------------------------------------------- */

static bool learns_scale(const pcs_format *f)
{
    return f->head || f->scale == PCS_SCALE_F16 || f->scale == PCS_SCALE_SUPER;
}

static size_t block_groups(const pcs_format *f) { return f->scale == PCS_SCALE_SUPER ? f->block / f->group : 1; }

static float clamp(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }

static void begin_block(const matrix *m, const pcs_params *p, size_t at)
{
    const pcs_format *f = m->f;
    for (size_t g = 0; g < block_groups(f); g++) {
        const bool whole = f->scale == PCS_SCALE_SUPER;
        m->a[at + g] = whole ? (float)p->sc[g] : pcs_f16_to_f32(p->d);
        m->b[at + g] = !f->has_min ? 0 : whole ? (float)p->mn[g] : pcs_f16_to_f32(p->m);
    }
}

static void begin_scales(const matrix *m)
{
    const size_t groups = block_groups(m->f);
    for (size_t r = 0; r < m->l->rows; r++)
        if (m->f->head) m->a[r] = m->l->scale[r], m->b[r] = 0;
        else
            for (size_t k = 0; k < m->l->blocks; k++)
                begin_block(m, &m->l->params[r * m->l->blocks + k], r * m->groups + k * groups);
    memcpy(m->first_a, m->a, 2 * m->l->rows * m->groups * sizeof *m->a);
    memcpy(m->first_u, m->l->u, m->l->rows * m->l->n * sizeof *m->l->u);
}

/* A step of a scale is a part of what it was. */
static float unit(float first) { return first < 0 ? -first : first; }

static void keep_last(const matrix *m)
{
    const size_t n = m->l->rows * m->l->n;
    memcpy(m->last, m->l->u, n * sizeof *m->last);
    memcpy(m->last + n, m->a, 2 * m->l->rows * m->groups * sizeof *m->last);
}

/* So far on the way from the first to the last. */
static void go(const matrix *m, float part)
{
    const size_t n = m->l->rows * m->l->n;
    for (size_t i = 0; i < n; i++) m->l->u[i] = m->first_u[i] + part * (m->last[i] - m->first_u[i]);
    for (size_t i = 0; i < 2 * m->l->rows * m->groups; i++)
        m->a[i] = m->first_a[i] + part * (m->last[n + i] - m->first_a[i]);
}

/* Parameters of a block as they are stored, from scales and minimums of its groups. */
static pcs_params stored(const matrix *m, size_t row, size_t block)
{
    const pcs_format *f = m->f;
    pcs_params p = m->l->params[row * m->l->blocks + block];
    const size_t groups = block_groups(f);
    const float *a = m->a + row * m->groups + block * groups, *b = m->b + row * m->groups + block * groups;
    for (size_t g = 0; g < groups && f->scale == PCS_SCALE_SUPER; g++) {
        p.sc[g] = (int8_t)pcs_round(clamp(a[g], f->sc_lo, f->sc_hi));
        if (f->has_min) p.mn[g] = (uint8_t)pcs_round(clamp(b[g], 0, f->mn_hi));
    }
    if (f->scale != PCS_SCALE_F16) return p;
    p.d = pcs_f32_to_f16(clamp(*a, -65504, 65504));
    if (f->has_min) p.m = pcs_f32_to_f16(clamp(*b, -65504, 65504));
    return p;
}

/* d and m of every 16 weights of a block. */
static void expand(const matrix *m, size_t row, size_t block, float *d, float *min)
{
    if (m->f->head) {
        pcs_fill(d, PCS_SUB, m->a[row]);
        pcs_fill(min, PCS_SUB, m->a[row] * (float)m->l->zero[row]);
        return;
    }
    const pcs_params p = stored(m, row, block);
    pcs_expand(m->f, &p, d, min);
}

static size_t width_of(const matrix *m, size_t block)
{
    const size_t at = block * m->f->block;
    return m->l->n - at < m->f->block ? m->l->n - at : m->f->block;
}

static size_t blocks_of(const matrix *m) { return (m->l->n + m->f->block - 1) / m->f->block; }

/* What the rows' codes mean. */
static void number_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const matrix *m = arg;
    float d[PCS_SUB], min[PCS_SUB] = { 0 };
    for (uint64_t r = begin; r < end; r++)
        for (size_t k = 0; k < blocks_of(m); k++) {
            const size_t at = r * m->l->n + k * m->f->block;
            expand(m, r, k, d, min);
            for (size_t i = 0; i < width_of(m, k); i++)
                m->numbers[at + i] = d[i / 16] * (float)pcs_code_of(m->f, m->l->u[at + i]) - min[i / 16];
        }
}

/* The distance of the codes around u. */
static float gap(const pcs_format *f, float u)
{
    int i = 0;
    if (!f->book) return 1;
    while (i < 14 && u > (float)f->book[i + 1]) i++;
    const int step = f->book[i + 1] - f->book[i];
    return step > 0 ? (float)step : 1; /* a zero may be there twice */
}

static float sign(double v) { return v > 0 ? 1.0f : v < 0 ? -1.0f : 0.0f; }

/* One step of a weight; gradient: by its numbers. */
typedef struct { const matrix *m; const float *gradient; float codes, scales; size_t first; } stepping;

static void step_block(const stepping *s, size_t r, size_t block, const float *by)
{
    const matrix *m = s->m;
    const pcs_format *f = m->f;
    const size_t per = f->head ? f->block : f->block / block_groups(f);
    const size_t first = f->head ? r : r * m->groups + block * block_groups(f);
    const float lo = f->book ? f->book[0] : f->code_lo, hi = f->book ? f->book[15] : f->code_hi;
    float d[PCS_SUB], min[PCS_SUB] = { 0 }, *u = m->l->u + r * m->l->n + block * f->block;
    expand(m, r, block, d, min);
    double a[PCS_BLOCK_MAX / 16] = { 0 }, b[PCS_BLOCK_MAX / 16] = { 0 };
    for (size_t i = 0; i < width_of(m, block); i++) {
        const double q = pcs_code_of(f, u[i]);
        a[i / per] += (double)by[i] * (f->head ? q - m->l->zero[r] : q);
        b[i / per] += (double)by[i];
        if (m->l->out && m->l->out[(size_t)(u - m->l->u) + i]) continue;
        u[i] = clamp(u[i] - s->codes * gap(f, u[i]) * sign((double)by[i] * (double)d[i / 16]), lo - 0.5f, hi + 0.5f);
    }
    if (!learns_scale(f) || f->head) return;
    const pcs_params *p = &m->l->params[r * m->l->blocks + block];
    const bool whole = f->scale == PCS_SCALE_SUPER;
    const float d0 = whole ? sign((double)pcs_f16_to_f32(p->d)) : 1;
    const float m0 = whole ? -sign((double)pcs_f16_to_f32(p->m)) : 1;
    for (size_t g = 0; g < block_groups(f); g++) {
        m->a[first + g] -= s->scales * unit(m->first_a[first + g]) * d0 * sign(a[g]);
        if (f->has_min) m->b[first + g] -= s->scales * unit(m->first_b[first + g]) * m0 * sign(b[g]);
    }
}

/* A head's scale, by all of the row. */
static void step_head(const stepping *s, size_t r, const float *by)
{
    const matrix *m = s->m;
    double a = 0;
    for (size_t i = 0; i < m->l->n; i++)
        a += (double)by[i] * ((double)pcs_code_of(m->f, m->l->u[r * m->l->n + i]) - m->l->zero[r]);
    m->a[r] -= s->scales * unit(m->first_a[r]) * sign(a);
}

static void step_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const stepping *s = arg;
    for (uint64_t r = begin; r < end; r++) {
        const float *by = s->gradient + r * s->m->l->n;
        if (s->m->f->head && !s->m->f->tensor) step_head(s, s->first + r, by);
        for (size_t k = 0; k < blocks_of(s->m); k++) step_block(s, s->first + r, k, by + k * s->m->f->block);
    }
}

/* The rows' bytes, and what they lost. */
typedef struct {
    matrix *m;
    uint8_t *dst;
    uint64_t row_bytes;
    const pcs_kernels *kernels;
    int8_t *codes;
    double *err, *norm;
} packing;

static void pack_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    const packing *p = arg;
    const matrix *m = p->m;
    const pcs_format *f = m->f;
    const size_t n = m->l->n, pad = blocks_of(m) * f->block;
    int8_t *q = p->codes + ith * pad;
    for (uint64_t r = begin; r < end; r++) {
        uint8_t *dst = p->dst + r * p->row_bytes;
        for (size_t i = 0; i < pad; i++) q[i] = i < n ? pcs_code_of(f, m->l->u[r * n + i]) : 0;
        if (f->head) f->pack_row(pad, q, m->a[r], m->l->zero[r], dst);
        for (size_t k = 0; k < blocks_of(m) && !f->head; k++) {
            const pcs_params params = stored(m, r, k);
            f->pack(q + k * f->block, &params, dst + k * f->bytes);
        }
        pcs_decode(f, n, dst, m->numbers + r * n);
        const float *w = m->l->importance + r / m->l->per * n;
        p->kernels->error(&(pcs_error_args){ n, m->l->w + r * n, m->numbers + r * n, w, &p->err[r], &p->norm[r] });
    }
}

static precis_status pack_matrix(const descent *d, matrix *m)
{
    precis_ctx *ctx = d->g->w->ctx;
    pcs_encoded *e = &d->g->w->coded[m->l->index];
    packing p = { .m = m, .dst = e->bytes, .row_bytes = pcs_row_bytes(m->f, m->l->n), .kernels = d->g->kernels };
    p.codes = pcs_alloc(ctx, precis_ctx_threads(ctx), blocks_of(m) * m->f->block);
    p.err = pcs_alloc(ctx, 2 * m->l->rows + 1, sizeof *p.err);
    const precis_status st = p.codes && p.err ? PRECIS_OK : PRECIS_ENOMEM;
    double err = 0, norm = 0;
    p.norm = st ? NULL : p.err + m->l->rows;
    if (!st) pcs_for(ctx, m->l->rows, 4, pack_rows, &p);
    for (size_t r = 0; r < m->l->rows && !st; r++) err += p.err[r], norm += p.norm[r];
    if (!st) e->error = norm > 0 ? err / norm : 0;
    pcs_free(ctx, p.codes);
    pcs_free(ctx, p.err);
    return st;
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

/* Windows from `first` of an order on, as many as there is room for; states and targets of their rows. */
static uint32_t fill_batch(const descent *d, size_t first, size_t *taken)
{
    const pcs_samples *s = &d->g->samples;
    const pcs_windows *w = s->windows;
    const size_t width = d->g->r->lm.width;
    const float *behind = d->g->hidden + (size_t)s->n_rows * width;
    uint32_t n = 0;
    *taken = 0;
    for (size_t i = first; i < d->n_order && n + w->lengths[d->order[i]] <= d->most; i++, ++*taken) {
        const uint32_t at = d->order[i], rows = w->lengths[at];
        for (uint32_t t = 0; t < rows; t++) {
            d->ids[n + t] = w->ids[s->starts[at] + t];
            d->positions[n + t] = (int32_t)t;
            d->sequences[n + t] = (int32_t)*taken;
        }
        memcpy(d->states + n * width, d->g->hidden + s->starts[at] * width, rows * width * sizeof *d->states);
        memcpy(d->target + n * width, behind + s->starts[at] * width, rows * width * sizeof *d->target);
        n += rows;
    }
    return n;
}

/* The windows that are held back, or all the others; with too few of them, all are both. */
static void choose_windows(descent *d, bool back)
{
    const size_t n = d->g->samples.n;
    d->n_order = 0;
    for (size_t i = 0; i < n; i++)
        if (n < HELD || (i % HELD == HELD - 1) == back) d->order[d->n_order++] = (uint32_t)i;
    d->next = d->n_order;
}

static void shuffle(descent *d)
{
    for (size_t i = d->n_order; i > 1; i--) {
        const size_t k = (size_t)(pcs_rand(&d->seed) % i);
        const uint32_t other = d->order[k];
        d->order[k] = d->order[i - 1];
        d->order[i - 1] = other;
    }
    d->next = 0;
}

typedef struct { const descent *d; const float *y; size_t width; } comparing;

static void compare_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const comparing *c = arg;
    for (uint64_t t = begin; t < end; t++) {
        double sum = 0;
        for (size_t i = 0; i < c->width; i++) {
            const float e = c->y[t * c->width + i] - c->d->target[t * c->width + i];
            c->d->by[t * c->width + i] = e;
            sum += (double)e * (double)e;
        }
        c->d->losses[t] = sum;
    }
}

/* The batch that begins at `first`: its squared error added to *sum, and the error in d->by. */
static precis_status run_batch(descent *d, size_t first, size_t *taken, double *sum, uint64_t *rows)
{
    const uint32_t n = fill_batch(d, first, taken);
    const pcs_segment_rows rows_of = { d->ids, d->positions, d->sequences, d->states, n };
    const precis_status st = pcs_segment_run(&d->segment, &rows_of);
    if (st) return st;
    comparing c = { d, pcs_program_value(d->segment.program, d->segment.out), d->g->r->lm.width };
    pcs_for(d->g->w->ctx, n, 16, compare_rows, &c);
    for (uint32_t t = 0; t < n; t++) *sum += d->losses[t];
    *rows += n;
    return PRECIS_OK;
}

/* The mean squared error of a row, over the windows that are held back or the first of them. */
static precis_status held_loss(descent *d, double *loss)
{
    precis_status st = PRECIS_OK;
    double sum = 0;
    uint64_t rows = 0;
    choose_windows(d, true);
    for (size_t i = 0, taken; i < d->n_order && rows < CHECKED && !st; i += taken)
        st = run_batch(d, i, &taken, &sum, &rows);
    *loss = rows ? sum / (double)rows : 0;
    return st;
}

/* ---- a layer ----------------------------------------------------------------------------------------------------- */

static matrix *matrix_of(descent *d, size_t tensor)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->of[i].l->index == tensor) return &d->of[i];
    return NULL;
}

static precis_status step(descent *d, uint32_t number)
{
    size_t taken;
    double sum = 0;
    uint64_t rows = 0;
    precis_ctx *ctx = d->g->w->ctx;
    if (d->next >= d->n_order) shuffle(d);
    precis_status st = run_batch(d, d->next, &taken, &sum, &rows);
    d->next += taken;
    if (!st) st = pcs_reverse_run(d->segment.reverse, d->by, false);
    const float rate = 2.0f * (float)(STEPS - number) / STEPS / STEPS;
    for (size_t i = 0; i < d->segment.n_parts && !st; i++) {
        const pcs_segment_part *part = &d->segment.parts[i];
        const float *gradient = pcs_reverse_gradient(d->segment.reverse, part->value);
        stepping s = { matrix_of(d, part->tensor), gradient, rate * CODES_GO, rate * SCALES_GO, (size_t)part->first };
        if (s.gradient) pcs_for(ctx, part->rows, 4, step_rows, &s);
    }
    for (size_t i = 0; i < d->n && !st; i++) pcs_for(ctx, d->of[i].l->rows, 4, number_rows, &d->of[i]);
    return st;
}

static void decode_coded(const descent *d, const matrix *m)
{
    const uint8_t *bytes = d->g->w->coded[m->l->index].bytes;
    for (size_t r = 0; r < m->l->rows; r++)
        pcs_decode(m->f, m->l->n, bytes + r * pcs_row_bytes(m->f, m->l->n), m->numbers + r * m->l->n);
}

static void take_part(descent *d, float part)
{
    for (size_t i = 0; i < d->n; i++) {
        go(&d->of[i], part);
        pcs_for(d->g->w->ctx, d->of[i].l->rows, 4, number_rows, &d->of[i]);
    }
}

/* The part of the way that is best of those that are tried. */
static precis_status take_best(descent *d, double *least)
{
    static const float parts[] = { 1.0f, 0.5f, 0.25f };
    precis_status st = PRECIS_OK;
    size_t best = 0;
    for (size_t i = 0; i < d->n; i++) keep_last(&d->of[i]);
    for (size_t k = 0; k < sizeof parts / sizeof *parts && !st; k++) {
        double loss = 0;
        take_part(d, parts[k]);
        st = held_loss(d, &loss);
        if (!k || loss < *least) *least = loss, best = k;
    }
    take_part(d, parts[best]);
    return st;
}

static precis_status descend(descent *d)
{
    double before, after = 0;
    precis_status st = held_loss(d, &before);
    for (size_t i = 0; i < d->n && !st; i++) begin_scales(&d->of[i]);
    choose_windows(d, false);
    for (uint32_t i = 0; i < STEPS && !st; i++) st = step(d, i);
    if (!st) st = take_best(d, &after);
    for (size_t i = 0; i < d->n && !st; i++) {
        if (after < before) st = pack_matrix(d, &d->of[i]);
        else decode_coded(d, &d->of[i]);
        d->g->w->coded[d->of[i].l->index].method = after < before ? "round" : "gptq (round found nothing better)";
    }
    return st;
}

static precis_status open_matrix(gptq *g, matrix *m, pcs_latent *l)
{
    precis_ctx *ctx = g->w->ctx;
    *m = (matrix){ .l = l, .f = g->w->plan->rows[l->index].to };
    m->numbers = (float *)(uintptr_t)g->w->m->tensors[l->index].data;
    m->groups = m->f->head ? 1 : l->blocks * block_groups(m->f);
    m->a = pcs_alloc(ctx, 4 * l->rows * m->groups + 1, sizeof *m->a);
    if (!m->a) return PRECIS_ENOMEM;
    m->b = m->a + l->rows * m->groups;
    m->first_a = m->b + l->rows * m->groups;
    m->first_b = m->first_a + l->rows * m->groups;
    m->first_u = pcs_alloc(ctx, 2 * l->rows * l->n + 2 * l->rows * m->groups + 1, sizeof *m->first_u);
    m->last = m->first_u ? m->first_u + l->rows * l->n : NULL;
    return m->first_u ? PRECIS_OK : PRECIS_ENOMEM;
}

static precis_status open_descent(descent *d, gptq *g)
{
    precis_ctx *ctx = g->w->ctx;
    const size_t width = g->r->lm.width;
    d->g = g;
    d->most = g->samples.windows->longest > TOKENS ? g->samples.windows->longest : TOKENS;
    d->of = pcs_alloc(ctx, g->n_latents + 1, sizeof *d->of);
    d->order = pcs_alloc(ctx, g->samples.n + 1, sizeof *d->order);
    d->ids = pcs_alloc(ctx, 3 * (size_t)d->most, sizeof *d->ids);
    d->states = pcs_alloc(ctx, 3 * (size_t)d->most, width * sizeof *d->states);
    d->losses = pcs_alloc(ctx, d->most, sizeof *d->losses);
    if (!d->of || !d->order || !d->ids || !d->states || !d->losses) return PRECIS_ENOMEM;
    d->positions = d->ids + d->most;
    d->sequences = d->positions + d->most;
    d->target = d->states + d->most * width;
    d->by = d->target + d->most * width;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < g->n_latents && !st; i++) st = open_matrix(g, &d->of[d->n++], &g->latents[i]);
    return st;
}

static void close_descent(descent *d)
{
    precis_ctx *ctx = d->g->w->ctx;
    pcs_segment_close(&d->segment);
    for (size_t i = 0; i < d->n; i++) {
        pcs_free(ctx, d->of[i].a);
        pcs_free(ctx, d->of[i].first_u);
    }
    pcs_free(ctx, d->of);
    pcs_free(ctx, d->order);
    pcs_free(ctx, d->ids);
    pcs_free(ctx, d->states);
    pcs_free(ctx, d->losses);
}

static precis_status open_segment(descent *d, uint32_t number)
{
    const pcs_work *w = d->g->w;
    bool *wanted = pcs_alloc(w->ctx, w->m->n_tensors + 1, sizeof *wanted);
    if (!wanted) return PRECIS_ENOMEM;
    for (size_t i = 0; i < d->n; i++) wanted[d->of[i].l->index] = true;
    const pcs_segment_of of = { .m = w->m, .number = number, .longest = w->windows.longest, .most = d->most,
                                .arithmetic = d->g->r->program->arithmetic, .wanted = wanted };
    const precis_status st = pcs_segment_open(w->ctx, &d->segment, &of);
    pcs_free(w->ctx, wanted);
    return st;
}

/* A layer that no gradient passes through stays as GPTQ has it, where that is allowed. */
static precis_status after(gptq *g, const pcs_gptq_layer *l, uint32_t number)
{
    (void)l;
    descent d = { .segment = { .ctx = g->w->ctx } };
    if (!g->n_latents) return PRECIS_OK;
    d.seed = g->w->ctx->opt.seed ^ (0x5167726fu + number);
    precis_status st = open_descent(&d, g);
    if (!st) st = open_segment(&d, number);
    const bool left = st == PRECIS_EUNSUPPORTED && g->w->opt->fallback;
    for (size_t i = 0; i < d.n && left; i++) g->w->coded[d.of[i].l->index].method = "gptq (round: no gradient passes)";
    if (left) st = PRECIS_OK;
    else if (!st) st = descend(&d);
    close_descent(&d);
    return st;
}

typedef struct { gptq *g; const pcs_gptq_layer *l; float *states; } target;

static precis_status keep_target(void *user, const pcs_sample *at)
{
    const target *f = user;
    const size_t width = f->g->r->lm.width;
    const float *x = pcs_program_value(f->g->r->program, f->l->out);
    memcpy(f->states + at->first * width, x, (size_t)at->rows * width * sizeof *x);
    return PRECIS_OK;
}

/* What the layer makes where nothing is coded: its states lie after those of the coded net. */
static precis_status before(gptq *g, const pcs_gptq_layer *l)
{
    float *states = g->hidden + (size_t)g->samples.n_rows * g->r->lm.width;
    return pcs_gptq_run_to(g, l, states, l->to, keep_target, &(target){ g, l, states });
}

static const pcs_refiner refiner = { "round", before, after };

static precis_status apply(pcs_work *w) { return pcs_gptq_refined(w, &refiner); }

static const char *refuses(const pcs_format *f)
{
    if (f->kind != PCS_QUANT || (!f->pack && !f->pack_row) || f->encode)
        return "round moves weight by weight, and this type has no grid of single integers";
    return NULL;
}

const pcs_method pcs_method_round = {
    .name = "round", .kind = PCS_CODER, .apply = apply, .refuses = refuses, .uses_importance = true,
    .refines = "gptq", .learns = (uint64_t)STEPS * TOKENS, .does = PCS_MAKES_UP,
};
