/* nodes.c - two nets value by value. The reference runs whole; the net in codes runs whole, for what has come together,
 * and then step by step, each value put right after its node, so that every node is fed with the float net's values
 * and its error is its own. */
#include "eval/net/nodes.h"

#include <math.h>
#include <stdlib.h>

extern const pcs_op pcs_op_to_codes, pcs_op_from_codes;

struct precis_node_errors {
    precis_ctx *ctx;
    pcs_arena arena;
    precis_samples *samples;
    pcs_watched f, q;
    pcs_node_pair *pairs;
    size_t n, cap;
    uint64_t used; /* samples */
};

/* ---- which values are the same ------------------------------------------------------------------- */

static const char *node_name(const precis_graph *g, precis_value v)
{
    return g->values[v].node < 0 ? NULL : g->nodes[g->values[v].node].name;
}

/* The last value of that name. */
static precis_value find(const pcs_netfile_graph *g, const char *name)
{
    for (size_t i = g->n_names; i-- > 0;)
        if (!strcmp(g->names[i].name, name)) return g->names[i].value;
    return -1;
}

/* Which result of its node a value is. */
static uint32_t place(const precis_graph *g, precis_value v)
{
    const pcs_node *n = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    uint32_t k = 0;
    while (n && k < n->n_out && n->out[k] != v) k++;
    return k;
}

/* How a net of other names has a value: files of precis call a value as its node, and where a node took in those after
 * it, as the last of them (named); the node itself has its first name (not named). Of several results the same one. */
static precis_value find_node(const pcs_netfile_graph *q, const precis_graph *f, precis_value v, bool named)
{
    const char *node = node_name(f, v);
    for (size_t i = q->n_names; node && i-- > 0;) {
        const precis_value x = q->names[i].value;
        if (named && q->graph->values[x].output) continue; /* outputs have names that are kept */
        const char *own = named ? q->names[i].name : node_name(q->graph, x);
        if (own && !strcmp(own, node) && place(q->graph, x) == place(f, v)) return x;
    }
    return -1;
}

static precis_value find_any(const pcs_netfile_graph *q, const precis_graph *f, precis_value v)
{
    const precis_value x = find_node(q, f, v, true);
    return x < 0 ? find_node(q, f, v, false) : x;
}

/* The value of that name, but where the net has v as its node is called, and the name means another node: a file may
 * call the result of one node as it calls another node, and files of precis call values as their nodes. */
static precis_value find_named(const pcs_netfile_graph *q, const precis_graph *f, precis_value v, const char *name)
{
    const precis_value x = find(q, name);
    const char *made = x < 0 ? NULL : node_name(q->graph, x), *own = node_name(f, v);
    if (!made || !own || !strcmp(made, own)) return x;
    for (size_t i = 0; i < f->n_nodes; i++)
        if (!strcmp(f->nodes[i].name, made)) {
            const precis_value other = find_any(q, f, v);
            return other < 0 ? x : other;
        }
    return x;
}

/* What reads a value, by its op; -1: nothing does. */
static precis_value behind(const precis_graph *g, precis_value v, const pcs_op *op)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == op && g->nodes[i].in[0] == v) return g->nodes[i].out[0];
    return -1;
}

/* Behind what the net has fused into a value's codes, as a ReLU whose clamp is that of the codes: nodes of the
 * reference that alone read it, with constants beside it, and whose results have no name in the net. A value that
 * has no codes can only have taken in a batch normalization. */
static precis_value past_fused(const pcs_netfile_graph *f, const pcs_netfile_graph *q, precis_value v, bool codes)
{
    const precis_graph *g = f->graph;
    precis_value named = v; /* within what one node of the file became, values have no names */
    for (;;) {
        const pcs_node *reader = NULL;
        size_t readers = 0, others = 0;
        const char *name = NULL;
        for (size_t i = 0; i < g->n_nodes; i++)
            for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
                if (g->nodes[i].in[k] == v) reader = &g->nodes[i], readers++;
        if (readers != 1 || reader->n_out != 1 || g->values[v].output || reader->in[0] != v) return named;
        for (uint32_t k = 1; k < reader->n_in; k++)
            others += reader->in[k] >= 0 && !pcs_value_is_known(&g->values[reader->in[k]]);
        const precis_value next = reader->out[0];
        for (size_t i = 0; i < f->n_names; i++)
            if (f->names[i].value == next) name = f->names[i].name;
        const pcs_value *a = &g->values[v], *b = &g->values[next];
        const bool same = a->dims == b->dims && !memcmp(a->shape, b->shape, a->dims * sizeof *a->shape);
        if (others || !same || (!codes && !reader->op->by_channel)) return named;
        if ((name && find(q, name) >= 0) || find_any(q, g, next) >= 0) return named;
        v = next;
        if (name) named = next;
    }
}

