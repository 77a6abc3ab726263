/* reverse.c - the second step list, and its run. */
#include "run/reverse.h"

#include "base/pool.h"
#include "run/backend.h"
#include "run/layout.h"

/* What flows back to a value. */
typedef struct {
    bool needs;   /* something wanted lies after it, or it is wanted itself */
    bool reached; /* the loss lies before it */
    bool stays;   /* wanted: in memory of its own, until the next run */
    int32_t first, last; /* reverse steps that write it first, and read it */
    uint64_t count;      /* numbers, in the run that is bound */
    float *at;
} adjoint;

typedef struct {
    size_t step;  /* of the program */
    pcs_call call;
    pcs_grads grads;
    const float **out; /* by result */
    float **in;        /* by input */
    int32_t *fresh;    /* values whose adjoint begins here, from 0 */
    size_t n_fresh;
} back_step;

struct pcs_reverse {
    precis_ctx *ctx;
    precis_program *p;
    precis_value loss;
    pcs_arena arena;
    adjoint *of; /* by value of the program */
    size_t n;
    back_step *steps;
    size_t n_steps;
    char *buffer, *scratch;
    uint64_t buffer_bytes, stay_bytes;
    size_t scratch_bytes;
    bool add;
};

static precis_value by_reference(precis_graph *g, pcs_role role, const char *name, uint32_t dims, const int64_t *shape,
                                 const float *data)
{
    pcs_value v = { .name = name, .dtype = PCS_F32, .role = role, .dims = dims, .node = -1 };
    if (dims > PCS_GRAPH_DIMS) return pcs_graph_fail(g, PRECIS_EINVAL, "parameter %s: too many dimensions", name);
    for (uint32_t i = 0; i < dims; i++) {
        if (shape[i] < 1) return pcs_graph_fail(g, PRECIS_EINVAL, "parameter %s: dimension %u is not a size", name, i);
        v.shape[i] = shape[i];
    }
    v.store = pcs_store_rows(data, pcs_value_bytes(&v), PCS_KEPT_BY_CALLER); /* who made it says how many */
    return pcs_graph_add_value(g, &v);
}

precis_value pcs_graph_parameter(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape,
                                 const float *data)
{
    return by_reference(g, PCS_PARAMETER, name, dims, shape, data);
}

precis_value pcs_graph_fixed(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape, const float *data)
{
    return by_reference(g, PCS_CONSTANT, name, dims, shape, data);
}

/* ---- the way ---------------------------------------------------------------------------------- */

static bool has_way(const pcs_reverse *r, const pcs_step *s)
{
    bool needs = false, reached = false;
    for (uint32_t i = 0; i < s->n_in; i++) needs |= r->of[s->in[i]].needs;
    for (uint32_t i = 0; i < s->n_out; i++) reached |= r->of[s->out[i]].reached;
    return needs && reached;
}

static precis_status mark(pcs_reverse *r, const precis_value *more, size_t n)
{
    const precis_program *p = r->p;
    for (size_t i = 0; i < r->n; i++) r->of[i].needs = r->of[i].stays = p->slots[i].v.role == PCS_PARAMETER;
    for (size_t i = 0; i < n; i++) {
        if (more[i] < 0 || (size_t)more[i] >= r->n || p->slots[more[i]].v.dtype != PCS_F32)
            return pcs_fail(r->ctx, PRECIS_EINVAL, "value %d has no gradient: it is not f32", more[i]);
        r->of[more[i]].needs = r->of[more[i]].stays = true;
    }
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        bool needs = false;
        for (uint32_t k = 0; k < s->n_in; k++) needs |= r->of[s->in[k]].needs;
        for (uint32_t k = 0; k < s->n_out; k++)
            r->of[s->out[k]].needs |= needs && p->slots[s->out[k]].v.dtype == PCS_F32;
    }
    r->of[r->loss].reached = true;
    for (size_t i = p->n_steps; i-- > 0;) {
        const pcs_step *s = &p->steps[i];
        if (!has_way(r, s)) continue;
        if (!s->op || !s->op->backward)
            return pcs_fail(r->ctx, PRECIS_EUNSUPPORTED, "node %s: a gradient cannot pass through %s: %s", s->name,
                            s->op ? s->op->name : "int8 activations",
                            s->op ? s->op->not_differentiable : "open the program with the reference lowering");
        for (uint32_t k = 0; k < s->n_in; k++) r->of[s->in[k]].reached |= r->of[s->in[k]].needs;
    }
    return PRECIS_OK;
}

/* ---- steps ------------------------------------------------------------------------------------ */

/* A value's adjoint begins in reverse step `at`, if it has not begun. */
static void begin_at(pcs_reverse *r, back_step *b, int32_t v, int32_t at)
{
    adjoint *a = &r->of[v];
    if (a->first < 0) {
        a->first = at;
        if (!a->stays) b->fresh[b->n_fresh++] = v;
    }
    if (a->last < at) a->last = at;
}

