/* lower.c - graph to steps. */
#include "base/pool.h"
#include "kernel/choose.h"
#include "run/backend.h"

#include <stdlib.h>

static pcs_slot *add_slot(precis_program *p, const pcs_value *v)
{
    if (p->n_slots == p->cap_slots) {
        const size_t cap = p->cap_slots * 2 + 64;
        pcs_slot *grown = pcs_grow(p->ctx, p->slots, p->n_slots * sizeof *grown, cap, sizeof *grown);
        if (!grown) return NULL;
        p->slots = grown;
        p->cap_slots = cap;
    }
    pcs_slot *s = &p->slots[p->n_slots];
    *s = (pcs_slot){ .v = *v, .root = (int32_t)p->n_slots, .first = -1, .last = -1 };
    p->n_slots++;
    return s;
}

/* A dequantize of stored data that nothing but folding ops read is not executed. */
static bool folded(const precis_graph *g, const pcs_node *d)
{
    if (!d->op->decodes || g->values[d->in[0]].dtype != PCS_STORED) return false;
    if (g->values[d->in[0]].format->kind == PCS_INT || g->values[d->out[0]].output) return false;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            const pcs_op *o = g->nodes[i].op;
            if (g->nodes[i].in[k] == d->out[0] && !(o->reads_stored && k == o->reads_stored)) return false;
        }
    return true;
}

/* Shape arithmetic: its result is known, and nobody reads it but as a shape, or in shape arithmetic again. */
static bool only_shapes(const precis_graph *g, const pcs_node *n)
{
    if (n->n_out != 1 || !g->values[n->out[0]].known || g->values[n->out[0]].output) return false;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++) {
            const pcs_node *reader = &g->nodes[i];
            const bool as_shape = reader->op->reads_shape && reader->op->reads_shape == k;
            /* one that is run itself, for its contents, needs this one's */
            if (reader->in[k] == n->out[0] && !as_shape && !only_shapes(g, reader)) return false;
        }
    return true;
}

static void *own(precis_program *p, size_t bytes)
{
    void **grown = pcs_grow(p->ctx, p->owned, p->n_owned * sizeof *grown, p->n_owned + 1, sizeof *grown);
    if (!grown) return NULL;
    p->owned = grown;
    void *mem = pcs_alloc(p->ctx, bytes, 1);
    if (mem) {
        p->owned[p->n_owned++] = mem;
        p->const_bytes += bytes;
    }
    return mem;
}

/* Room for a step's operands. */
static precis_status open_step(precis_program *p, pcs_step *s, uint32_t n_in, uint32_t n_out)
{
    s->n_in = n_in;
    s->n_out = n_out;
    s->in = pcs_arena_alloc(&p->arena, n_in + n_out, sizeof *s->in);
    s->call.in = pcs_arena_alloc(&p->arena, n_in + n_out, sizeof *s->call.in);
    if (!s->in || !s->call.in) return PRECIS_ENOMEM;
    s->out = s->in + n_in;
    s->call.out = s->call.in + n_in;
    return PRECIS_OK;
}

/* Rows of packed weights, for an op that reads them. */
static precis_status unpack(precis_program *p, pcs_slot *s)
{
    const size_t k = (size_t)s->v.shape[s->v.dims - 1], row = (size_t)pcs_row_bytes(s->v.format, k);
    uint64_t rows = 1;
    for (uint32_t i = 0; i + 1 < s->v.dims; i++) rows *= (uint64_t)s->v.shape[i];
    uint8_t *data = own(p, rows * row + 64);
    if (!data) return PRECIS_ENOMEM;
    for (uint64_t r = 0; r < rows; r++) pcs_panels_row(s->v.format, k, s->panels, r, data + r * row);
    s->data = data;
    return PRECIS_OK;
}

