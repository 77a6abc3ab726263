/* curvature.c - forward, a drawn token, backward, and one product for each alternative of each tensor. */
#include "measure/curvature.h"

#include "base/fmath.h"
#include "base/pool.h"
#include "graph/arch.h"
#include "model/finite.h"
#include "run/reverse.h"

#include <math.h>

enum { OPERANDS = 8 }; /* of an op that multiplies by weights, at most */

/* A node that reads rows of a tensor: all of them, or, of a fused one, from `first` on. */
typedef struct {
    size_t step;      /* of the program */
    uint32_t operand; /* the weights */
    const pcs_tensor *tensor;
    uint64_t first, rows;
} reader;

struct pcs_curvature {
    precis_ctx *ctx;
    const precis_model *m;
    precis_graph *graph;
    pcs_lm lm;
    precis_program *program;
    pcs_reverse *reverse;
    reader *readers;
    size_t n_readers;
    uint32_t longest;
    float *seed;     /* [outputs][vocabulary]: gradient of -log p of the drawn tokens */
    float *numbers;  /* of the largest tensor's rows */
    float *result;   /* of a node, the largest */
    uint64_t most_result;
};

/* ---- opening ------------------------------------------------------------------------------------------------- */

/* The tensor whose bytes a stored value has, from `offset` on; NULL: none of the model's. */
static const pcs_tensor *tensor_at(const precis_model *m, const pcs_value *v, uint64_t *offset)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        if (t->format == v->format && pcs_value_within(v, t->data, t->bytes, offset)) return t;
    }
    return NULL;
}

static uint32_t weight_operand(const pcs_op *op) { return op->weight ? op->weight : op->reads_stored; }

static precis_status find_readers(pcs_curvature *c, precis_value *results)
{
    const precis_program *p = c->program;
    c->readers = pcs_alloc(c->ctx, p->n_steps + 1, sizeof *c->readers);
    if (!c->readers) return PRECIS_ENOMEM;
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        const uint32_t operand = s->op ? weight_operand(s->op) : 0;
        if (!operand || operand >= s->n_in || s->n_in > OPERANDS) continue;
        const pcs_value *v = &p->slots[s->in[operand]].v;
        if (v->dtype != PCS_STORED) continue;
        uint64_t offset;
        const pcs_tensor *t = tensor_at(c->m, v, &offset);
        if (!t) continue;
        uint64_t rows = 1;
        for (uint32_t d = 0; d + 1 < v->dims; d++) rows *= (uint64_t)v->shape[d];
        const uint64_t first = offset / pcs_tensor_row_bytes(t);
        results[c->n_readers] = s->out[0];
        c->readers[c->n_readers++] = (reader){ i, operand, t, first, rows };
    }
    return PRECIS_OK;
}