static precis_status add_step(pcs_reverse *r, size_t index)
{
    const pcs_step *s = &r->p->steps[index];
    back_step *b = &r->steps[r->n_steps];
    const int32_t at = (int32_t)r->n_steps++;
    *b = (back_step){ .step = index };
    b->out = pcs_arena_alloc(&r->arena, s->n_out, sizeof *b->out);
    b->in = pcs_arena_alloc(&r->arena, s->n_in, sizeof *b->in);
    b->fresh = pcs_arena_alloc(&r->arena, s->n_in + s->n_out, sizeof *b->fresh);
    if (!b->out || !b->in || !b->fresh) return PRECIS_ENOMEM;
    for (uint32_t k = 0; k < s->n_out; k++)
        if (r->of[s->out[k]].reached) begin_at(r, b, s->out[k], at);
    for (uint32_t k = 0; k < s->n_in; k++)
        if (r->of[s->in[k]].needs) begin_at(r, b, s->in[k], at);
    b->grads = (pcs_grads){ b->out, b->in };
    return PRECIS_OK;
}

static precis_status make_back_steps(pcs_reverse *r)
{
    const precis_program *p = r->p;
    r->steps = pcs_alloc(r->ctx, p->n_steps + 1, sizeof *r->steps);
    if (!r->steps) return PRECIS_ENOMEM;
    for (size_t i = 0; i < r->n; i++) r->of[i].first = r->of[i].last = -1;
    precis_status st = PRECIS_OK;
    for (size_t i = p->n_steps; i-- > 0 && !st;)
        if (has_way(r, &p->steps[i])) st = add_step(r, i);
    if (!st && !r->n_steps)
        st = pcs_fail(r->ctx, PRECIS_EINVAL, "value %s: no parameter leads to it", p->slots[r->loss].v.name);
    return st;
}

precis_status pcs_reverse_open(precis_ctx *ctx, pcs_reverse **out, precis_program *p, precis_value loss,
                               const precis_value *more, size_t n)
{
    *out = NULL;
    if (!p->keep_all || !p->backend->host)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                        "gradients need a program that keeps all values in the host's memory");
    if (loss < 0 || (size_t)loss >= p->n_slots || p->slots[loss].v.dtype != PCS_F32)
        return pcs_fail(ctx, PRECIS_EINVAL, "value %d is no loss: it is not f32", loss);
    pcs_reverse *r = pcs_alloc(ctx, 1, sizeof *r);
    if (!r) return PRECIS_ENOMEM;
    *r = (pcs_reverse){ .ctx = ctx, .p = p, .loss = loss, .n = p->n_slots };
    pcs_arena_init(&r->arena, ctx);
    r->of = pcs_alloc(ctx, r->n + 1, sizeof *r->of);
    precis_status st = r->of ? mark(r, more, n) : PRECIS_ENOMEM;
    if (!st) st = make_back_steps(r);
    if (st) pcs_reverse_close(&r);
    *out = r;
    return st;
}

void pcs_reverse_close(pcs_reverse **reverse)
{
    if (!reverse || !*reverse) return;
    pcs_reverse *r = *reverse;
    for (size_t i = 0; r->of && i < r->n; i++)
        if (r->of[i].stays) pcs_free(r->ctx, r->of[i].at);
    pcs_free(r->ctx, r->of);
    pcs_free(r->ctx, r->steps);
    pcs_free(r->ctx, r->buffer);
    pcs_free(r->ctx, r->scratch);
    pcs_arena_free(&r->arena);
    pcs_free(r->ctx, r);
    *reverse = NULL;
}

/* ---- memory, for the sizes of a run ------------------------------------------------------------ */

static uint64_t numbers_of(const precis_program *p, size_t v)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < p->slots[v].v.dims; i++) n *= (uint64_t)pcs_program_extent(p, p->slots[v].v.shape[i]);
    return n;
}

static uint64_t adjoint_bytes(uint64_t count) { return (count * sizeof(float) + 64 + 63) / 64 * 64; }

/* Gradients that stay grow when a size does, and are never smaller. */
static precis_status make_staying(pcs_reverse *r, adjoint *a, uint64_t count)
{
    if (a->at && count <= a->count) return PRECIS_OK;
    float *grown = pcs_alloc(r->ctx, adjoint_bytes(count), 1);
    if (!grown) return PRECIS_ENOMEM;
    memset(grown, 0, adjoint_bytes(count));
    pcs_free(r->ctx, a->at);
    r->stay_bytes += adjoint_bytes(count) - (a->at ? adjoint_bytes(a->count) : 0);
    a->at = grown;
    return PRECIS_OK;
}