/* Have all results a size before the net runs? A constant that is spread over a symbol has none. */
static bool sized(const precis_program *p, const pcs_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++) {
        const pcs_value *v = &p->slots[n->out[i]].v;
        for (uint32_t k = 0; k < v->dims; k++)
            if (pcs_dim_is_id(v->shape[k])) return false;
    }
    return true;
}

/* Constants that need work (norm weights in f16, int8 weights with scales) are computed once, here. A view's bytes are
 * its input's: its op writes none. */
static precis_status fold_constant(precis_program *p, const pcs_node *n)
{
    if (n->op->view) {
        p->slots[n->out[0]].root = p->slots[n->in[0]].root;
        return PRECIS_OK;
    }
    pcs_step s = { .op = n->op, .attr = n->attr, .plain = -1 };
    precis_status st = open_step(p, &s, n->n_in, n->n_out);
    for (uint32_t i = 0; i < n->n_out && !st; i++) {
        pcs_slot *out = &p->slots[n->out[i]];
        uint64_t count = 1;
        for (uint32_t k = 0; k < out->v.dims; k++) count *= (uint64_t)out->v.shape[k];
        out->data = own(p, count * pcs_dtype_bytes(out->v.dtype) + 64);
        if (!out->data) st = PRECIS_ENOMEM;
        s.out[i] = n->out[i];
    }
    if (st) return st;
    for (uint32_t i = 0; i < n->n_in; i++) s.in[i] = n->in[i];
    pcs_step_bind(p, &s);
    n->op->eval(&s.call, 0, 1);
    return s.outside ? pcs_step_refuse(p, n->name, n->op) : PRECIS_OK;
}

static bool all_constant(const precis_program *p, const pcs_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        const pcs_slot *root = &p->slots[p->slots[n->in[i]].root];
        if (!root->data || root->v.role == PCS_PARAMETER) return false; /* training changes a parameter between runs */
    }
    return true;
}

/* The copy of a value for kernels, made by a step of its own on first use. acts: of each value, PCS_ACT after
 * others. */
static int32_t act_of(precis_program *p, int32_t x, pcs_dtype dtype, int32_t *acts)
{
    if (dtype == PCS_ACT) acts += p->graph->n_values;
    if (acts[x] >= 0) return acts[x];
    pcs_value v = p->slots[x].v;
    v.dtype = dtype;
    v.output = false;
    if (!add_slot(p, &v)) return -1;
    pcs_step s = { .name = v.name, .plain = -1 };
    if (open_step(p, &s, 1, 1)) return -1;
    s.in[0] = x;
    s.out[0] = (int32_t)p->n_slots - 1;
    p->steps[p->n_steps++] = s;
    return acts[x] = s.out[0];
}

/* The value is rounded to elements that no kernel multiplies; those have int8 activations. */
static bool needs_reference(const precis_program *p, precis_value x)
{
    const int32_t at = p->graph->values[x].node;
    const pcs_node *n = at >= 0 ? &p->graph->nodes[at] : NULL;
    return n && n->op->has_kernel && !n->op->has_kernel(n->attr);
}

/* The weights of a node that the step of it reads as they are stored; NULL: it has none. */
static const pcs_value *stored_weight(const precis_program *p, const pcs_step *s)
{
    const pcs_value *w = s->op->reads_stored ? &p->slots[s->in[s->op->reads_stored]].v : NULL;
    return w && w->dtype == PCS_STORED ? w : NULL;
}

/* The fast form of a step, where its op has one: quantized weights take int8 activations, those whose rows have one
 * scale in the arithmetic int8 such as have one, too; with bf16 they, and floats of 16 bits, take such (F32 is for what
 * must not be rounded, as routers are). Experts have few rows each: mixed, theirs are int8. */
