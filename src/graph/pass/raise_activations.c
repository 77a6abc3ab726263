/* raise_activations - x * sigmoid(a x), as exporters write it, becomes swish; x * clamp(x + 3, 0, 6) / 6 hard_swish,
 * and the clamp alone hard_sigmoid, in whatever order they are multiplied: one op, whose result alone is rounded when
 * nets get codes. The bits change, where pieces were rounded one after another. */
#include "graph/pass/raise.h"

extern const pcs_op pcs_op_mul, pcs_op_div, pcs_op_sigmoid, pcs_op_hard_sigmoid, pcs_op_swish, pcs_op_hard_swish,
    pcs_op_min, pcs_op_max, pcs_op_relu;

enum { ALPHA, BETA };

static const pcs_node *maker(const precis_graph *g, precis_value v)
{
    return g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
}

/* What v holds between 0 and *top; -1: nothing. */
static precis_value clamped(const precis_graph *g, precis_value v, double *top)
{
    double zero;
    precis_value x;
    const pcs_node *n = pcs_made_by(g, v, &pcs_op_min);
    if (n) {
        if (!pcs_beside_number(g, n, &x, top) || *top <= 0) return -1;
        const pcs_node *relu = pcs_made_by(g, x, &pcs_op_relu), *max = pcs_made_by(g, x, &pcs_op_max);
        if (relu) return relu->in[0];
        return max && pcs_beside_number(g, max, &x, &zero) && zero == 0 ? x : -1;
    }
    n = pcs_made_by(g, v, &pcs_op_max); /* the other way round */
    if (!n || !pcs_beside_number(g, n, &x, &zero) || zero != 0) return -1;
    n = pcs_made_by(g, x, &pcs_op_min);
    return n && pcs_beside_number(g, n, &x, top) && *top > 0 ? x : -1;
}

/* Is v, times by, clamp(x / 6 + 1 / 2, 0, 1)? */
static bool sixth(const precis_graph *g, precis_value v, double by, precis_value x)
{
    double top;
    pcs_cubic p;
    const pcs_node *gate = pcs_made_by(g, v, &pcs_op_hard_sigmoid);
    if (gate)
        return gate->in[0] == x && pcs_about(by, 1) && pcs_about(gate->attr[ALPHA].real * 6, 1) &&
               pcs_about(gate->attr[BETA].real, 0.5);
    const precis_value under = clamped(g, v, &top);
    if (under < 0 || !pcs_about(by * top, 1) || !pcs_cubic_of(g, under, x, &p)) return false;
    return pcs_about(p.c[1] * by * 6, 1) && pcs_about(p.c[0] * by, 0.5) && p.c[2] == 0 && p.c[3] == 0;
}

static precis_status become(precis_graph *g, pcs_node *n, const pcs_op *op, precis_value x, double alpha, double beta)
{
    const precis_status st = pcs_node_become(g, n, op, 1, &x);
    precis_attr *attr = st ? NULL : pcs_node_own_attrs(g, n);
    if (!attr) return st ? st : PRECIS_ENOMEM;
    attr[ALPHA].real = alpha;
    attr[BETA].real = beta;
    return PRECIS_OK;
}

static bool goes_through(const precis_graph *g, const pcs_node *n, precis_value x)
{
    return !pcs_value_is_known(&g->values[x]) && g->values[x].dtype == PCS_F32 && pcs_same_shape(g, x, n->out[0]);
}

/* x times the sigmoid of a times x. */
static bool gated(const precis_graph *g, const pcs_node *n, precis_value *x, double *alpha)
{
    pcs_cubic p;
    for (uint32_t k = 0; k < 2; k++) {
        const pcs_node *gate = pcs_made_by(g, n->in[k], &pcs_op_sigmoid);
        *x = n->in[1 - k];
        if (!gate || !goes_through(g, n, *x) || !pcs_cubic_of(g, gate->in[0], *x, &p)) continue;
        *alpha = p.c[1];
        if (p.c[0] == 0 && p.c[1] != 0 && p.c[2] == 0 && p.c[3] == 0) return true;
    }
    return false;
}

/* The x under a clamp that the product is made of: one that it is multiplied by, or that stands alone. */
static bool clamped_in(const precis_graph *g, const pcs_node *n, precis_value x, bool alone)
{
    pcs_factors f;
    if (!pcs_factors_of(g, n->out[0], x, &f) || f.n != (alone ? 1 : 2)) return false;
    for (uint32_t k = 0; k < f.n; k++)
        if ((alone || f.of[1 - k] == x) && sixth(g, f.of[k], f.by, x)) return true;
    return false;
}

/* Whose values the gates under a product read. */
static uint32_t candidates(const precis_graph *g, const pcs_node *n, int depth, precis_value *to, uint32_t at)
{
    for (uint32_t k = 0; n && k < n->n_in && at < 12; k++) {
        if (pcs_value_is_known(&g->values[n->in[k]])) continue;
        to[at++] = n->in[k];
        if (depth < 4) at = candidates(g, maker(g, n->in[k]), depth + 1, to, at);
    }
    return at;
}

static precis_status raise(precis_graph *g, pcs_node *n)
{
    precis_value x, all[12];
    double alpha;
    if (n->op == &pcs_op_mul && gated(g, n, &x, &alpha)) return become(g, n, &pcs_op_swish, x, alpha, 1);
    const uint32_t many = candidates(g, n, 0, all, 0);
    for (uint32_t i = 0; i < many; i++) {
        if (!goes_through(g, n, all[i])) continue;
        if (clamped_in(g, n, all[i], false)) return become(g, n, &pcs_op_hard_swish, all[i], 1, 1);
        if (clamped_in(g, n, all[i], true)) return become(g, n, &pcs_op_hard_sigmoid, all[i], 1 / 6.0, 0.5);
    }
    return PRECIS_OK;
}

static precis_status run(precis_graph *g) { return pcs_raise_products(g, raise); }

const pcs_pass pcs_pass_raise_activations = { "raise_activations", run };
