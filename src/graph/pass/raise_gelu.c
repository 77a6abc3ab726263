/* raise_gelu - GELU from its pieces: half of x times one plus erf(x / sqrt 2), or times one plus tanh(sqrt(2 / pi) (x +
 * 0.044715 x^3)) (Hendrycks and Gimpel 2016), in whatever order an exporter multiplies them.
 *
 * The result's bits change: the pieces round f32 after each step. The exact form becomes the f32 one that ONNX's Gelu
 * is read as, so a file that is written and read again has the same bits. */
#include "graph/pass/raise.h"

extern const pcs_op pcs_op_gelu, pcs_op_mul, pcs_op_div, pcs_op_erf, pcs_op_tanh;

enum { TANH, SINGLE };
#define ROOT_HALF 0.70710678118654752440
#define ROOT_2_PI 0.79788456080286535588

/* The erf or tanh that v is one more than, times half over `by`; NULL: none. */
static const pcs_node *gate_in(const precis_graph *g, precis_value v, double by)
{
    pcs_cubic sum;
    const pcs_node *n = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    for (uint32_t k = 0; n && n->n_in == 2 && k < 2; k++) {
        const pcs_node *gate = pcs_made_by(g, n->in[k], &pcs_op_erf);
        if (!gate) gate = pcs_made_by(g, n->in[k], &pcs_op_tanh);
        if (gate && pcs_cubic_of(g, v, n->in[k], &sum) && pcs_about(by * sum.c[0], 0.5) &&
            pcs_about(by * sum.c[1], 0.5) && sum.c[2] == 0 && sum.c[3] == 0)
            return gate;
    }
    return NULL;
}

/* Is it the function of x that GELU's gate has? */
static bool is_gate(const precis_graph *g, const pcs_node *gate, precis_value x)
{
    pcs_cubic p;
    const bool tanh = gate->op == &pcs_op_tanh;
    if (!pcs_cubic_of(g, gate->in[0], x, &p) || p.c[0] != 0 || p.c[2] != 0) return false;
    return pcs_about(p.c[1], tanh ? ROOT_2_PI : ROOT_HALF) &&
           (tanh ? pcs_about(p.c[3], 0.044715 * ROOT_2_PI) : p.c[3] == 0);
}

/* The product v as x times such a gate. */
static const pcs_node *gated_by(const precis_graph *g, precis_value v, precis_value x)
{
    pcs_factors f;
    if (!pcs_factors_of(g, v, x, &f) || f.n != 2) return NULL;
    for (uint32_t k = 0; k < 2; k++) {
        if (f.of[k] != x) continue;
        const pcs_node *gate = gate_in(g, f.of[1 - k], f.by);
        if (gate && is_gate(g, gate, x)) return gate;
    }
    return NULL;
}

/* Values that the product is made of, x among them where it is one of ours: x may be a product itself. */
static uint32_t candidates(const precis_graph *g, const pcs_node *n, int depth, precis_value *to, uint32_t at)
{
    for (uint32_t k = 0; k < n->n_in && at < 16; k++) {
        const precis_value v = n->in[k];
        if (pcs_value_is_known(&g->values[v])) continue;
        to[at++] = v;
        const pcs_node *m = pcs_made_by(g, v, &pcs_op_mul);
        if (!m) m = pcs_made_by(g, v, &pcs_op_div);
        if (m && depth < 3) at = candidates(g, m, depth + 1, to, at);
    }
    return at;
}

static precis_status raise(precis_graph *g, pcs_node *n)
{
    precis_value x[16];
    const uint32_t many = candidates(g, n, 0, x, 0);
    for (uint32_t i = 0; i < many; i++) {
        const bool fits = g->values[x[i]].dtype == PCS_F32 && pcs_same_shape(g, x[i], n->out[0]);
        const pcs_node *gate = fits ? gated_by(g, n->out[0], x[i]) : NULL;
        if (!gate) continue;
        const bool tanh = gate->op == &pcs_op_tanh;
        const precis_status st = pcs_node_become(g, n, &pcs_op_gelu, 1, &x[i]);
        if (st) return st;
        precis_attr *attr = pcs_node_own_attrs(g, n);
        if (!attr) return PRECIS_ENOMEM;
        attr[TANH].integer = tanh;
        attr[SINGLE].integer = !tanh;
        return PRECIS_OK;
    }
    return PRECIS_OK;
}

static precis_status run(precis_graph *g) { return pcs_raise_products(g, raise); }

const pcs_pass pcs_pass_raise_gelu = { "raise_gelu", run };