static precis_status make_fast(precis_program *p, const pcs_node *n, pcs_step *s, int32_t *acts)
{
    const pcs_value *w = stored_weight(p, s);
    const bool mixed = p->arithmetic == PRECIS_MIXED && !n->op->route, bf16 = p->arithmetic == PRECIS_BF16;
    const bool halves = (bf16 || mixed) && w && w->format->kind == PCS_FLOAT && w->format->bytes == 2;
    const bool coded = halves || (w && w->format->kind == PCS_QUANT), reference = coded && needs_reference(p, n->in[0]);
    if (reference || (w && w->format->element && !bf16)) { /* decoded, and multiplied as F32 */
        if (!p->without_kernel++) p->lacking = reference ? NULL : w->format->name;
    }
    if (reference) return PRECIS_OK;
    s->eval = n->op->fast;
    if (!coded) return PRECIS_OK;
    if (p->arithmetic == PRECIS_INT8 && pcs_program_whole_rows(p, s->in[n->op->reads_stored])) {
        s->in[0] = act_of(p, s->in[0], PCS_ACT_INT8, acts);
        return s->in[0] < 0 ? PRECIS_ENOMEM : PRECIS_OK;
    }
    p->tiles |= !bf16 && !pcs_few(&p->kernels, w->format, (size_t)w->shape[w->dims - 1]);
    if (mixed && halves) s->plain = s->in[0];
    if (!bf16 && !halves) s->below = pcs_mp_levels(p->ctx, w->format) != p->ctx->cpu;
    s->in[0] = act_of(p, s->in[0], mixed ? PCS_ACT_MIXED : bf16 ? PCS_ACT_BF16 : PCS_ACT, acts);
    return s->in[0] < 0 ? PRECIS_ENOMEM : PRECIS_OK;
}

static precis_status make_step(precis_program *p, const pcs_node *n, int32_t *acts)
{
    if (n->op->emulates && p->arithmetic == PRECIS_REFERENCE) {
        p->slots[n->out[0]].root = p->slots[n->in[0]].root;
        return PRECIS_OK;
    }
    pcs_step s = { .name = n->name, .op = n->op, .attr = n->attr, .eval = n->op->eval, .plain = -1 };
    precis_status st = open_step(p, &s, n->n_in, n->n_out);
    for (uint32_t i = 0; i < n->n_in && !st; i++) {
        const pcs_value *v = &p->graph->values[n->in[i]];
        const bool weight = n->op->reads_stored && i == n->op->reads_stored && v->node >= 0;
        const bool stored = weight && folded(p->graph, &p->graph->nodes[v->node]);
        s.in[i] = stored ? p->graph->nodes[v->node].in[0] : n->in[i];
    }
    for (uint32_t i = 0; i < n->n_out && !st; i++) s.out[i] = n->out[i];
    if (!st && pcs_by_kernels(p->arithmetic) && n->op->fast) st = make_fast(p, n, &s, acts);
    if (st) return st;
    if (n->op->view) {
        p->slots[n->out[0]].root = p->slots[s.in[0]].root;
        p->slots[n->out[0]].kv = p->slots[s.in[0]].kv;
    }
    p->steps[p->n_steps++] = s;
    return PRECIS_OK;
}

/* A cache for each state value. */
static precis_status open_caches(precis_program *p, const pcs_kv_type *const *types, size_t n, uint32_t context)
{
    const precis_graph *g = p->graph;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < g->n_values && !st; i++) {
        const pcs_value *v = &g->values[i];
        if (v->dtype != PCS_STATE || v->node >= 0) continue;
        const uint32_t vd = (uint32_t)v->shape[3];
        pcs_kv *kv = &p->kvs[p->n_kvs];
        *kv = (pcs_kv){ .kt = types[p->n_kvs], .vt = types[n + p->n_kvs], .heads = (uint32_t)v->shape[1],
                        .kd = (uint32_t)v->shape[2], .vd = vd, .vp = (vd + 15) & ~15u, .capacity = context };
        st = pcs_kv_open(p->ctx, kv, &p->pages);
        p->slots[i].kv = kv;
        p->n_kvs++;
    }
    return st;
}

