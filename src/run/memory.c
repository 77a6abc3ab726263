/* memory.c - where the values of a program lie: one buffer, planned for a set of sizes by lifetimes, largest first;
 * and where threads must wait for one another, which follows from it. A plan is kept, so that sizes that come again
 * cost nothing. */
#include "run/backend.h"
#include "run/layout.h"

static uint64_t slot_bytes(const precis_program *p, const pcs_slot *s)
{
    uint64_t n = 1;
    const pcs_dtype type = s->v.dtype;
    const bool acts = type == PCS_ACT || type == PCS_ACT_BF16 || type == PCS_ACT_MIXED ||
                      type == PCS_ACT_INT8;
    const int64_t width = s->v.dims ? s->v.shape[s->v.dims - 1] : 1;
    for (uint32_t i = 0; i < s->v.dims; i++) {
        if (!acts || i + 1 < s->v.dims) n *= (uint64_t)pcs_extent(p->graph, s->v.shape[i], p->planning);
    }
    const size_t k = (size_t)(width > 0 ? width : 1);
    const uint64_t few = type == PCS_ACT_MIXED && n >= PCS_MIXED_ROWS ? PCS_MIXED_ROWS - 1 : n; /* of int8 */
    const uint64_t codes = type == PCS_ACT || type == PCS_ACT_MIXED ? pcs_act_bytes(few, pcs_chunks(k)) : 0;
    const uint64_t halves = type == PCS_ACT_BF16 || type == PCS_ACT_MIXED ? pcs_act_bf16_bytes(n, k) : 0;
    if (type == PCS_ACT_INT8) n = pcs_act_int8_bytes(n, k);
    else n = acts ? (codes > halves ? codes : halves) : n * pcs_dtype_bytes(type);
    return (n + 64 + 63) / 64 * 64;
}

/* Offsets of all values that steps make. */
static precis_status place(precis_program *p, uint64_t *buffer_bytes)
{
    pcs_span *spans = pcs_alloc(p->ctx, p->n_slots, sizeof *spans);
    if (!spans) return PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < p->n_slots; i++) {
        pcs_slot *s = &p->slots[i];
        if (s->first < 0 || s->root != (int32_t)i || s->v.dtype == PCS_STATE) continue;
        s->bytes = slot_bytes(p, s);
        spans[n++] = (pcs_span){ .bytes = s->bytes, .first = s->first, .last = s->last, .id = (int32_t)i };
    }
    const precis_status st = pcs_lay_out(p->ctx, spans, n, p->keep_all, buffer_bytes);
    for (size_t i = 0; i < n && !st; i++) p->slots[spans[i].id].offset = spans[i].offset;
    pcs_free(p->ctx, spans);
    return st;
}

static bool by_rows(const precis_program *p, const pcs_step *s)
{
    if (!s->op) return true;
    return s->op->by_rows && s->n_out == 1 && (!s->op->matrices_by_rows || p->slots[s->out[0]].v.dims == 2);
}

/* All but the last dimension. */
static bool same_rows(const precis_program *p, int32_t a, int32_t b)
{
    const pcs_value *x = &p->slots[a].v, *y = &p->slots[b].v;
    if (x->dims != y->dims) return false;
    for (uint32_t i = 0; i + 1 < x->dims; i++)
        if (x->shape[i] != y->shape[i]) return false;
    return true;
}

static void lifetimes(precis_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        const pcs_step *s = &p->steps[i];
        for (uint32_t k = 0; k < s->n_in; k++) p->slots[p->slots[s->in[k]].root].last = (int32_t)i;
        if (s->plain >= 0) p->slots[p->slots[s->plain].root].last = (int32_t)i;
        for (uint32_t k = 0; k < s->n_out; k++) {
            pcs_slot *out = &p->slots[p->slots[s->out[k]].root];
            if (out->first < 0 && out->v.role != PCS_INPUT && !out->data) out->first = (int32_t)i;
            if (out->last < (int32_t)i) out->last = (int32_t)i;
        }
    }
    for (size_t i = 0; i < p->n_slots; i++)
        if (p->slots[i].v.output) p->slots[p->slots[i].root].last = (int32_t)p->n_steps;
}

