/* program.c - running a lowered graph. */
#include "run/backend.h"

void precis_program_close(precis_program **program)
{
    if (!program || !*program) return;
    precis_program *p = *program;
    precis_ctx *ctx = p->ctx;
    pcs_packing_close(p);
    pcs_program_release(p);
    for (size_t i = 0; i < p->n_owned; i++) pcs_free(ctx, p->owned[i]);
    pcs_pages_close(&p->pages);
    pcs_free(ctx, p->owned);
    pcs_free(ctx, p->kvs);
    pcs_free(ctx, p->taps);
    pcs_free(ctx, p->steps);
    pcs_free(ctx, p->claims);
    pcs_free(ctx, p->slots);
    p->backend->heap.release(ctx, p->buffer, p->buffer_bytes);
    p->backend->heap.release(ctx, p->scratch, p->scratch_bytes);
    pcs_free(ctx, p->watched);
    for (size_t i = 0; i < p->n_plans; i++) pcs_plan_close(ctx, p->plans[i]);
    pcs_free(ctx, p->plans);
    pcs_free(ctx, p->sizes);
    pcs_free(ctx, p->planning);
    pcs_arena_free(&p->arena);
    pcs_free(ctx, p);
    *program = NULL;
}

void pcs_program_bind(precis_program *p, precis_value v, const void *data)
{
    pcs_slot *s = &p->slots[v];
    if (s->v.role == PCS_INPUT) s->given = data;
    else s->data = (void *)(uintptr_t)data;
}

void pcs_program_tap(precis_program *p, precis_value v, pcs_tap_fn *fn, void *user)
{
    p->taps[v].fn = fn;
    p->taps[v].user = user;
    pcs_program_set_taps(p, p->taps);
}

void pcs_program_set_taps(precis_program *p, pcs_tap *taps)
{
    p->taps = taps;
    p->tapped = false;
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step *s = &p->steps[i];
        s->tap = false;
        for (uint32_t k = 0; s->op && k < s->n_out; k++) s->tap |= p->taps[s->out[k]].fn != NULL;
        p->tapped |= s->tap;
    }
}

