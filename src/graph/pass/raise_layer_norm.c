/* raise_layer_norm - layer normalization over the last dimension (Ba et al. 2016, equation 4) from its pieces: what is
 * less its mean, by the root of the mean of its squares, as exporters write it: squares as a power or a product, one
 * difference or two, quotients or reciprocals, sums by the count; times a constant vector, and plus one.
 *
 * The result's bits change: sums here are f32 in 16 lanes, those of the pieces f64. */
#include "graph/pass/raise.h"

extern const pcs_op pcs_op_layer_norm, pcs_op_reduce, pcs_op_sub, pcs_op_mul, pcs_op_div, pcs_op_add, pcs_op_pow,
    pcs_op_sqrt, pcs_op_reciprocal;

enum { KIND, AXES, KEEP };

/* What is normalized, and what stands for a part that has none. */
typedef struct {
    precis_value x, weight, bias;
    double eps;
    pcs_node *last; /* which becomes the op */
} norm_found;

/* Of what v is the mean over the last dimension, which stays as one; -1: it is none. */
static precis_value mean_of(const precis_graph *g, precis_value v)
{
    double by = 1;
    precis_value sum = v;
    const pcs_node *scaled = pcs_made_by(g, v, &pcs_op_mul), *over = pcs_made_by(g, v, &pcs_op_div);
    if (scaled && !pcs_beside_number(g, scaled, &sum, &by)) return -1;
    if (over) {
        if (!pcs_one_number(g, over->in[1], &by) || by == 0) return -1;
        by = 1 / by;
        sum = over->in[0];
    }
    const pcs_node *n = pcs_made_by(g, sum, &pcs_op_reduce);
    if (!n) return -1;
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t width = x->dims ? x->shape[x->dims - 1] : 0;
    const int64_t axis = n->attr[AXES].n == 1 ? n->attr[AXES].list[0] : 0;
    const bool last = n->attr[AXES].n == 1 && (axis == -1 || axis == (int64_t)x->dims - 1) && n->attr[KEEP].integer;
    if (!last || width < 1 || pcs_dim_is_id(width) || x->dtype != PCS_F32) return -1;
    const char *kind = n->attr[KIND].text;
    const bool mean = kind[0] == 'm' && kind[1] == 'e', total = kind[0] == 's' && !kind[3];
    return (mean && by == 1) || (total && pcs_about(by * (double)width, 1)) ? n->in[0] : -1;
}

/* x, where v is x less its mean. */
static precis_value centred(const precis_graph *g, precis_value v)
{
    const pcs_node *n = pcs_made_by(g, v, &pcs_op_sub);
    return n && mean_of(g, n->in[1]) == n->in[0] ? n->in[0] : -1;
}

static precis_value square_of(const precis_graph *g, precis_value v)
{
    double two;
    const pcs_node *p = pcs_made_by(g, v, &pcs_op_pow), *m = pcs_made_by(g, v, &pcs_op_mul);
    if (p && pcs_one_number(g, p->in[1], &two) && two == 2) return p->in[0];
    return m && m->in[0] == m->in[1] ? m->in[0] : -1;
}

/* x, where v is the variance of x plus eps. */
static precis_value variance(const precis_graph *g, precis_value v, double *eps)
{
    precis_value squares;
    const pcs_node *n = pcs_made_by(g, v, &pcs_op_add);
    if (!n || !pcs_beside_number(g, n, &squares, eps)) return -1;
    const precis_value all = mean_of(g, squares), one = all < 0 ? -1 : square_of(g, all);
    return one < 0 ? -1 : centred(g, one);
}

static precis_value root_of(const precis_graph *g, precis_value v, double power)
{
    double given;
    const pcs_node *p = pcs_made_by(g, v, &pcs_op_pow);
    if (p && pcs_one_number(g, p->in[1], &given) && given == power) return p->in[0];
    const pcs_node *s = pcs_made_by(g, v, &pcs_op_sqrt);
    return s && power > 0 ? s->in[0] : -1;
}

/* x, where v is one over x's deviation. */
static precis_value inverse_deviation(const precis_graph *g, precis_value v, double *eps)
{
    double one;
    const pcs_node *r = pcs_made_by(g, v, &pcs_op_reciprocal), *q = pcs_made_by(g, v, &pcs_op_div);
    precis_value under = root_of(g, v, -0.5);
    if (r) under = root_of(g, r->in[0], 0.5);
    if (q && pcs_one_number(g, q->in[0], &one) && one == 1) under = root_of(g, q->in[1], 0.5);
    return under < 0 ? -1 : variance(g, under, eps);
}

/* x, where the node gives (x - mean) / deviation. */
static precis_value normalized(const precis_graph *g, const pcs_node *n, double *eps)
{
    if (n->op == &pcs_op_div) {
        const precis_value x = centred(g, n->in[0]), under = x < 0 ? -1 : root_of(g, n->in[1], 0.5);
        return under >= 0 && variance(g, under, eps) == x ? x : -1;
    }
    for (uint32_t k = 0; n->op == &pcs_op_mul && k < 2; k++) {
        const precis_value x = centred(g, n->in[k]);
        if (x >= 0 && inverse_deviation(g, n->in[1 - k], eps) == x) return x;
    }
    return -1;
}

