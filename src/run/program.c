/* program.c - running a lowered graph. */
#include "run/program.h"

#include "base/pool.h"

void precis_program_close(precis_program **program)
{
    if (!program || !*program) return;
    precis_program *p = *program;
    precis_ctx *ctx = p->ctx;
    pcs_packing_close(p);
    for (size_t i = 0; i < p->n_owned; i++) pcs_free(ctx, p->owned[i]);
    for (size_t i = 0; i < p->n_kvs; i++) pcs_kv_close(ctx, &p->kvs[i]);
    pcs_free(ctx, p->owned);
    pcs_free(ctx, p->kvs);
    pcs_free(ctx, p->taps);
    pcs_free(ctx, p->steps);
    pcs_free(ctx, p->slots);
    pcs_free(ctx, p->buffer);
    pcs_free(ctx, p->scratch);
    pcs_free(ctx, p->watched);
    pcs_arena_free(&p->arena);
    pcs_free(ctx, p);
    *program = NULL;
}

void pcs_program_bind(precis_program *p, precis_value v, const void *data) { p->slots[v].data = (void *)(uintptr_t)data; }

void pcs_program_tap(precis_program *p, precis_value v, pcs_tap_fn *fn, void *user)
{
    p->taps[v].fn = fn;
    p->taps[v].user = user;
    p->tapped = false;
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step *s = &p->steps[i];
        s->tap = false;
        for (uint32_t k = 0; s->op && k < s->n_out; k++) s->tap |= p->taps[s->out[k]].fn != NULL;
        p->tapped |= s->tap;
    }
}

/* Room for n numbers of a tapped value that holds others. */
static precis_status watch_room(precis_program *p, precis_value v)
{
    const pcs_value *x = &p->slots[v].v;
    uint64_t n = 1;
    for (uint32_t i = 0; i < x->dims; i++)
        n *= (uint64_t)(x->shape[i] == PRECIS_DIM_TOKENS ? p->max_tokens : x->shape[i] == PRECIS_DIM_OUTPUTS ? p->max_outputs : x->shape[i]);
    if (x->dtype == PCS_F32 || n <= p->n_watched) return PRECIS_OK;
    float *grown = pcs_grow(p->ctx, p->watched, 0, n, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    p->watched = grown;
    p->n_watched = n;
    return PRECIS_OK;
}

/* A value as the numbers that a tap sees. */
static const float *as_numbers(precis_program *p, const pcs_arg *a)
{
    const uint64_t n = (uint64_t)pcs_arg_count(a);
    for (uint64_t i = 0; i < n && a->dtype != PCS_F32; i++)
        p->watched[i] = a->dtype == PCS_I8   ? (float)((const int8_t *)a->data)[i]
                        : a->dtype == PCS_U8 ? (float)((const uint8_t *)a->data)[i]
                                             : (float)((const int32_t *)a->data)[i];
    return a->dtype == PCS_F32 ? a->data : p->watched;
}

static void call_tap(precis_program *p, const pcs_step *s)
{
    for (uint32_t k = 0; k < s->n_out; k++) {
        const pcs_arg *a = &s->call.out[k];
        const precis_value v = s->out[k];
        if (p->taps[v].fn)
            p->taps[v].fn(p->taps[v].user, v, as_numbers(p, a), (uint64_t)pcs_arg_rows(a), (uint64_t)pcs_arg_width(a));
    }
}

static void quantize_act(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)pcs_arg_rows(&c->in[0]), k = (size_t)pcs_arg_width(&c->in[0]);
    uint64_t b, e;
    pcs_share(rows, 1, ith, nth, &b, &e);
    const pcs_act *a = c->out[0].data;
    if (b >= e) return;
    c->kernels->quantize_act(&(pcs_quantize_act_args){ c->in[0].data, k, b, e, *a });
    if (rows > PCS_FEW || c->tiles) pcs_act_interleave(a, pcs_chunks(k), rows, b, e);
}

static void region(void *arg, uint32_t ith, uint32_t nth)
{
    precis_program *p = arg;
    const bool one = p->tokens == 1 && p->outputs <= 1;
    for (size_t i = p->from; i < p->to; i++) {
        const pcs_step *s = &p->steps[i];
        if ((one ? s->barrier_one : s->barrier) && i > p->from) pcs_barrier(p->ctx, ith);
        if (s->op) s->eval(&s->call, ith, nth);
        else quantize_act(&s->call, ith, nth);
        if (s->tap) {
            pcs_barrier(p->ctx, ith);
            if (ith == 0) call_tap(p, s);
            pcs_barrier(p->ctx, ith);
        }
    }
}

precis_status pcs_program_run(precis_program *p, int64_t tokens, int64_t outputs) { return pcs_program_run_part(p, tokens, outputs, 0, p->n_steps); }