/* All pages, one after another, for those that take none themselves. */
static precis_status take_all(pcs_pages *pages)
{
    precis_status st = pcs_pages_reserve(pages);
    for (uint32_t s = 0; s < pages->sequences && !pages->ctx->memory.counting; s++)
        for (uint32_t i = 0; i < pages->each && !st; i++, pcs_pages_commit(pages))
            st = pcs_pages_take(pages, s, i << pages->shift);
    return st;
}

/* Where memory has a limit, or is only counted, all that may be needed is taken at once: nothing is refused later. */
static precis_status open_states(precis_program *p, const pcs_program_options *opt)
{
    const precis_graph *g = p->graph;
    const uint32_t context = (opt->context + 15) & ~15u;
    size_t n = 0;
    for (size_t i = 0; i < g->n_values; i++) n += g->values[i].dtype == PCS_STATE && g->values[i].node < 0;
    p->kvs = pcs_alloc(p->ctx, n + 1, sizeof *p->kvs);
    const pcs_kv_type **types = pcs_alloc(p->ctx, 2 * n + 1, sizeof *types);
    precis_status st = p->kvs && types ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) st = pcs_kv_list(p->ctx, opt->k_type, 0, n, types);
    if (!st) st = pcs_kv_list(p->ctx, opt->v_type, 1, n, types + n);
    const pcs_pages_size size = { opt->sequences, context, opt->pages, opt->batch ? opt->batch : 1 };
    if (!st) st = pcs_pages_open(p->ctx, &p->pages, &p->backend->heap, &size);
    if (!st) st = open_caches(p, types, n, context);
    if (!st && n && !opt->batch) st = take_all(&p->pages);
    else if (!st && (p->ctx->memory.limit || p->ctx->memory.counting)) st = pcs_pages_reserve(&p->pages);
    pcs_free(p->ctx, types);
    return st;
}

/* Nodes that lead to what a multiplication reads. Taps on experts lie after them, so these are made, too. */
static void mark_inputs(const precis_graph *g, bool *needed, bool *read)
{
    for (size_t i = g->n_nodes; i-- > 0;) {
        const pcs_node *n = &g->nodes[i];
        needed[i] = n->op->route != 0;
        for (uint32_t k = 0; k < n->n_out; k++) needed[i] |= read[n->out[k]];
        if (n->op->weight) read[n->in[0]] = true;
        for (uint32_t k = 0; k < n->n_in && needed[i]; k++) read[n->in[k]] = true;
    }
}

static precis_status make_steps(precis_program *p, bool inputs)
{
    const precis_graph *g = p->graph;
    int32_t *acts = pcs_alloc(p->ctx, 2 * g->n_values + 1, sizeof *acts);
    bool *needed = pcs_alloc(p->ctx, g->n_nodes + g->n_values + 1, sizeof *needed);
    p->steps = pcs_alloc(p->ctx, 2 * g->n_nodes + 1, sizeof *p->steps);
    precis_status st = acts && needed && p->steps ? PRECIS_OK : PRECIS_ENOMEM;
    if (!st) memset(acts, -1, 2 * g->n_values * sizeof *acts);
    if (!st && inputs) mark_inputs(g, needed, needed + g->n_nodes);
    for (size_t i = 0; i < g->n_nodes && st == PRECIS_OK; i++) {
        const pcs_node *n = &g->nodes[i];
        if ((inputs && !needed[i]) || folded(g, n) || only_shapes(g, n)) continue;
        pcs_slot *first = &p->slots[n->in[0]];
        if (n->op->decodes && first->panels && !first->data && (st = unpack(p, first))) break;
        const bool folds = all_constant(p, n) && sized(p, n) && n->op->eval && !n->op->scratch;
        st = folds ? fold_constant(p, n) : make_step(p, n, acts);
    }
    pcs_free(p->ctx, acts);
    pcs_free(p->ctx, needed);
    return st;
}

