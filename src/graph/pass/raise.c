/* raise.c - what raise.h says. Depths are bounded: a chain that shares its operands would else be walked as a tree of
 * any size. */
#include "graph/pass/raise.h"

#define DEEPEST 6

extern const pcs_op pcs_op_add, pcs_op_sub, pcs_op_mul, pcs_op_div, pcs_op_neg, pcs_op_pow;

const pcs_node *pcs_made_by(const precis_graph *g, precis_value v, const pcs_op *op)
{
    const pcs_node *n = v < 0 || g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    return n && n->op == op ? n : NULL;
}

bool pcs_one_number(const precis_graph *g, precis_value v, double *number)
{
    const pcs_value *c = &g->values[v];
    const float *x = pcs_value_f32(c, 1);
    if (!x) return false;
    for (uint32_t i = 0; i < c->dims; i++)
        if (c->shape[i] != 1) return false;
    *number = (double)*x;
    return true;
}

bool pcs_about(double a, double b)
{
    const double d = a < b ? b - a : a - b, x = a < 0 ? -a : a, y = b < 0 ? -b : b;
    return d <= 1e-6 * (x > y ? x : y);
}

bool pcs_same_shape(const precis_graph *g, precis_value a, precis_value b)
{
    const pcs_value *x = &g->values[a], *y = &g->values[b];
    return x->dims == y->dims && x->dtype == y->dtype && !memcmp(x->shape, y->shape, x->dims * sizeof x->shape[0]);
}

bool pcs_beside_number(const precis_graph *g, const pcs_node *n, precis_value *other, double *number)
{
    for (uint32_t k = 0; k < 2; k++)
        if (pcs_one_number(g, n->in[k], number)) {
            *other = n->in[1 - k];
            return true;
        }
    return false;
}

/* ---- polynomials -------------------------------------------------------------------------------- */

static bool times(const pcs_cubic *a, const pcs_cubic *b, pcs_cubic *out)
{
    pcs_cubic r = { { 0 } };
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++) {
            const double c = a->c[i] * b->c[k];
            if (i + k < 4) r.c[i + k] += c;
            else if (c != 0) return false;
        }
    *out = r;
    return true;
}

static bool is_level(const pcs_cubic *a) { return a->c[1] == 0 && a->c[2] == 0 && a->c[3] == 0; }

static bool power(const pcs_cubic *a, const pcs_cubic *b, pcs_cubic *out)
{
    pcs_cubic r = { { 1 } };
    if (!is_level(b) || (b->c[0] != 1 && b->c[0] != 2 && b->c[0] != 3)) return false;
    for (int i = 0; i < (int)b->c[0]; i++)
        if (!times(&r, a, &r)) return false;
    *out = r;
    return true;
}

static bool cubic(const precis_graph *g, precis_value v, precis_value x, int depth, pcs_cubic *out)
{
    pcs_cubic p[2];
    *out = (pcs_cubic){ { 0 } };
    if (v == x) {
        out->c[1] = 1;
        return true;
    }
    if (pcs_one_number(g, v, &out->c[0])) return true;
    const pcs_node *n = g->values[v].node < 0 ? NULL : &g->nodes[g->values[v].node];
    const pcs_op *op = n ? n->op : NULL;
    const bool pair = op == &pcs_op_add || op == &pcs_op_sub || op == &pcs_op_mul || op == &pcs_op_div ||
                      op == &pcs_op_pow;
    if (depth == DEEPEST || (!pair && op != &pcs_op_neg)) return false;
    for (uint32_t k = 0; k < n->n_in; k++)
        if (!cubic(g, n->in[k], x, depth + 1, &p[k])) return false;
    if (op == &pcs_op_mul) return times(&p[0], &p[1], out);
    if (op == &pcs_op_pow) return power(&p[0], &p[1], out);
    if (op == &pcs_op_div && (!is_level(&p[1]) || p[1].c[0] == 0)) return false;
    for (int i = 0; i < 4; i++)
        out->c[i] = op == &pcs_op_neg   ? -p[0].c[i]
                    : op == &pcs_op_div ? p[0].c[i] / p[1].c[0]
                    : op == &pcs_op_add ? p[0].c[i] + p[1].c[i]
                                        : p[0].c[i] - p[1].c[i];
    return true;
}

bool pcs_cubic_of(const precis_graph *g, precis_value v, precis_value x, pcs_cubic *out)
{
    return cubic(g, v, x, 0, out);
}

/* ---- products ----------------------------------------------------------------------------------- */

static bool factors(const precis_graph *g, precis_value v, precis_value x, int depth, pcs_factors *f)
{
    double number;
    if (v != x && pcs_one_number(g, v, &number)) {
        f->by *= number;
        return true;
    }
    const pcs_node *product = v == x || depth == DEEPEST ? NULL : pcs_made_by(g, v, &pcs_op_mul);
    if (product)
        return factors(g, product->in[0], x, depth + 1, f) && factors(g, product->in[1], x, depth + 1, f);
    const pcs_node *quotient = v == x || depth == DEEPEST ? NULL : pcs_made_by(g, v, &pcs_op_div);
    if (quotient && pcs_one_number(g, quotient->in[1], &number) && number != 0) {
        f->by /= number;
        return factors(g, quotient->in[0], x, depth + 1, f);
    }
    if (f->n == PCS_FACTORS) return false;
    f->of[f->n++] = v;
    return true;
}

bool pcs_factors_of(const precis_graph *g, precis_value v, precis_value x, pcs_factors *out)
{
    *out = (pcs_factors){ .by = 1 };
    return factors(g, v, x, 0, out);
}

precis_status pcs_raise_products(precis_graph *g, pcs_raise_fn *raise)
{
    precis_status st = PRECIS_OK;
    pcs_graph_renumber(g);
    for (size_t i = 0; i < g->n_nodes && !st; i++)
        if (g->nodes[i].op == &pcs_op_mul || g->nodes[i].op == &pcs_op_div) st = raise(g, &g->nodes[i]);
    return st;
}
