/* raise_attention - attention from its pieces: a product, numbers that it is multiplied and divided by, a mask, a
 * softmax over the last dimension, torch's guard against queries that see nothing, and a product with values; views
 * between them that only split or join batches are looked through.
 *
 * The bits stay what they are (op/attend.c): it is part of what nets are run as. All dimensions are known there. */
#include "base/fmath_more.h"
#include "graph/element.h"
#include "graph/pass/raise.h"

extern const pcs_op pcs_op_attend, pcs_op_product, pcs_op_normalize, pcs_op_reshape, pcs_op_mul, pcs_op_div,
    pcs_op_add, pcs_op_where, pcs_op_not, pcs_op_cast, pcs_op_reduce, pcs_op_equal;

typedef struct {
    precis_value q, k, v, mask;
    double scale, over;
    bool safe;
    const pcs_value *scores; /* what the softmax sees */
} found;

static bool of_size(const pcs_value *v)
{
    for (uint32_t i = 0; i < v->dims; i++)
        if (pcs_dim_is_id(v->shape[i])) return false;
    return v->dims >= 2 && v->dtype == PCS_F32;
}

static bool same_matrices(const pcs_value *a, const pcs_value *b)
{
    return of_size(a) && of_size(b) && a->shape[a->dims - 1] == b->shape[b->dims - 1] &&
           a->shape[a->dims - 2] == b->shape[b->dims - 2];
}

/* Behind views that keep the matrices as they are. */
static precis_value behind_views(const precis_graph *g, precis_value v)
{
    const pcs_node *n = pcs_made_by(g, v, &pcs_op_reshape);
    while (n && same_matrices(&g->values[v], &g->values[n->in[0]])) {
        v = n->in[0];
        n = pcs_made_by(g, v, &pcs_op_reshape);
    }
    return v;
}

static bool minus_infinity(const precis_graph *g, const pcs_node *equal, precis_value *x)
{
    double number;
    return equal && pcs_beside_number(g, equal, x, &number) && number == -PCS_INFINITY;
}

static const pcs_node *behind_casts(const precis_graph *g, precis_value v)
{
    const pcs_node *n = pcs_made_by(g, v, &pcs_op_cast);
    while (n) {
        v = n->in[0];
        n = pcs_made_by(g, v, &pcs_op_cast);
    }
    return g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
}

static bool over_last(const precis_graph *g, const pcs_node *reduce)
{
    const uint32_t dims = g->values[reduce->in[0]].dims;
    const char *kind = reduce->attr[0].text; /* the largest */
    return kind[0] == 'm' && kind[1] == 'a' && reduce->attr[1].n == 1 && reduce->attr[2].integer &&
           pcs_axis(reduce->attr[1].list[0], dims) + 1 == dims;
}

/* Is it true where all of a row of scores is minus infinity? As sdpa is read: the largest is; as its core form says it:
 * none is not. */
static bool sees_nothing(const precis_graph *g, precis_value condition, precis_value *scores)
{
    const pcs_node *n = behind_casts(g, condition);
    if (n && n->op == &pcs_op_equal) {
        precis_value top;
        const pcs_node *most = minus_infinity(g, n, &top) ? pcs_made_by(g, top, &pcs_op_reduce) : NULL;
        *scores = most ? most->in[0] : -1;
        return most && over_last(g, most);
    }
    const pcs_node *any = n && n->op == &pcs_op_not ? behind_casts(g, n->in[0]) : NULL;
    if (!any || any->op != &pcs_op_reduce || !over_last(g, any)) return false;
    const pcs_node *some = behind_casts(g, any->in[0]);
    return some && some->op == &pcs_op_not &&
           minus_infinity(g, pcs_made_by(g, some->in[0], &pcs_op_equal), scores);
}

static bool zero(const precis_graph *g, precis_value v)
{
    const pcs_value *c = &g->values[v];
    uint64_t n = 1;
    for (uint32_t i = 0; i < c->dims; i++) n *= (uint64_t)c->shape[i];
    const float *x = pcs_value_f32(c, n);
    if (!x) return false;
    for (uint64_t i = 0; i < n; i++)
        if (x[i] != 0) return false;
    return n > 0;
}