static uint64_t count_of(const precis_program *p, precis_value v)
{
    const pcs_value *x = &p->graph->values[v];
    uint64_t n = 1;
    for (uint32_t d = 0; d < x->dims; d++) n *= (uint64_t)pcs_program_extent(p, x->shape[d]);
    return n;
}

/* The scale and zero point of codes, where there is one of each. */
static void read_codes(const precis_program *p, precis_value codes, pcs_node_pair *pair)
{
    const precis_graph *g = p->graph;
    const pcs_value *c = &g->values[codes];
    const pcs_node *n = &g->nodes[c->node];
    const pcs_value *s = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    const uint32_t bits = pcs_dtype_bits(c->dtype);
    const float *scale = pcs_value_f32(s, 1);
    const pcs_arg zero = pcs_value_arg(z);
    if (!pcs_dtype_whole(c->dtype) || bits > 16 || !scale || !zero.data || pcs_arg_count(&zero) < 1) return;
    for (uint32_t d = 0; d < s->dims; d++)
        if (s->shape[d] != 1) return;
    const bool sign = pcs_domain_of(c->dtype) == PCS_IN_I64;
    pair->params.scale = *scale;
    pair->params.zero = (int32_t)pcs_int_at(&zero, 0);
    pair->scheme.low = sign ? -(1 << (bits - 1)) : 0;
    pair->scheme.high = pair->scheme.low + (1 << bits) - 1;
    pair->scheme.bits = bits;
    pair->has_codes = true;
}

static void channels_of(const precis_program *p, pcs_node_pair *pair)
{
    const pcs_value *x = &p->graph->values[pair->f];
    const uint32_t axis = x->dims >= 4 ? 1 : x->dims ? x->dims - 1 : 0;
    pair->channels = x->dims ? (uint64_t)pcs_program_extent(p, x->shape[axis]) : 1;
    pair->inner = 1;
    for (uint32_t d = axis + 1; d < x->dims; d++) pair->inner *= (uint64_t)pcs_program_extent(p, x->shape[d]);
}

static precis_status open_pair(precis_node_errors *e, pcs_node_pair *p)
{
    channels_of(e->f.program, p);
    p->error_sum = pcs_arena_alloc(&e->arena, (size_t)p->channels + 1, sizeof *p->error_sum);
    p->count = pcs_arena_alloc(&e->arena, (size_t)p->channels + 1, sizeof *p->count);
    p->top = pcs_arena_alloc(&e->arena, (size_t)p->channels + 1, sizeof *p->top);
    if (!p->error_sum || !p->count || !p->top) return PRECIS_ENOMEM;
    if (!p->has_codes) return PRECIS_OK;
    pcs_observer_options o = PCS_OBSERVER_OPTIONS_INIT;
    o.scheme = p->scheme;
    precis_status st = pcs_observation_open(e->ctx, &p->best, pcs_observer_by_name("mse"), p->e.name, &o);
    return st;
}

/* An output in codes is called as it comes out of them: the value before. */
static precis_value before_codes(const precis_graph *g, precis_value v)
{
    const pcs_node *from = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    if (!from || from->op != &pcs_op_from_codes || g->values[from->in[0]].node < 0) return v;
    const pcs_node *to = &g->nodes[g->values[from->in[0]].node];
    return to->op == &pcs_op_to_codes ? to->in[0] : v;
}