/* A step waits when an unfinished one made what it reads, or still uses the memory it writes. */
static bool touches(const precis_program *p, int32_t a, int32_t b)
{
    const pcs_slot *x = &p->slots[p->slots[a].root], *y = &p->slots[p->slots[b].root];
    if (x == y) return true;
    return x->bytes && y->bytes && x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes;
}

/* What one step made and another reads, both row by row: a thread reads what it made itself. */
static bool stays(const precis_program *p, const pcs_step *s, int32_t in, const pcs_step *maker)
{
    return by_rows(p, s) && by_rows(p, maker) && in == maker->out[0] && same_rows(p, in, s->out[0]);
}

/* Of one token or output the same thread makes both. */
static bool one_thread(const precis_program *p, const pcs_step *s, const pcs_step *o)
{
    const pcs_value *v = &p->slots[s->out[0]].v;
    return by_rows(p, s) && by_rows(p, o) && v->dims == 2 && v->shape[0] < 0 && same_rows(p, s->out[0], o->out[0]);
}

static bool waits(const precis_program *p, const pcs_step *s, const pcs_step *o)
{
    bool wait = false;
    for (uint32_t i = 0; i < o->n_out; i++) {
        for (uint32_t k = 0; k < s->n_out; k++) wait |= touches(p, s->out[k], o->out[i]);
        wait |= s->plain >= 0 && touches(p, s->plain, o->out[i]);
        for (uint32_t k = 0; k < s->n_in; k++) wait |= touches(p, s->in[k], o->out[i]) && !stays(p, s, s->in[k], o);
    }
    for (uint32_t i = 0; i < s->n_out; i++) {
        for (uint32_t k = 0; k < o->n_in; k++) wait |= touches(p, s->out[i], o->in[k]);
        wait |= o->plain >= 0 && touches(p, s->out[i], o->plain);
    }
    return wait;
}

static void place_barriers(precis_program *p)
{
    size_t since = 0, since_one = 0;
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step *s = &p->steps[i];
        s->barrier = s->barrier_one = false;
        for (size_t e = since; e < i && !s->barrier; e++) s->barrier = waits(p, s, &p->steps[e]);
        for (size_t e = since_one; e < i && !s->barrier_one; e++)
            s->barrier_one = !one_thread(p, s, &p->steps[e]) && waits(p, s, &p->steps[e]);
        if (s->barrier) since = i;
        if (s->barrier_one) since_one = i;
    }
}


/* What each step's threads need. */
static void plan_scratch(precis_program *p, pcs_room *rooms)
{
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step_bind(p, &p->steps[i]);
        const pcs_step *s = &p->steps[i];
        size_t most = 0;
        const bool mixed = s->n_in && p->slots[s->in[0]].v.dtype == PCS_ACT_MIXED;
        for (int few = 0; few < (mixed ? 2 : 1) && s->op && s->op->scratch; few++) {
            /* A run may have either. */
            if (mixed) s->call.in[0].dtype = !few ? PCS_ACT_BF16 : s->plain >= 0 ? PCS_F32 : PCS_ACT;
            const size_t need = s->op->scratch(&s->call);
            if (need > most) most = need;
        }
        rooms[i].bytes = most ? (most + 127) / 64 * 64 : 0;
        rooms[i].threads = !most ? 0 : s->op->workers ? s->op->workers(&s->call) : UINT32_MAX;
    }
}

/* Without a barrier between them one thread may be at a step while another is at the next, so both must mean the
 * same by a thread's part of the scratch. */
static void share_scratch(const precis_program *p, pcs_room *rooms)
{
    for (size_t i = 0, end; i < p->n_steps; i = end) {
        pcs_room most = rooms[i];
        for (end = i + 1; end < p->n_steps && !(p->steps[end].barrier && p->steps[end].barrier_one); end++) {
            if (rooms[end].bytes > most.bytes) most.bytes = rooms[end].bytes;
            if (rooms[end].threads > most.threads) most.threads = rooms[end].threads;
        }
        for (size_t k = i; k < end; k++) rooms[k] = most;
    }
}