/* Number, mask and product before the softmax; each only here. */
static bool match_scores(const precis_graph *g, precis_value s, found *f)
{
    double number;
    const pcs_node *n = pcs_made_by(g, s, &pcs_op_add);
    f->mask = -1, f->scale = f->over = 1;
    for (uint32_t k = 0; n && k < 2 && f->mask < 0; k++) {
        const precis_value under = behind_views(g, n->in[k]);
        const bool scored = pcs_made_by(g, under, &pcs_op_product) || pcs_made_by(g, under, &pcs_op_mul) ||
                            pcs_made_by(g, under, &pcs_op_div);
        if (!scored || !pcs_same_shape(g, n->in[k], s) || pcs_value_uses(g, n->in[k]) != 1) continue;
        f->mask = n->in[1 - k];
        s = n->in[k];
    }
    s = behind_views(g, s);
    if ((n = pcs_made_by(g, s, &pcs_op_div)) && pcs_one_number(g, n->in[1], &f->over)) s = behind_views(g, n->in[0]);
    if ((n = pcs_made_by(g, s, &pcs_op_mul)) && pcs_beside_number(g, n, &s, &number)) {
        f->scale = number;
        s = behind_views(g, s);
    }
    n = pcs_made_by(g, s, &pcs_op_product);
    if (!n || pcs_value_uses(g, s) != 1) return false;
    f->q = n->in[0], f->k = n->in[1];
    return true;
}

static int64_t batches(const pcs_value *v)
{
    int64_t n = 1;
    for (uint32_t i = 0; i + 2 < v->dims; i++) n *= pcs_dim_is_id(v->shape[i]) ? 0 : v->shape[i];
    return n;
}

/* As many matrices of each: none is spread over others. */
static bool one_each(const precis_graph *g, const pcs_node *n, const found *f)
{
    const pcs_value *q = &g->values[f->q], *k = &g->values[f->k], *v = &g->values[f->v], *y = &g->values[n->out[0]];
    if (!of_size(q) || !of_size(k) || !of_size(v) || !of_size(y) || y->dims != v->dims) return false;
    for (uint32_t i = 0; i + 2 < v->dims; i++)
        if (v->shape[i] != y->shape[i]) return false;
    const int64_t many = batches(f->scores);
    return many > 0 && batches(q) == many && batches(k) == many && batches(v) == many &&
           f->scores->shape[f->scores->dims - 1] > 0;
}

static bool attends(const precis_graph *g, const pcs_node *n, found *f)
{
    precis_value p = n->in[0], scores = -1;
    f->v = n->in[1];
    if (pcs_value_uses(g, p) != 1) return false;
    p = behind_views(g, p);
    const pcs_node *guard = pcs_made_by(g, p, &pcs_op_where);
    if (guard) {
        if (!zero(g, guard->in[1]) || !sees_nothing(g, guard->in[0], &scores) || pcs_value_uses(g, p) != 1 ||
            !pcs_same_shape(g, p, guard->in[2]))
            return false;
        p = guard->in[2];
    }
    const pcs_node *soft = pcs_made_by(g, p, &pcs_op_normalize);
    if (!soft || pcs_value_uses(g, p) != 1 || strcmp(soft->attr[1].text, "soft")) return false;
    const precis_value s = soft->in[0];
    f->scores = &g->values[s];
    f->safe = guard != NULL;
    if (guard && scores != s) return false;
    if (!of_size(f->scores) || pcs_axis(soft->attr[0].integer, f->scores->dims) + 1 != f->scores->dims) return false;
    return pcs_value_uses(g, s) == 1 + (size_t)f->safe && match_scores(g, s, f) && one_each(g, n, f);
}

static precis_status raise(precis_graph *g, pcs_node *n)
{
    found f = { 0 };
    if (!attends(g, n, &f)) return PRECIS_OK;
    const precis_value in[] = { f.q, f.k, f.v, f.mask };
    const uint32_t many = f.scores->dims - 2;
    int64_t *batch = pcs_arena_alloc(&g->arena, many + 1, sizeof *batch);
    if (!batch) return PRECIS_ENOMEM;
    memcpy(batch, f.scores->shape, many * sizeof *batch);
    const precis_status st = pcs_node_become(g, n, &pcs_op_attend, f.mask < 0 ? 3 : 4, in);
    precis_attr *attr = st ? NULL : pcs_node_own_attrs(g, n);
    if (!attr) return st ? st : PRECIS_ENOMEM;
    attr[0].real = f.scale;
    attr[1].real = f.over;
    attr[2].integer = f.safe;
    attr[3].list = batch;
    attr[3].n = many;
    return PRECIS_OK;
}

static precis_status run(precis_graph *g)
{
    precis_status st = PRECIS_OK;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->nodes[i].op == &pcs_op_product) st = raise(g, &g->nodes[i]);
    return st ? st : precis_graph_pass(g, "drop_unused");
}

const pcs_pass pcs_pass_raise_attention = { "raise_attention", run };