/* A value of the reference, and what it is in the net; nothing where the net has none such. */
static precis_status pair_up(precis_node_errors *e, const char *name, precis_value f, precis_value q, long input)
{
    const precis_graph *gf = e->f.graph.graph, *gq = e->q.graph.graph;
    if (q >= 0 && input < 0) q = before_codes(gq, q);
    if (q < 0 || gf->values[f].dtype != PCS_F32 || gq->values[q].dtype != PCS_F32) return PRECIS_OK;
    if (count_of(e->f.program, f) != count_of(e->q.program, q)) return PRECIS_OK;
    pcs_node_pair p = { .own = f, .f = f, .q = q, .d = q, .input = input };
    const precis_value codes = behind(gq, q, &pcs_op_to_codes);
    const precis_value decoded = codes < 0 ? -1 : behind(gq, codes, &pcs_op_from_codes);
    if (decoded >= 0) {
        p.d = decoded;
        read_codes(e->q.program, codes, &p);
    }
    if (input < 0) p.f = past_fused(&e->f.graph, &e->q.graph, f, decoded >= 0);
    p.step_q = pcs_program_step_of(e->q.program, q);
    p.step_d = pcs_program_step_of(e->q.program, p.d);
    if (p.step_d >= e->q.program->n_steps || (input >= 0 && decoded < 0)) return PRECIS_OK;
    for (size_t i = 0; i < e->n; i++)
        if (e->pairs[i].d == p.d || e->pairs[i].own == f) return PRECIS_OK;
    p.e = (precis_node_error){ .size = sizeof p.e, .rounded = decoded >= 0,
                               .name = pcs_arena_copy(&e->arena, name, strlen(name)),
                               .op = input >= 0 ? "input" : gf->nodes[gf->values[f].node].op->name };
    if (!p.e.name) return PRECIS_ENOMEM;
    pcs_node_pair *pairs = pcs_one_more(e->ctx, e->pairs, e->n, &e->cap, sizeof *pairs);
    if (!pairs) return PRECIS_ENOMEM;
    e->pairs = pairs;
    e->pairs[e->n] = p;
    precis_status st = open_pair(e, &e->pairs[e->n]);
    e->n++;
    if (!st && input < 0)
        st = pcs_node_look_at_weights(e->ctx, e->q.program, gq, gq->values[q].node, &e->pairs[e->n - 1].w);
    return st;
}

static int by_step(const void *a, const void *b)
{
    const pcs_node_pair *x = a, *y = b; /* of one step: the result first, then what is seen of it in other shapes */
    return x->step_d < y->step_d ? -1 : x->step_d > y->step_d ? 1 : x->q < y->q ? -1 : x->q > y->q;
}

static precis_status match_nodes(precis_node_errors *e)
{
    precis_status st = PRECIS_OK;
    const pcs_netfile_graph *f = &e->f.graph, *q = &e->q.graph;
    for (size_t i = 0; i < e->f.file->n_inputs && !st; i++) {
        const char *name = e->f.file->inputs[i].name;
        for (size_t k = 0; k < e->q.file->n_inputs; k++)
            if (!strcmp(e->q.file->inputs[k].name, name))
                st = pair_up(e, name, f->inputs[i], q->inputs[k], (long)i);
    }
    for (int by = 0; by < 3; by++) /* names of values first, and a node's last: a value has one that is more its own */
        for (size_t i = 0; i < f->n_names && !st; i++) {
            const precis_value v = f->names[i].value;
            if (f->graph->values[v].node < 0) continue;
            st = pair_up(e, f->names[i].name, v,
                         by ? find_node(q, f->graph, v, by == 1) : find_named(q, f->graph, v, f->names[i].name), -1);
        }
    if (e->n) qsort(e->pairs, e->n, sizeof *e->pairs, by_step);
    if (!st && !e->n)
        st = pcs_fail(e->ctx, PRECIS_EINVAL, "no value of %s has a name that %s has, too: nodes cannot be matched",
                      e->q.file->path, e->f.file->path);
    for (size_t i = 0; i < e->n; i++)
        for (size_t k = 0; k < e->n; k++) {
            const pcs_node_pair *a = &e->pairs[i], *b = &e->pairs[k];
            if (i != k && a->has_codes && b->has_codes && a->params.scale == b->params.scale &&
                a->params.zero == b->params.zero)
                e->pairs[i].shared = true;
        }
    return st;
}

/* ---- sums ---------------------------------------------------------------------------------------- */

static const float *float_value(precis_node_errors *e, const pcs_node_pair *p, const precis_array *inputs)
{
    if (p->input < 0) return pcs_program_value(e->f.program, p->f);
    for (size_t k = 0; k < e->f.file->n_inputs; k++)
        if (!strcmp(inputs[k].name, e->f.file->inputs[p->input].name)) return inputs[k].data;
    return NULL;
}

static precis_status see_float(pcs_node_pair *p, const float *x, uint64_t n, uint64_t before)
{
    const double low = ((double)p->scheme.low - p->params.zero - 0.5) * (double)p->params.scale,
                 high = ((double)p->scheme.high - p->params.zero + 0.5) * (double)p->params.scale;
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t c = i / p->inner % p->channels;
        const float a = fabsf(x[i]);
        p->signal += (double)x[i] * (double)x[i];
        p->low = before + i == 0 || x[i] < p->low ? x[i] : p->low;
        p->high = before + i == 0 || x[i] > p->high ? x[i] : p->high;
        p->top[c] = a > p->top[c] ? a : p->top[c];
        p->clipped += p->has_codes && ((double)x[i] < low || (double)x[i] > high);
    }
    p->n += n;
    return p->best ? pcs_observation_see(p->best, x, 1, n) : PRECIS_OK;
}