/* Steps with barriers between them share the memory. Threads that have no part of a step need none. */
static uint64_t scratch_of(const pcs_room *rooms, size_t n, uint32_t threads)
{
    uint64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t need = (uint64_t)rooms[i].bytes * (threads < rooms[i].threads ? threads : rooms[i].threads);
        if (need > most) most = need;
    }
    return most + 64;
}

uint64_t pcs_program_scratch(const precis_program *p, uint32_t threads)
{
    return p->plan ? scratch_of(p->plan->rooms, p->n_steps, threads) : 0;
}

void pcs_plan_close(precis_ctx *ctx, pcs_plan *plan)
{
    pcs_free(ctx, plan->sizes);
    pcs_free(ctx, plan->offsets);
    pcs_free(ctx, plan->bytes);
    pcs_free(ctx, plan->rooms);
    pcs_free(ctx, plan->barriers);
    pcs_free(ctx, plan->barriers_one);
    pcs_free(ctx, plan);
}

/* The plan that `p->planning` asks for, kept; NULL when memory ran out. */
static pcs_plan *make_plan(precis_program *p)
{
    precis_ctx *ctx = p->ctx;
    pcs_plan **grown = pcs_grow(ctx, p->plans, p->n_plans * sizeof *grown, p->n_plans + 1, sizeof *grown);
    pcs_plan *plan = pcs_alloc(ctx, 1, sizeof *plan);
    if (grown) p->plans = grown;
    bool ok = grown && plan;
    if (ok) {
        plan->sizes = pcs_alloc(ctx, p->graph->n_dims + 1, sizeof *plan->sizes);
        plan->offsets = pcs_alloc(ctx, p->n_slots + 1, sizeof *plan->offsets);
        plan->bytes = pcs_alloc(ctx, p->n_slots + 1, sizeof *plan->bytes);
        plan->barriers = pcs_alloc(ctx, p->n_steps + 1, sizeof *plan->barriers);
        plan->barriers_one = pcs_alloc(ctx, p->n_steps + 1, sizeof *plan->barriers_one);
        plan->rooms = pcs_alloc(ctx, p->n_steps + 1, sizeof *plan->rooms);
        ok = plan->sizes && plan->offsets && plan->bytes && plan->barriers && plan->barriers_one && plan->rooms;
    }
    if (!p->n_plans) lifetimes(p); /* they are the same for all sizes */
    if (!ok || place(p, &plan->buffer_bytes)) {
        if (plan) pcs_plan_close(ctx, plan);
        return NULL;
    }
    int64_t *const sizes = p->sizes;
    p->sizes = p->planning; /* scratch is for the most that a run under this plan may have */
    plan_scratch(p, plan->rooms);
    p->sizes = sizes;
    place_barriers(p);
    share_scratch(p, plan->rooms);
    memcpy(plan->sizes, p->planning, p->graph->n_dims * sizeof *plan->sizes);
    for (size_t i = 0; i < p->n_slots; i++) plan->offsets[i] = p->slots[i].offset, plan->bytes[i] = p->slots[i].bytes;
    for (size_t i = 0; i < p->n_steps; i++) {
        plan->barriers[i] = p->steps[i].barrier;
        plan->barriers_one[i] = p->steps[i].barrier_one;
    }
    return p->plans[p->n_plans++] = plan;
}

/* Memory for a plan; what there is stays when it is enough. */
static precis_status make_room(precis_program *p, const pcs_plan *plan)
{
    const pcs_heap *heap = &p->backend->heap;
    const uint64_t scratch_bytes = scratch_of(plan->rooms, p->n_steps, precis_ctx_threads(p->ctx));
    if (!p->buffer || plan->buffer_bytes > p->buffer_bytes) {
        char *buffer = heap->alloc(p->ctx, plan->buffer_bytes);
        if (!buffer) return PRECIS_ENOMEM;
        heap->release(p->ctx, p->buffer, p->buffer_bytes);
        p->buffer = buffer;
        p->buffer_bytes = plan->buffer_bytes;
    }
    if (!p->scratch || scratch_bytes > p->scratch_bytes) {
        char *scratch = heap->alloc(p->ctx, scratch_bytes);
        if (!scratch) return PRECIS_ENOMEM;
        heap->release(p->ctx, p->scratch, p->scratch_bytes);
        p->scratch = scratch;
        p->scratch_bytes = scratch_bytes;
    }
    return PRECIS_OK;
}