/* A constant vector along the last dimension, whatever stands before it. */
static bool vector(const precis_graph *g, precis_value v, int64_t width)
{
    const pcs_value *c = &g->values[v];
    if (!c->dims || c->shape[c->dims - 1] != width || !pcs_value_f32(c, (uint64_t)width)) return false;
    for (uint32_t i = 0; i + 1 < c->dims; i++)
        if (c->shape[i] != 1) return false;
    return true;
}

/* The only reader of a node's result, where it is that op beside such a vector. */
static pcs_node *next(precis_graph *g, const pcs_node *n, const pcs_op *op, int64_t width, precis_value *with)
{
    const precis_value v = n->out[0];
    if (pcs_value_uses(g, v) != 1 || g->values[v].output) return NULL;
    for (size_t i = (size_t)(n - g->nodes); i < g->n_nodes; i++)
        for (uint32_t k = 0; g->nodes[i].op == op && k < 2; k++)
            if (g->nodes[i].in[k] == v && vector(g, g->nodes[i].in[1 - k], width) &&
                pcs_same_shape(g, v, g->nodes[i].out[0])) {
                *with = g->nodes[i].in[1 - k];
                return &g->nodes[i];
            }
    return NULL;
}

/* tf.nn.batch_normalization's form: x r + (b - mean r), r the inverse deviation times w. */
static bool spread_out(const precis_graph *g, const pcs_node *n, norm_found *f)
{
    for (uint32_t k = 0; n->op == &pcs_op_add && k < 2; k++) {
        const pcs_node *scaled = pcs_made_by(g, n->in[k], &pcs_op_mul),
                       *shift = pcs_made_by(g, n->in[1 - k], &pcs_op_sub),
                       *off = shift ? pcs_made_by(g, shift->in[1], &pcs_op_mul) : NULL;
        for (uint32_t s = 0; scaled && off && s < 4; s++) {
            const precis_value x = scaled->in[s & 1], r = scaled->in[1 - (s & 1)], mean = off->in[s >> 1];
            if (off->in[1 - (s >> 1)] != r || mean_of(g, mean) != x) continue;
            const pcs_node *weighed = pcs_made_by(g, r, &pcs_op_mul);
            for (uint32_t w = 0; weighed && w < 2; w++)
                if (inverse_deviation(g, weighed->in[w], &f->eps) == x) {
                    *f = (norm_found){ .x = x, .weight = weighed->in[1 - w], .bias = shift->in[0], .eps = f->eps };
                    return true;
                }
        }
    }
    return false;
}

/* As a vector of one dimension; what stands already so is itself. fill: of one that is not there. */
static precis_value flat(precis_graph *g, precis_value v, int64_t width, const char *name)
{
    if (v >= 0 && g->values[v].dims == 1) return v;
    const float *from = v < 0 ? NULL : pcs_value_f32(&g->values[v], (uint64_t)width);
    if (v >= 0 && !from)
        return pcs_graph_fail(g, PRECIS_EINVAL, "value %s: fewer than %lld numbers", g->values[v].name,
                              (long long)width);
    float *data = pcs_alloc(g->ctx, (size_t)width, sizeof *data);
    if (!data) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
    for (int64_t i = 0; i < width; i++) data[i] = from ? from[i] : 1.0f;
    const precis_value made = precis_graph_constant(g, v < 0 ? name : g->values[v].name, 1, &width, data);
    pcs_free(g->ctx, data);
    return made;
}

static precis_status become_norm(precis_graph *g, const norm_found *f)
{
    const pcs_value *x = &g->values[f->x];
    const int64_t width = x->shape[x->dims - 1];
    precis_value in[3] = { f->x, flat(g, f->weight, width, "ones"), -1 };
    if (f->bias >= 0) in[2] = flat(g, f->bias, width, "");
    if (g->error) return g->error;
    const precis_status st = pcs_node_become(g, f->last, &pcs_op_layer_norm, f->bias >= 0 ? 3 : 2, in);
    precis_attr *attr = st ? NULL : pcs_node_own_attrs(g, f->last);
    if (!attr) return st ? st : PRECIS_ENOMEM;
    attr->real = (double)(float)f->eps;
    return PRECIS_OK;
}

static precis_status raise(precis_graph *g, pcs_node *n)
{
    norm_found f = { .weight = -1, .bias = -1, .last = n };
    if (spread_out(g, n, &f)) {
        const pcs_value *x = &g->values[f.x];
        const int64_t width = x->shape[x->dims - 1];
        if (!vector(g, f.weight, width) || !vector(g, f.bias, width)) return PRECIS_OK;
        f.last = n;
    } else {
        f.x = normalized(g, n, &f.eps);
        if (f.x < 0) return PRECIS_OK;
        const int64_t width = g->values[f.x].shape[g->values[f.x].dims - 1];
        pcs_node *m = next(g, n, &pcs_op_mul, width, &f.weight);
        if (m) f.last = m;
        if ((m = next(g, f.last, &pcs_op_add, width, &f.bias))) f.last = m;
    }
    return pcs_same_shape(g, f.x, f.last->out[0]) && f.eps >= 0 ? become_norm(g, &f) : PRECIS_OK;
}

static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes && !st; i++) {
        const pcs_op *op = g->nodes[i].op;
        if (op == &pcs_op_div || op == &pcs_op_mul || op == &pcs_op_add) st = raise(g, &g->nodes[i]);
    }
    return st;
}

const pcs_pass pcs_pass_raise_layer_norm = { "raise_layer_norm", run };