static precis_status place_adjoints(pcs_reverse *r)
{
    pcs_span *spans = pcs_alloc(r->ctx, r->n + 1, sizeof *spans);
    if (!spans) return PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const adjoint *a = &r->of[i];
        if (a->first < 0 || a->stays) continue;
        const uint64_t bytes = adjoint_bytes(a->count);
        spans[n++] = (pcs_span){ .bytes = bytes, .first = a->first, .last = a->last, .id = (int32_t)i };
    }
    uint64_t bytes;
    if (pcs_lay_out(r->ctx, spans, n, false, &bytes)) return pcs_free(r->ctx, spans), PRECIS_ENOMEM;
    char *buffer = bytes > r->buffer_bytes || !r->buffer ? pcs_alloc(r->ctx, bytes + 64, 1) : r->buffer;
    if (buffer && buffer != r->buffer) {
        pcs_free(r->ctx, r->buffer);
        r->buffer = buffer;
        r->buffer_bytes = bytes;
    }
    for (size_t i = 0; i < n && buffer; i++) r->of[spans[i].id].at = (float *)(r->buffer + spans[i].offset);
    pcs_free(r->ctx, spans);
    return buffer ? PRECIS_OK : PRECIS_ENOMEM;
}

/* Adjoints for the sizes of the run that was made; a plan holds while they stay. */
static precis_status plan(pcs_reverse *r)
{
    precis_status st = PRECIS_OK;
    bool changed = false;
    for (size_t i = 0; i < r->n && !st; i++) {
        adjoint *a = &r->of[i];
        if (a->first < 0) continue;
        const uint64_t count = numbers_of(r->p, i);
        changed |= count != a->count || !a->at;
        if (a->stays) st = make_staying(r, a, count);
        a->count = count;
    }
    return st || !changed ? st : place_adjoints(r);
}

static precis_status bind_back(pcs_reverse *r)
{
    size_t most = 0;
    for (size_t i = 0; i < r->n_steps; i++) {
        back_step *b = &r->steps[i];
        const pcs_step *s = &r->p->steps[b->step];
        b->call = s->call;
        for (uint32_t k = 0; k < s->n_out; k++) b->out[k] = r->of[s->out[k]].reached ? r->of[s->out[k]].at : NULL;
        for (uint32_t k = 0; k < s->n_in; k++) b->in[k] = r->of[s->in[k]].needs ? r->of[s->in[k]].at : NULL;
        const size_t need = s->op->scratch_back ? s->op->scratch_back(&b->call) : 0;
        most = need > most ? need : most;
    }
    const uint32_t threads = precis_ctx_threads(r->ctx);
    most = (most + 127) / 64 * 64;
    if (most > r->scratch_bytes || !r->scratch) {
        char *grown = pcs_alloc(r->ctx, most * threads, 1);
        if (!grown) return PRECIS_ENOMEM;
        pcs_free(r->ctx, r->scratch);
        r->scratch = grown;
        r->scratch_bytes = most;
    }
    for (size_t i = 0; i < r->n_steps; i++)
        r->steps[i].call.scratch = r->scratch, r->steps[i].call.scratch_size = r->scratch_bytes;
    return PRECIS_OK;
}

/* ---- the run ----------------------------------------------------------------------------------- */

static void region(void *arg, uint32_t ith, uint32_t nth)
{
    pcs_reverse *r = arg;
    for (size_t i = 0; i < r->n_steps; i++) {
        back_step *b = &r->steps[i];
        for (size_t k = 0; k < b->n_fresh; k++) {
            const adjoint *a = &r->of[b->fresh[k]];
            uint64_t begin, end;
            pcs_share(a->count, 64, ith, nth, &begin, &end);
            if (b->fresh[k] != r->loss) memset(a->at + begin, 0, (end - begin) * sizeof *a->at);
        }
        pcs_barrier(r->ctx, ith);
        r->p->steps[b->step].op->backward(&b->call, &b->grads, ith, nth);
        pcs_barrier(r->ctx, ith);
    }
}

precis_status pcs_reverse_run(pcs_reverse *r, const float *seed, bool add)
{
    precis_status st = plan(r);
    if (!st) st = bind_back(r);
    if (st) return st;
    for (size_t i = 0; i < r->n && !add; i++) {
        const adjoint *a = &r->of[i];
        if (a->stays && a->first >= 0) memset(a->at, 0, a->count * sizeof *a->at);
    }
    adjoint *loss = &r->of[r->loss];
    for (uint64_t i = 0; i < loss->count; i++) loss->at[i] = seed ? seed[i] : 1.0f;
    pcs_run(r->ctx, region, r);
    return PRECIS_OK;
}

const float *pcs_reverse_gradient(const pcs_reverse *r, precis_value v)
{
    return v >= 0 && (size_t)v < r->n && r->of[v].stays && r->of[v].first >= 0 ? r->of[v].at : NULL;
}

uint64_t pcs_reverse_bytes(const pcs_reverse *r)
{
    return r->buffer_bytes + r->stay_bytes + (uint64_t)r->scratch_bytes * precis_ctx_threads(r->ctx);
}
