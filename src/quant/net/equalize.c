/* equalize - cross-layer equalization (Nagel et al. 2019, 1906.04721, section 4.1): a channel between two layers is
 * divided by s after the first and multiplied by s in the second, so that its weights have the same range in both:
 * s = sqrt(r1 / r2) (equations 10 and 11). Ranges of channels differ most in depthwise nets, where one scale for a
 * tensor leaves narrow channels without codes.
 *
 * Exact through what keeps its form when numbers are multiplied (ReLU, LeakyReLU, PReLU, poolings, zeros around). A
 * bound that does (ReLU6) becomes one of each channel, 6 / s: where clamps stay ops (ranges of each run, or none). A
 * clamp that is the end of codes has one bound, so with static ranges a ReLU6 ends the chain. */
#include "base/fmath_more.h"
#include "quant/net/method.h"

#define ROUNDS 20
#define ENOUGH 1e-3 /* of a scale, in a round */

extern const pcs_op pcs_op_conv, pcs_op_matmul, pcs_op_relu, pcs_op_leaky_relu, pcs_op_prelu, pcs_op_pool,
    pcs_op_max_pool, pcs_op_avg_pool, pcs_op_pad, pcs_op_min, pcs_op_max;

/* A layer and the one after it; where bounds between them stand. */
typedef struct {
    size_t first, second;
    int64_t channels;
    size_t bounds[2];
    uint32_t n_bounds;
} pair;

static bool is_layer(const precis_graph *g, const pcs_node *n)
{
    pcs_net_weight f;
    if ((n->op != &pcs_op_conv && n->op != &pcs_op_matmul) || !pcs_net_weight_of(g, n, &f) || f.axis) return false;
    if (n->n_in <= n->op->bias) return true;
    const pcs_value *b = &g->values[n->in[n->op->bias]];
    return b->dims == 1 && b->shape[0] == f.channels && pcs_value_f32(b, (uint64_t)f.channels);
}

/* Channels that the second one reads: those of its weights' dimension 1 in all groups. */
static int64_t read_channels(const precis_graph *g, const pcs_node *n)
{
    const pcs_value *w = &g->values[n->in[n->op->weight]];
    return n->op == &pcs_op_conv ? g->values[n->in[0]].shape[1] : w->shape[1];
}

/* Does the op give s f(x) for s x, for each channel by itself? *bound: it does where its constant is divided, too. */
static bool keeps_form(const precis_graph *g, const pcs_node *n, precis_value x, bool *bound)
{
    *bound = false;
    if (n->in[0] != x && n->op != &pcs_op_min && n->op != &pcs_op_max) return false;
    if (n->op == &pcs_op_relu || n->op == &pcs_op_leaky_relu || n->op == &pcs_op_prelu || n->op == &pcs_op_max_pool ||
        n->op == &pcs_op_avg_pool)
        return true;
    if (n->op == &pcs_op_pool) return n->attr[4].text[0] == 'm'; /* the largest, or means */
    if (n->op == &pcs_op_pad) {
        const pcs_value *zero = &g->values[n->in[1]];
        const uint32_t dims = g->values[x].dims;
        for (uint32_t i = 0; i < 2 * dims; i++)
            if (n->attr[0].list[i] && (i % dims < 2 || n->attr[0].list[i] < 0)) return false;
        const float *number = pcs_value_f32(zero, 1);
        return n->attr[1].text[0] != 'c' || (number && *number == 0);
    }
    if (n->op != &pcs_op_min && n->op != &pcs_op_max) return false;
    const pcs_value *c = &g->values[n->in[n->in[0] == x]];
    const float *number = pcs_value_f32(c, 1);
    if (!number || c->dims) return false;
    *bound = *number != 0;
    return true;
}

/* The only reader of v; n_nodes: there is none, or are others. */
static size_t reader(const precis_graph *g, precis_value v)
{
    if (pcs_value_uses(g, v) != 1 || g->values[v].output) return g->n_nodes;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] == v) return i;
    return g->n_nodes;
}

/* The layer that alone reads another's channels, after what keeps their form. */
static bool find_pair(const precis_net_quant *q, size_t first, pair *p)
{
    const precis_graph *g = q->g;
    precis_value v = g->nodes[first].out[0];
    *p = (pair){ .first = first, .second = g->n_nodes };
    for (size_t i = reader(g, v); i < g->n_nodes; i = reader(g, v)) {
        const pcs_node *n = &g->nodes[i];
        bool bound;
        if (is_layer(g, n)) {
            pcs_net_weight f;
            pcs_net_weight_of(g, &g->nodes[first], &f);
            p->second = i;
            p->channels = f.channels;
            return n->in[0] == v && f.channels == read_channels(g, n) && n->op == g->nodes[first].op;
        }
        if (!keeps_form(g, n, v, &bound)) return false;
        if (bound && (q->mode == PCS_NET_STATIC || p->n_bounds == 2)) return false;
        if (bound) p->bounds[p->n_bounds++] = i;
        v = n->out[0];
    }
    return false;
}