/* What one token has in its numbers' places alone, and the codes that are made of it, threads share by columns where
 * nothing else stands between two barriers. Codes with a scale for the whole row are one thread's. */
static void share_columns(precis_program *p)
{
    for (size_t i = 0; i < p->n_steps; i++) p->steps[i].columns = false;
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step *s = &p->steps[i], *codes = i + 1 < p->n_steps && !s[1].barrier_one ? s + 1 : NULL;
        const pcs_step *next = codes ? s + 2 : s + 1, *end = p->steps + p->n_steps;
        if (!s->op || !s->op->by_numbers || !s->barrier_one || (next < end && !next->barrier_one)) continue;
        const pcs_dtype to = codes ? p->slots[codes->out[0]].v.dtype : PCS_ACT;
        if (codes && (codes->op || codes->in[0] != s->out[0] || (to != PCS_ACT && to != PCS_ACT_MIXED))) continue;
        s->columns = true;
        if (codes) codes->columns = true;
    }
}

/* Slots and steps as a plan has them. */
static void use_plan(precis_program *p, pcs_plan *plan)
{
    for (size_t i = 0; i < p->n_slots; i++) p->slots[i].offset = plan->offsets[i], p->slots[i].bytes = plan->bytes[i];
    for (size_t i = 0; i < p->n_steps; i++) {
        p->steps[i].barrier = plan->barriers[i];
        p->steps[i].barrier_one = plan->barriers_one[i];
        p->steps[i].room = plan->rooms[i];
    }
    share_columns(p);
    p->plan = plan;
}

/* Every dimension of every value is a size: no symbol without one, no expression that comes to nothing. */
static precis_status check_sizes(const precis_program *p)
{
    for (size_t i = 0; i < p->n_slots; i++) {
        const pcs_value *v = &p->slots[i].v;
        for (uint32_t k = 0; k < v->dims; k++) {
            if (!pcs_dim_is_id(v->shape[k])) continue;
            const bool symbol = p->graph->dims[v->shape[k] - PCS_DIM_FIRST].kind == PCS_DIM_SYMBOL;
            const int64_t n = pcs_extent(p->graph, v->shape[k], p->planning);
            if (n >= !symbol) continue;
            char text[128];
            pcs_dim_text(p->graph, v->shape[k], text, sizeof text);
            const char *why = n < 0 && symbol ? "has no size yet" : "is too small, or too large";
            return pcs_fail(p->ctx, PRECIS_EINVAL, "value %s: dimension %s %s", v->name, text, why);
        }
    }
    return PRECIS_OK;
}

precis_status pcs_program_plan(precis_program *p)
{
    const size_t n = p->graph->n_dims;
    for (size_t i = 0; i < n; i++)
        if (p->graph->dims[i].kind == PCS_DIM_SYMBOL && !p->graph->dims[i].most) p->planning[i] = p->sizes[i];
    if (p->plan && !memcmp(p->plan->sizes, p->planning, n * sizeof *p->planning)) return PRECIS_OK;
    precis_status st = check_sizes(p);
    pcs_plan *plan = NULL;
    for (size_t i = 0; i < p->n_plans && !plan && !st; i++)
        if (!memcmp(p->plans[i]->sizes, p->planning, n * sizeof *p->planning)) plan = p->plans[i];
    if (!st && !plan && !(plan = make_plan(p))) st = PRECIS_ENOMEM;
    if (!st) st = make_room(p, plan);
    if (st) p->plan = NULL; /* slots may be half of another plan */
    else use_plan(p, plan);
    return st;
}