static double squares(const float *a, const float *b, uint64_t n)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum += a[i] == b[i] ? 0 : d * d; /* two infinities of one sign do not differ */
    }
    return sum;
}

/* Before codes, within their range: a ReLU may be nothing but the end of it. */
static void see_raw(pcs_node_pair *p, const float *got, const float *x, uint64_t n)
{
    const float least = pcs_qparams_real(&p->params, p->scheme.low);
    const float most = pcs_qparams_real(&p->params, p->scheme.high);
    for (uint64_t i = 0; i < n; i++) {
        float a = got[i], b = x[i];
        if (p->has_codes) {
            a = a < least ? least : a > most ? most : a;
            b = b < least ? least : b > most ? most : b;
        }
        p->raw += ((double)a - (double)b) * ((double)a - (double)b);
    }
}

static void see_added(pcs_node_pair *p, const float *got, const float *x, uint64_t n)
{
    const double low = ((double)p->scheme.low - p->params.zero - 0.5) * (double)p->params.scale,
                 high = ((double)p->scheme.high - p->params.zero + 0.5) * (double)p->params.scale;
    p->added += squares(got, x, n);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t c = i / p->inner % p->channels;
        const double d = (double)got[i] - (double)x[i];
        p->error_sum[c] += d;
        p->count[c]++;
        if (p->has_codes && ((double)x[i] < low || (double)x[i] > high)) p->clipped_noise += d * d;
    }
}

/* The net step by step, each value put right after its node. */
static precis_status step_by_step(precis_node_errors *e, const precis_array *inputs)
{
    precis_program *q = e->q.program;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < q->n_steps && !st; i++) {
        st = pcs_watched_step(&e->q, i);
        for (size_t k = 0; k < e->n && !st; k++) {
            pcs_node_pair *p = &e->pairs[k];
            const float *x = p->step_q == i || p->step_d == i ? float_value(e, p, inputs) : NULL;
            const uint64_t n = x ? count_of(q, p->d) : 0;
            if (!x) continue;
            if (p->step_q == i && p->d != p->q && p->input < 0) see_raw(p, pcs_program_value(q, p->q), x, n);
            if (p->step_d != i) continue;
            see_added(p, pcs_program_value(q, p->d), x, n);
            pcs_program_write(q, p->d, x, n * sizeof *x);
        }
    }
    return st;
}

static precis_status one_sample(precis_node_errors *e, uint64_t i)
{
    const precis_array *inputs;
    const size_t n = e->f.file->n_inputs;
    bool made_f, made_q;
    precis_status st = precis_samples_read(e->samples, i, 1, &inputs);
    if (!st) st = pcs_watched_bind(&e->f, inputs, n, &made_f);
    if (!st) st = pcs_watched_bind(&e->q, inputs, n, &made_q);
    if (!st && (made_f || made_q) && e->used)
        return pcs_fail(e->ctx, PRECIS_EUNSUPPORTED,
                        "%s has another shape than the samples before it: nodes are compared on samples of one shape",
                        precis_samples_name(e->samples, i));
    if (!st) st = pcs_watched_run(&e->f);
    if (!st) st = pcs_watched_run(&e->q);
    if (!st && !e->used) st = match_nodes(e);
    for (size_t k = 0; k < e->n && !st; k++) {
        pcs_node_pair *p = &e->pairs[k];
        const float *x = float_value(e, p, inputs);
        const uint64_t count = count_of(e->q.program, p->d);
        st = see_float(p, x, count, p->n);
        if (!st) p->total += squares(pcs_program_value(e->q.program, p->d), x, count);
    }
    if (!st) st = step_by_step(e, inputs);
    e->used++;
    return st;
}

/* ---- what other codes would do ------------------------------------------------------------------- */

static void try_codes(pcs_node_pair *p, const float *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const double a = (double)pcs_qparams_real(&p->data_params, pcs_qparams_code(&p->scheme, &p->data_params, x[i])),
                     b = (double)pcs_qparams_real(&p->best_params, pcs_qparams_code(&p->scheme, &p->best_params, x[i]));
        p->of_data += (a - (double)x[i]) * (a - (double)x[i]);
        p->of_best += (b - (double)x[i]) * (b - (double)x[i]);
    }
    p->tried += n;
}