/* ---- ranges ---------------------------------------------------------------------------------------- */

/* Weights of the graph's own, which may be changed. */
static float *own(precis_net_quant *q, precis_value v, int64_t n)
{
    const float *from = pcs_value_f32(&q->g->values[v], (uint64_t)n);
    float *to = from ? pcs_arena_alloc(&q->g->arena, (size_t)n + 16, sizeof *to) : NULL;
    if (!from) pcs_graph_fail(q->g, PRECIS_EINVAL, "weights %s have fewer numbers than rows", q->g->values[v].name);
    if (to) memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

typedef struct {
    float *w, *bias; /* copies */
    int64_t rows, k; /* outputs, and weights of each */
    int64_t taps;    /* of a channel that is read */
    int64_t each;    /* channels that a group reads */
    int64_t group;   /* outputs of a group */
} layer;

static precis_status open_layer(precis_net_quant *q, size_t at, layer *l)
{
    precis_graph *g = q->g;
    pcs_node *n = &g->nodes[at];
    const pcs_value w = g->values[n->in[n->op->weight]];
    *l = (layer){ .rows = w.shape[0], .k = 1, .taps = 1, .each = w.shape[1] };
    for (uint32_t i = 1; i < w.dims; i++) l->k *= w.shape[i];
    for (uint32_t i = 2; i < w.dims; i++) l->taps *= w.shape[i];
    l->group = l->rows / (read_channels(g, n) / l->each);
    precis_value *in = pcs_arena_alloc(&g->arena, n->n_in, sizeof *in);
    l->w = own(q, n->in[n->op->weight], l->rows * l->k);
    if (!l->w || !in) return g->error ? g->error : PRECIS_ENOMEM;
    memcpy(in, n->in, n->n_in * sizeof *in);
    pcs_value made = w;
    made.store = pcs_store_rows(l->w, (uint64_t)(l->rows * l->k) * sizeof *l->w, PCS_KEPT_BY_GRAPH);
    in[n->op->weight] = pcs_graph_add_value(g, &made);
    if (n->n_in > n->op->bias) {
        made = g->values[n->in[n->op->bias]];
        l->bias = own(q, n->in[n->op->bias], l->rows);
        if (!l->bias) return g->error ? g->error : PRECIS_ENOMEM;
        made.store = pcs_store_rows(l->bias, (uint64_t)l->rows * sizeof *l->bias, PCS_KEPT_BY_GRAPH);
        in[n->op->bias] = pcs_graph_add_value(g, &made);
    }
    g->nodes[at].in = in;
    return g->error;
}

static double magnitude(float x) { return x < 0 ? -(double)x : (double)x; }

/* The largest of what an output has, and of what reads a channel. */
static double range_out(const layer *l, int64_t c)
{
    double most = 0;
    for (int64_t i = 0; i < l->k; i++) {
        const double m = magnitude(l->w[c * l->k + i]);
        most = m > most ? m : most;
    }
    return most;
}

/* Weights that read channel c: rows of its group, from column `at` on. */
static float *readers_of(const layer *l, int64_t c, int64_t row)
{
    return l->w + (c / l->each * l->group + row) * l->k + c % l->each * l->taps;
}

static double range_in(const layer *l, int64_t c)
{
    double most = 0;
    for (int64_t r = 0; r < l->group; r++)
        for (int64_t t = 0; t < l->taps; t++) {
            const double m = magnitude(readers_of(l, c, r)[t]);
            most = m > most ? m : most;
        }
    return most;
}

/* s of a channel; 1 where a side is zero, or what is no number. */
static double divisor(const layer *a, const layer *b, int64_t c)
{
    const double out = range_out(a, c), in = range_in(b, c);
    if (!(out > 1e-30 && out < 1e30 && in > 1e-30 && in < 1e30)) return 1;
    const double s = pcs_m_sqrt(out / in);
    return s > 1e-8 && s < 1e8 ? s : 1;
}

static void divide(layer *a, layer *b, int64_t c, double s)
{
    for (int64_t i = 0; i < a->k; i++) a->w[c * a->k + i] = (float)((double)a->w[c * a->k + i] / s);
    if (a->bias) a->bias[c] = (float)((double)a->bias[c] / s);
    for (int64_t r = 0; r < b->group; r++)
        for (int64_t t = 0; t < b->taps; t++) readers_of(b, c, r)[t] = (float)((double)readers_of(b, c, r)[t] * s);
}

/* A bound of all channels becomes one of each. */
static precis_status divide_bounds(precis_net_quant *q, const pair *p, const double *by)
{
    precis_graph *g = q->g;
    for (uint32_t i = 0; i < p->n_bounds; i++) {
        pcs_node *n = &g->nodes[p->bounds[i]];
        const uint32_t at = pcs_value_is_known(&g->values[n->in[1]]), dims = g->values[n->out[0]].dims;
        const float *bound = pcs_value_f32(&g->values[n->in[at]], 1);
        if (!bound) return pcs_op_fail(g, n, "has no constant bound");
        int64_t shape[PCS_GRAPH_DIMS];
        float *each = pcs_alloc(g->ctx, (size_t)p->channels, sizeof *each);
        precis_value *in = pcs_arena_alloc(&g->arena, 2, sizeof *in);
        if (!each || !in) {
            pcs_free(g->ctx, each);
            return PRECIS_ENOMEM;
        }
        const uint32_t axis = g->nodes[p->first].op == &pcs_op_conv ? 1 : dims - 1;
        for (uint32_t d = 0; d < dims; d++) shape[d] = d == axis ? p->channels : 1;
        for (int64_t c = 0; c < p->channels; c++) each[c] = (float)((double)*bound / by[c]);
        memcpy(in, n->in, 2 * sizeof *in);
        in[at] = precis_graph_constant(g, "bound", dims, shape, each);
        g->nodes[p->bounds[i]].in = in;
        pcs_free(g->ctx, each);
    }
    return g->error;
}

/* Round after round over all pairs, until no scale moves much: a layer stands in two of them. */
static void even_out(const pair *p, size_t n, layer *layers, double *const *by)
{
    bool moved = true;
    for (int round = 0; round < ROUNDS && moved; round++) {
        moved = false;
        for (size_t i = 0; i < n; i++)
            for (int64_t c = 0; c < p[i].channels; c++) {
                layer *a = &layers[p[i].first], *b = &layers[p[i].second];
                const double s = divisor(a, b, c);
                divide(a, b, c, s);
                by[i][c] *= s;
                moved = moved || s > 1 + ENOUGH || s < 1 - ENOUGH;
            }
    }
}

static precis_status prepare(precis_net_quant *q)
{
    const size_t n_nodes = q->g->n_nodes;
    size_t n = 0;
    pcs_graph_renumber(q->g);
    pair *p = pcs_arena_alloc(&q->arena, n_nodes + 1, sizeof *p);
    layer *layers = pcs_arena_alloc(&q->arena, n_nodes + 1, sizeof *layers);
    double **by = pcs_arena_alloc(&q->arena, n_nodes + 1, sizeof *by);
    precis_status st = p && layers && by ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < n_nodes && !st; i++)
        if (is_layer(q->g, &q->g->nodes[i]) && find_pair(q, i, &p[n])) n++;
    for (size_t i = 0; i < n && !st; i++) {
        if (!layers[p[i].first].w) st = open_layer(q, p[i].first, &layers[p[i].first]);
        if (!st && !layers[p[i].second].w) st = open_layer(q, p[i].second, &layers[p[i].second]);
        by[i] = pcs_arena_alloc(&q->arena, (size_t)p[i].channels + 1, sizeof **by);
        if (!by[i]) st = PRECIS_ENOMEM;
        for (int64_t c = 0; !st && c < p[i].channels; c++) by[i][c] = 1;
    }
    if (st) return st;
    even_out(p, n, layers, by);
    for (size_t i = 0; i < n && !st; i++) st = divide_bounds(q, &p[i], by[i]);
    q->equalized = pcs_arena_alloc(&q->arena, q->g->n_values + 1, sizeof *q->equalized);
    if (!q->equalized) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++)
        q->equalized[q->g->nodes[p[i].first].out[0]] = q->equalized[q->g->nodes[p[i].second].out[0]] = true;
    return st ? st : q->g->error ? pcs_fail(q->ctx, q->g->error, "%s", q->g->message) : PRECIS_OK;
}

const pcs_net_method pcs_net_method_equalize = {
    .name = "equalize", .what = "channels' weights get the same range in neighbouring layers",
    .prepare = prepare,
};