static precis_status open_arrays(pcs_curvature *c)
{
    uint64_t most = 0;
    for (size_t i = 0; i < c->m->n_tensors; i++) most = c->m->tensors[i].n > most ? c->m->tensors[i].n : most;
    c->seed = pcs_alloc(c->ctx, c->longest, c->lm.vocabulary * sizeof *c->seed);
    c->numbers = pcs_alloc(c->ctx, most + 64, sizeof *c->numbers);
    return c->seed && c->numbers ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_curvature_open(precis_ctx *ctx, pcs_curvature **out, const precis_model *m, uint32_t longest)
{
    *out = NULL;
    pcs_curvature *c = pcs_alloc(ctx, 1, sizeof *c);
    if (!c) return PRECIS_ENOMEM;
    *c = (pcs_curvature){ .ctx = ctx, .m = m, .longest = longest };
    c->lm.whole = true;
    c->lm.most_rows = c->lm.most_wanted = c->lm.wanted_context = longest;
    precis_status st = pcs_arch_build(m, &c->graph, &c->lm);
    if (!st && c->lm.encoder) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: an encoder has no next tokens", m->path);
    const pcs_program_options o = { .arithmetic = PRECIS_REFERENCE, .context = longest, .sequences = 1,
                                    .k_type = "f32", .v_type = "f32", .keep_all = true };
    if (!st) st = pcs_program_open(ctx, &c->program, c->graph, &o);
    precis_value *results = st ? NULL : pcs_alloc(ctx, c->program->n_steps + 1, sizeof *results);
    if (!st && !results) st = PRECIS_ENOMEM;
    if (!st) st = find_readers(c, results);
    if (!st && !c->n_readers) st = pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: its weights are packed", m->path);
    if (!st) st = pcs_reverse_open(ctx, &c->reverse, c->program, c->lm.logits, results, c->n_readers);
    if (!st) st = open_arrays(c);
    pcs_free(ctx, results);
    if (st) pcs_curvature_close(&c);
    *out = c;
    return st;
}

void pcs_curvature_close(pcs_curvature **curvature)
{
    if (!*curvature) return;
    pcs_curvature *c = *curvature;
    precis_ctx *ctx = c->ctx;
    pcs_reverse_close(&c->reverse);
    precis_program_close(&c->program);
    precis_graph_close(&c->graph);
    pcs_free(ctx, c->readers);
    pcs_free(ctx, c->seed);
    pcs_free(ctx, c->numbers);
    pcs_free(ctx, c->result);
    pcs_free(ctx, c);
    *curvature = NULL;
}

uint64_t pcs_curvature_bytes(const pcs_curvature *c)
{
    return pcs_program_bytes(c->program) + pcs_reverse_bytes(c->reverse);
}

/* ---- one window ------------------------------------------------------------------------------------------------ */

/* The gradient of -log p(y) by logits, y drawn by u in [0, 1). */
static void draw_token(const float *logits, size_t n, double u, float *gradient)
{
    float top = logits[0];
    for (size_t i = 1; i < n; i++) top = logits[i] > top ? logits[i] : top;
    double sum = 0, part = 0;
    for (size_t i = 0; i < n; i++) sum += (double)(gradient[i] = pcs_expf(logits[i] - top));
    size_t y = n - 1;
    for (size_t i = 0; i < n; i++) {
        part += (double)gradient[i];
        if (part > u * sum && y == n - 1) y = i;
        gradient[i] = (float)((double)gradient[i] / sum);
    }
    gradient[y] -= 1;
}

/* Of a sample that has run: gradients of what is drawn at each of its `scored` positions. */
static precis_status gradients(pcs_curvature *c, size_t scored, uint64_t *seed)
{
    precis_program *p = c->program;
    const float *logits = pcs_program_value(p, c->lm.logits);
    const size_t v = c->lm.vocabulary;
    for (size_t i = 0; i < scored; i++) draw_token(logits + i * v, v, pcs_rand_unit(seed), c->seed + i * v);
    return pcs_reverse_run(c->reverse, c->seed, false);
}

typedef struct {
    const pcs_curvature *c;
    const reader *by;
    const pcs_alternative *a;
    const pcs_call *call;
} product;

/* Rows that a node reads. */
static void decode_rows(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    (void)ith;
    const product *w = arg;
    const size_t k = (size_t)w->by->tensor->ne[0];
    const uint64_t bytes = pcs_row_bytes(w->a->f, k);
    for (uint64_t r = begin; r < end; r++)
        pcs_decode(w->a->f, k, w->a->bytes + (w->by->first + r) * bytes, w->c->numbers + r * k);
}

static void multiply(void *arg, uint32_t ith, uint32_t nth)
{
    const product *w = arg;
    w->c->program->steps[w->by->step].op->eval(w->call, ith, nth);
}

/* What an alternative changes in a node's result, along its gradient: the sum of squares over rows, and the sum. The
 * result is computed anew and the one that there is taken off: weights of 6 bits change a hundredth of it, so that 7 of
 * 24 bits are lost, and the tensor as it was need not be unpacked for each of its types. */
static void change_of(pcs_curvature *c, const reader *by, const pcs_alternative *a, double *squares, double *sum)
{
    const pcs_step *s = &c->program->steps[by->step];
    const pcs_arg *out = &s->call.out[0];
    pcs_arg in[OPERANDS], result = *out;
    memcpy(in, s->call.in, s->n_in * sizeof *in);
    in[by->operand].format = &pcs_format_f32; /* the step has no room to unpack others in */
    in[by->operand].data = c->numbers;
    in[by->operand].panels = NULL;
    result.data = c->result;
    pcs_call call = s->call;
    call.in = in;
    call.out = &result;
    product w = { c, by, a, &call };
    pcs_for(c->ctx, by->rows, 16, decode_rows, &w);
    pcs_run(c->ctx, multiply, &w);
    const float *g = pcs_reverse_gradient(c->reverse, s->out[0]), *was = out->data;
    const size_t rows = (size_t)out->shape[0], width = (size_t)(pcs_arg_count(out) / out->shape[0]);
    *squares = *sum = 0;
    for (size_t t = 0; t < rows && g; t++) {
        double along = 0;
        const float *y = c->result + t * width, *x = was + t * width;
        for (size_t i = 0; i < width; i++) along += (double)g[t * width + i] * ((double)y[i] - (double)x[i]);
        *squares += along * along;
        *sum += along;
    }
}

static precis_status room(pcs_curvature *c)
{
    uint64_t most = 0;
    for (size_t i = 0; i < c->n_readers; i++) {
        const uint64_t n = (uint64_t)pcs_arg_count(&c->program->steps[c->readers[i].step].call.out[0]);
        most = n > most ? n : most;
    }
    if (most <= c->most_result) return PRECIS_OK;
    pcs_free(c->ctx, c->result);
    c->result = pcs_alloc(c->ctx, most + 64, sizeof *c->result);
    c->most_result = c->result ? most : 0;
    return c->result ? PRECIS_OK : PRECIS_ENOMEM;
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

/* squared: of windows; together: of windows' sums */
typedef struct { double squares, squared, together, scored; } totals;

/* Errors of one tensor that tokens share (a shift of all keys, say) cancel or add up where the squares of tokens do not
 * see it; the squares of whole windows do, with the noise of a chi-square of as many degrees of freedom as there are
 * windows. What is more than that noise is taken (James and Stein 1961, the positive part). */
static double shared(const totals *t, size_t windows)
{
    if (!(t->squares > 0) || !(t->together > 0) || windows < 4) return 1;
    const double ratio = log(t->together / t->squares), noise = 2.0 / (double)windows;
    const double kept = 1 - noise / (ratio * ratio);
    return kept > 0 ? exp(ratio * kept) : 1;
}

static void finish(pcs_alternative *a, const totals *t, size_t windows)
{
    if (!windows || !(t->scored > 0)) return;
    const double n = (double)windows, mean = t->squares / n, var = t->squared / n - mean * mean;
    a->kld = 0.5 * t->squares / t->scored * shared(t, windows);
    a->se = mean > 0 && n > 1 && var > 0 ? a->kld / mean * sqrt(var / (n - 1)) : a->kld;
}

typedef struct {
    pcs_curvature *c;
    pcs_alternative *list;
    totals *all;
    size_t n, used; /* alternatives; samples */
    const pcs_curvature_work *work;
    uint64_t seed;
} summing;

static void add_sample(const summing *s, size_t i, double scored)
{
    const pcs_curvature *c = s->c;
    double squares = 0, sum = 0;
    for (size_t r = 0; r < c->n_readers; r++) {
        double own, own_sum;
        if (c->readers[r].tensor != s->list[i].tensor) continue;
        change_of(s->c, &c->readers[r], &s->list[i], &own, &own_sum);
        squares += own;
        sum += own_sum;
    }
    totals *t = &s->all[i];
    t->squares += squares;
    t->squared += squares * squares;
    t->together += sum * sum;
    t->scored += scored;
}

static precis_status add_all(void *user, const pcs_sample *at)
{
    summing *s = user;
    if (at->rows < 4) return PRECIS_OK; /* its second half says nothing */
    precis_status st = gradients(s->c, (size_t)at->wanted, &s->seed);
    if (!st) st = room(s->c);
    for (size_t i = 0; i < s->n && !st; i++) add_sample(s, i, (double)at->wanted);
    s->used++;
    return !st && s->work->step ? s->work->step(s->work->user) : st;
}

precis_status pcs_curvature_run(pcs_curvature *c, const pcs_windows *windows, pcs_alternative *list, size_t n,
                                const pcs_curvature_work *work)
{
    pcs_samples samples = { .ctx = c->ctx };
    summing s = { .c = c, .list = list, .n = n, .work = work, .seed = work->seed };
    s.all = pcs_alloc(c->ctx, n + 1, sizeof *s.all);
    precis_status st = s.all ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_samples_of_windows(c->ctx, &samples, windows, PCS_WANT_SECOND_HALF, 1);
    if (!st) pcs_samples_cut(&samples, c->longest);
    const pcs_samples_pass pass = { .on = { .program = c->program, .lm = &c->lm }, .after = add_all, .user = &s };
    if (!st) st = pcs_samples_run(&samples, &pass);
    if (!st && !s.used)
        st = pcs_fail(c->ctx, PRECIS_EUNSUPPORTED, "the calibration text has too few tokens in one piece (%u at the "
                      "most) to tell what a tensor costs", windows->longest);
    for (size_t i = 0; i < n && !st; i++) finish(&list[i], &s.all[i], s.used);
    pcs_samples_close(&samples);
    pcs_free(c->ctx, s.all);
    return st;
}