static precis_status try_sample(precis_node_errors *e, uint64_t i)
{
    const precis_array *inputs;
    bool made;
    precis_status st = precis_samples_read(e->samples, i, 1, &inputs);
    if (!st) st = pcs_watched_bind(&e->f, inputs, e->f.file->n_inputs, &made);
    if (!st) st = pcs_watched_run(&e->f);
    for (size_t k = 0; k < e->n && !st; k++)
        if (e->pairs[k].e.worst && e->pairs[k].has_codes)
            try_codes(&e->pairs[k], float_value(e, &e->pairs[k], inputs), count_of(e->f.program, e->pairs[k].f));
    return st;
}

static double decibels(double signal, double noise)
{
    return noise > 0 && signal > 0 ? 10 * log10(signal / noise) : noise > 0 ? -INFINITY : INFINITY;
}

static void rank(precis_node_errors *e)
{
    for (size_t i = 0; i < e->n; i++) {
        pcs_node_pair *p = &e->pairs[i];
        const double carried = p->total > p->added ? p->total - p->added : 0;
        p->e.sqnr_db = decibels(p->signal, p->total);
        p->e.added_db = decibels(p->signal, p->added);
        p->e.carried_db = decibels(p->signal, carried);
        p->e.clipped = p->has_codes && p->n ? (double)p->clipped / (double)p->n : 0;
    }
    for (int place = 1; place <= PCS_NODES_WORST; place++) {
        pcs_node_pair *worst = NULL;
        for (size_t i = 0; i < e->n; i++) {
            pcs_node_pair *p = &e->pairs[i];
            if (p->e.worst || !(p->added > 0) || !(p->signal > 0)) continue;
            if (!worst || p->e.added_db < worst->e.added_db) worst = p;
        }
        if (worst) worst->e.worst = place;
    }
}

static precis_status explain(precis_node_errors *e)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < e->n && !st; i++) {
        pcs_node_pair *p = &e->pairs[i];
        float low, high;
        if (!p->e.worst || !p->has_codes) continue;
        st = pcs_observation_range(p->best, &low, &high);
        p->best_params = pcs_qparams_choose(&p->scheme, low, high);
        p->data_params = pcs_qparams_choose(&p->scheme, p->low, p->high);
    }
    for (uint64_t i = 0; i < e->used && i < 8 && !st; i++) st = try_sample(e, i);
    for (size_t i = 0; i < e->n && !st; i++)
        if (e->pairs[i].e.worst) pcs_node_explain(&e->pairs[i]);
    return st;
}

precis_status precis_eval_nodes(precis_ctx *ctx, precis_net *net, precis_net *reference, precis_samples *samples,
                                precis_node_errors **out)
{
    precis_node_errors *e = *out = pcs_alloc(ctx, 1, sizeof *e);
    if (!e) return PRECIS_ENOMEM;
    e->ctx = ctx;
    e->samples = samples;
    pcs_arena_init(&e->arena, ctx);
    precis_status st = precis_samples_also(samples, reference);
    if (!st) st = pcs_watched_open(ctx, &e->f, reference);
    if (!st) st = pcs_watched_open(ctx, &e->q, net);
    for (uint64_t i = 0; i < precis_samples_count(samples) && !st; i++) {
        st = one_sample(e, i);
        if (!st) st = pcs_progress(ctx, "compare nodes", i + 1, precis_samples_count(samples));
    }
    const bool part = st == PRECIS_ECANCELED && e->used;
    if (!st || part) {
        rank(e);
        const precis_status more = explain(e);
        if (more) st = more;
    }
    if (st && !(part && st == PRECIS_ECANCELED)) precis_node_errors_close(out);
    return st;
}

size_t precis_node_errors_count(const precis_node_errors *e) { return e->n; }

uint64_t precis_node_errors_samples(const precis_node_errors *e) { return e->used; }

const precis_node_error *precis_node_errors_get(const precis_node_errors *e, size_t i)
{
    return i < e->n ? &e->pairs[i].e : NULL;
}

void precis_node_errors_close(precis_node_errors **out)
{
    precis_node_errors *e = *out;
    if (!e) return;
    for (size_t i = 0; i < e->n; i++) pcs_observation_close(&e->pairs[i].best);
    pcs_free(e->ctx, e->pairs);
    pcs_watched_close(&e->f);
    pcs_watched_close(&e->q);
    pcs_arena_free(&e->arena);
    pcs_free(e->ctx, e);
    *out = NULL;
}