/* Room for the numbers of tapped values that hold others, in this run. */
static precis_status watch_room(precis_program *p)
{
    uint64_t most = 0;
    if (!p->tapped) return PRECIS_OK; /* as of every token that is only run */
    for (size_t v = 0; v < p->graph->n_values; v++) {
        const pcs_value *x = &p->slots[v].v;
        uint64_t n = p->taps[v].fn && x->dtype != PCS_F32;
        for (uint32_t i = 0; i < x->dims && n; i++) n *= (uint64_t)pcs_program_extent(p, x->shape[i]);
        if (n > most) most = n;
    }
    if (most <= p->n_watched) return PRECIS_OK;
    float *grown = pcs_grow(p->ctx, p->watched, 0, most, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    p->watched = grown;
    p->n_watched = most;
    return PRECIS_OK;
}

/* A value, in the host's memory, as the numbers that a tap sees. */
static const float *as_numbers(precis_program *p, const pcs_arg *a, const void *host)
{
    const uint64_t n = (uint64_t)pcs_arg_count(a);
    for (uint64_t i = 0; i < n && a->dtype != PCS_F32; i++)
        p->watched[i] = a->dtype == PCS_I8   ? (float)((const int8_t *)host)[i]
                        : a->dtype == PCS_U8 ? (float)((const uint8_t *)host)[i]
                                             : (float)((const int32_t *)host)[i];
    return a->dtype == PCS_F32 ? host : p->watched;
}

void pcs_program_call_tap(precis_program *p, const pcs_step *s)
{
    for (uint32_t k = 0; k < s->n_out; k++) {
        const pcs_arg *a = &s->call.out[k];
        const precis_value v = s->out[k];
        const void *host = p->taps[v].fn ? pcs_program_value(p, v) : NULL;
        const uint64_t rows = (uint64_t)pcs_arg_rows(a), width = (uint64_t)pcs_arg_width(a);
        if (host) p->taps[v].fn(p->taps[v].user, v, as_numbers(p, a, host), rows, width);
    }
}

/* A backend with memory of its own stops after each step that somebody watches. */
static precis_status run_between_taps(precis_program *p)
{
    const size_t from = p->from, to = p->to;
    precis_status st = PRECIS_OK;
    for (size_t i = from; i < to && !st; i = p->to) {
        p->from = i;
        for (p->to = i + 1; p->to < to && !p->steps[p->to - 1].tap;) p->to++;
        st = p->backend->run(p);
        if (!st && p->steps[p->to - 1].tap) pcs_program_call_tap(p, &p->steps[p->to - 1]);
    }
    p->from = from;
    p->to = to;
    return st;
}

precis_status pcs_program_size(precis_program *p, int64_t symbol, int64_t size)
{
    const int64_t i = symbol - PCS_DIM_FIRST;
    if (!pcs_dim_is_id(symbol) || i < 0 || i >= (int64_t)p->graph->n_dims || p->graph->dims[i].kind != PCS_DIM_SYMBOL)
        return pcs_fail(p->ctx, PRECIS_EINVAL, "dimension %lld is no symbol", (long long)symbol);
    const pcs_dim *d = &p->graph->dims[i];
    if (size < 0 || (d->most && size > d->most) || size > (int64_t)1 << 48)
        return pcs_fail(p->ctx, PRECIS_EINVAL, "dimension %s: a size of %lld, at most %lld", d->name, (long long)size,
                        (long long)d->most);
    p->sizes[i] = size;
    return PRECIS_OK;
}

/* Slots at their places for this run. */
static void bind_slots(precis_program *p)
{
    for (size_t i = 0; i < p->n_slots; i++) {
        pcs_slot *s = &p->slots[i];
        if (!s->bytes) continue;
        s->data = p->buffer + s->offset;
        if (s->v.dtype != PCS_ACT && s->v.dtype != PCS_ACT_MIXED) continue;
        int64_t rows = 1;
        for (uint32_t k = 0; k + 1 < s->v.dims; k++) rows *= pcs_program_extent(p, s->v.shape[k]);
        s->act = pcs_act_in(s->data, (size_t)rows, pcs_chunks((size_t)s->v.shape[s->v.dims - 1]));
    }
}

/* Taps on inputs see them before the first step. */
static void tap_inputs(precis_program *p)
{
    for (size_t i = 0; i < p->graph->n_values; i++) {
        const pcs_value *v = &p->slots[i].v;
        if (!p->taps[i].fn || v->role != PCS_INPUT || v->dtype != PCS_F32) continue;
        pcs_arg a = { .dims = v->dims };
        for (uint32_t k = 0; k < a.dims; k++) a.shape[k] = pcs_program_extent(p, v->shape[k]);
        const uint64_t rows = (uint64_t)pcs_arg_rows(&a), width = (uint64_t)pcs_arg_width(&a);
        p->taps[i].fn(p->taps[i].user, (precis_value)i, p->slots[i].given, rows, width);
    }
}

precis_status pcs_program_run(precis_program *p) { return pcs_program_run_part(p, 0, p->n_steps); }

precis_status pcs_program_run_again(precis_program *p)
{
    p->again = p->keep_all;
    const precis_status st = pcs_program_run(p);
    p->again = false;
    return st;
}

precis_status pcs_program_run_part(precis_program *p, size_t from, size_t to)
{
    p->from = from;
    p->to = to;
    p->one = true;
    for (size_t i = 0; i < p->graph->n_dims; i++) {
        const pcs_dim *d = &p->graph->dims[i];
        if (d->kind != PCS_DIM_SYMBOL) continue;
        if (p->sizes[i] < 0) return pcs_fail(p->ctx, PRECIS_EINVAL, "dimension %s has no size yet", d->name);
        p->one = p->one && p->sizes[i] <= 1;
    }
    precis_status st = pcs_program_plan(p);
    if (!st) st = watch_room(p);
    if (st) return st;
    bind_slots(p);
    if ((st = pcs_program_give(p))) return st;
    for (size_t i = 0; i < p->n_steps; i++) pcs_step_bind(p, &p->steps[i]);
    tap_inputs(p);
    st = p->backend->host ? p->backend->run(p) : run_between_taps(p);
    for (size_t i = from; i < to && !st; i++)
        if (p->steps[i].outside) {
            p->steps[i].outside = 0;
            st = pcs_step_refuse(p, p->steps[i].name, p->steps[i].op);
        }
    return st;
}

uint64_t pcs_program_bytes(const precis_program *p)
{
    return p->buffer_bytes + p->const_bytes + p->scratch_bytes;
}

const char *precis_arithmetic_name(precis_arithmetic a)
{
    static const char *const names[] = { "fast", "weights-only", "emulated", "bf16", "mixed", "int8",
                                         "own", "auto" };
    return a >= PRECIS_FAST && a <= PRECIS_AUTO ? names[a] : NULL;
}

/* ---- public ----------------------------------------------------------------------------------- */

precis_status precis_program_set_size(precis_program *p, int64_t symbol, int64_t size)
{
    return pcs_program_size(p, symbol, size);
}

precis_status precis_program_set_input(precis_program *p, precis_value v, const float *data)
{
    if (v < 0 || (size_t)v >= p->graph->n_values || p->graph->values[v].role != PCS_INPUT)
        return pcs_fail(p->ctx, PRECIS_EINVAL, "value %d is no input", v);
    pcs_program_bind(p, v, data);
    return PRECIS_OK;
}

precis_status precis_program_tap(precis_program *p, precis_value v, precis_tap_fn *fn, void *user)
{
    if (v < 0 || (size_t)v >= p->graph->n_values) return pcs_fail(p->ctx, PRECIS_EINVAL, "value %d does not exist", v);
    const pcs_dtype d = p->graph->values[v].dtype;
    if (d != PCS_F32 && d != PCS_I8 && d != PCS_U8 && d != PCS_I32)
        return pcs_fail(p->ctx, PRECIS_EUNSUPPORTED, "value %s holds no numbers that can be watched",
                        p->graph->values[v].name);
    pcs_program_tap(p, v, fn, user);
    return PRECIS_OK;
}

precis_status precis_program_run(precis_program *p) { return pcs_program_run(p); }

const float *precis_program_get(precis_program *p, precis_value v)
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
    while (n < p->n_steps && pcs_place_of(p->steps[n].name).layer < 0) n++;
    return n;
}