precis_status pcs_program_run_part(precis_program *p, int64_t tokens, int64_t outputs, size_t from, size_t to)
{
    p->from = from;
    p->to = to;
    p->tokens = tokens;
    p->outputs = outputs;
    for (size_t i = 0; i < p->n_slots; i++) {
        pcs_slot *s = &p->slots[i];
        if (!s->bytes) continue;
        s->data = p->buffer + s->offset;
        if (s->v.dtype != PCS_ACT) continue;
        int64_t rows = 1;
        for (uint32_t k = 0; k + 1 < s->v.dims; k++)
            rows *= s->v.shape[k] == PRECIS_DIM_TOKENS ? tokens : s->v.shape[k] == PRECIS_DIM_OUTPUTS ? outputs : s->v.shape[k];
        const size_t chunks = pcs_chunks((size_t)s->v.shape[s->v.dims - 1]);
        s->act = pcs_act_in(s->data, (size_t)rows, chunks);
    }
    for (size_t i = 0; i < p->graph->n_values; i++)
        if (p->slots[i].v.role == PCS_INPUT && !p->slots[i].data) return pcs_fail(p->ctx, PRECIS_EINVAL, "input %s has no data", p->slots[i].v.name);
    for (size_t i = 0; i < p->n_steps; i++) pcs_step_bind(p, &p->steps[i]);
    for (size_t i = 0; i < p->graph->n_values; i++)
        if (p->taps[i].fn && p->slots[i].v.role == PCS_INPUT && p->slots[i].v.dtype == PCS_F32) {
            pcs_arg a = { .dims = p->slots[i].v.dims };
            for (uint32_t k = 0; k < a.dims; k++) a.shape[k] = p->slots[i].v.shape[k] == PRECIS_DIM_TOKENS ? tokens : p->slots[i].v.shape[k];
            p->taps[i].fn(p->taps[i].user, (precis_value)i, p->slots[i].data, (uint64_t)pcs_arg_rows(&a), (uint64_t)pcs_arg_width(&a));
        }
    pcs_run(p->ctx, region, p);
    return PRECIS_OK;
}

const float *pcs_program_value(const precis_program *p, precis_value v) { return p->slots[p->slots[v].root].data; }

uint64_t pcs_program_bytes(const precis_program *p)
{
    return p->buffer_bytes + p->const_bytes + p->scratch_bytes * precis_ctx_threads(p->ctx);
}

const char *precis_arithmetic_name(precis_arithmetic a) { return a == PRECIS_REFERENCE ? "weights-only" : a == PRECIS_EMULATED ? "emulated" : "fast"; }

/* ---- public: graphs with fixed shapes -------------------------------------------------------- */

precis_status precis_program_open(precis_ctx *ctx, precis_program **out, precis_graph *g, precis_arithmetic arithmetic)
{
    *out = NULL;
    const precis_status st = precis_graph_verify(g);
    if (st) return st;
    for (size_t i = 0; i < g->n_values; i++)
        for (uint32_t k = 0; k < g->values[i].dims; k++)
            if (g->values[i].shape[k] < 0) return pcs_fail(ctx, PRECIS_EINVAL, "value %s has a symbolic dimension", g->values[i].name);
    return pcs_program_open(ctx, out, g, &(pcs_program_options){ .arithmetic = arithmetic, .max_tokens = 1, .max_outputs = 1, .context = 16, .sequences = 1,
                                                                 .k_type = "f32", .v_type = "f32", .keep_all = true });
}

precis_status precis_program_set_input(precis_program *p, precis_value v, const float *data)
{
    if (v < 0 || (size_t)v >= p->graph->n_values || p->graph->values[v].role != PCS_INPUT) return pcs_fail(p->ctx, PRECIS_EINVAL, "value %d is no input", v);
    pcs_program_bind(p, v, data);
    return PRECIS_OK;
}

precis_status precis_program_tap(precis_program *p, precis_value v, precis_tap_fn *fn, void *user)
{
    if (v < 0 || (size_t)v >= p->graph->n_values) return pcs_fail(p->ctx, PRECIS_EINVAL, "value %d does not exist", v);
    const pcs_dtype d = p->graph->values[v].dtype;
    if (d != PCS_F32 && d != PCS_I8 && d != PCS_U8 && d != PCS_I32)
        return pcs_fail(p->ctx, PRECIS_EUNSUPPORTED, "value %s holds no numbers that can be watched", p->graph->values[v].name);
    const precis_status st = watch_room(p, v);
    if (!st) pcs_program_tap(p, v, fn, user);
    return st;
}

precis_status precis_program_run(precis_program *p) { return pcs_program_run(p, 1, 1); }

const float *precis_program_get(const precis_program *p, precis_value v)
{
    if (v < 0 || (size_t)v >= p->graph->n_values || p->graph->values[v].dtype != PCS_F32) return NULL;
    return pcs_program_value(p, v);
}

size_t pcs_program_step_of(const precis_program *p, precis_value v)
{
    for (size_t i = 0; i < p->n_steps; i++)
        for (uint32_t k = 0; k < p->steps[i].n_out; k++)
            if (p->steps[i].out[k] == p->slots[v].root) return i;
    return p->n_steps;
}

size_t pcs_program_preamble(const precis_program *p)
{
    size_t n = 0;
    while (n < p->n_steps && strncmp(p->steps[n].name, "blk.", 4)) n++;
    return n;
}