/* Which steps follow from constants and parameters alone. */
static void find_settled(precis_program *p)
{
    for (size_t i = 0; i < p->n_slots; i++) {
        pcs_slot *s = &p->slots[i];
        s->varies = s->v.role == PCS_INPUT || s->v.role == PCS_LASTING || s->v.dtype == PCS_STATE;
    }
    for (size_t i = 0; i < p->n_steps; i++) {
        pcs_step *s = &p->steps[i];
        bool varies = !s->op;
        for (uint32_t k = 0; k < s->n_in; k++) varies |= p->slots[p->slots[s->in[k]].root].varies;
        for (uint32_t k = 0; k < s->n_out; k++) p->slots[p->slots[s->out[k]].root].varies = varies;
        s->settled = !varies;
    }
}

/* Sizes of all symbols: none yet; memory is planned for the most of those that have a bound. */
static precis_status open_sizes(precis_program *p)
{
    const size_t n = p->graph->n_dims;
    p->sizes = pcs_alloc(p->ctx, n + 1, sizeof *p->sizes);
    p->planning = pcs_alloc(p->ctx, n + 1, sizeof *p->planning);
    if (!p->sizes || !p->planning) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const pcs_dim *d = &p->graph->dims[i];
        p->planning[i] = d->kind == PCS_DIM_SYMBOL && d->most ? d->most : -1;
        p->sizes[i] = -1;
    }
    return PRECIS_OK;
}

/* Every symbol has a bound, so that one plan serves all runs. */
static bool all_bounded(const precis_graph *g)
{
    for (size_t i = 0; i < g->n_dims; i++)
        if (g->dims[i].kind == PCS_DIM_SYMBOL && !g->dims[i].most) return false;
    return true;
}

precis_status pcs_program_open(precis_ctx *ctx, precis_program **out, const precis_graph *g,
                               const pcs_program_options *opt)
{
    *out = NULL;
    precis_program *p = pcs_alloc(ctx, 1, sizeof *p);
    if (!p) return PRECIS_ENOMEM;
    p->ctx = ctx;
    p->graph = g;
    p->backend = opt->backend ? opt->backend : pcs_backends[0];
    pcs_arena_init(&p->arena, ctx);
    p->arithmetic = pcs_any_arithmetic(ctx, opt->arithmetic);
    p->kernels = pcs_kernels_for(ctx->cpu);
    p->below = pcs_kernels_for(ctx->cpu & ~PCS_CPU_DOUBTED);
    p->keep_all = opt->keep_all;
    precis_status st = open_sizes(p);
    for (size_t i = 0; i < g->n_values && st == PRECIS_OK; i++) {
        pcs_slot *s = add_slot(p, &g->values[i]);
        if (!s) st = PRECIS_ENOMEM;
        else {
            const void *panels;
            pcs_value_bind(&g->values[i], &s->data, &panels);
            s->panels = (uint8_t *)(uintptr_t)panels;
        }
    }
    p->taps = pcs_alloc(ctx, g->n_values + 1, sizeof *p->taps);
    p->claims = pcs_alloc(ctx, precis_ctx_threads(ctx), sizeof *p->claims);
    if (!p->taps || !p->claims) st = PRECIS_ENOMEM;
    if (!st) st = open_states(p, opt);
    if (!st) st = make_steps(p, opt->inputs);
    if (!st) find_settled(p);
    if (!st) st = pcs_program_upload(p);
    if (!st && all_bounded(g)) st = pcs_program_plan(p);
    if (st) precis_program_close(&p);
    *out = p;
    return st;
}

precis_status precis_program_open(precis_ctx *ctx, precis_program **out, precis_graph *g, precis_arithmetic arithmetic)
{
    *out = NULL;
    const precis_status st = precis_graph_verify(g);
    if (st) return st;
    const pcs_program_options o = {
        .arithmetic = arithmetic, .context = 16, .sequences = 1, .k_type = "f32", .v_type = "f32", .keep_all = true,
    };
    return pcs_program_open(ctx, out, g, &o);
}
