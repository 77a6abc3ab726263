/* rope - rotary position embedding (Su et al. 2021) of each head of `dim` numbers: pairs (2i, 2i + 1) when
 * interleaved, (i, i + n) otherwise. Numbers beyond the rotated ones pass. */
#include "graph/graph.h"

enum { DIM, INTERLEAVED };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *t = &g->values[n->in[1]];
    const int64_t dim = n->attr[DIM].integer;
    if (x->dims != 2 || t->dims != 2 || dim < 1 || x->shape[1] % dim || t->shape[1] > dim || t->shape[0] != x->shape[0])
        return pcs_op_fail(g, n, "takes x[tokens, heads * dim] and a table[tokens, at most dim]");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t width = (size_t)c->in[0].shape[1], dim = (size_t)c->attr[DIM].integer,
                 n = (size_t)c->in[1].shape[1] / 2, rows = (size_t)c->in[0].shape[0];
    const bool interleaved = c->attr[INTERLEAVED].integer != 0;
    const size_t heads = width / dim;
    for (size_t u = rows * heads * ith / nth; u < rows * heads * (ith + 1) / nth; u++) {
        const float *x = (const float *)c->in[0].data + u * dim, *cs = (const float *)c->in[1].data + u / heads * 2 * n,
                    *sn = cs + n;
        float *y = (float *)c->out[0].data + u * dim;
        for (size_t i = 0; i < n; i++) {
            const size_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + n;
            const float p = x[a], q = x[b];
            y[a] = p * cs[i] - q * sn[i];
            y[b] = p * sn[i] + q * cs[i];
        }
        for (size_t i = 2 * n; i < dim; i++) y[i] = x[i];
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t width = (size_t)c->in[0].shape[1], dim = (size_t)c->attr[DIM].integer, heads = width / dim;
    const size_t n = (size_t)c->in[1].shape[1] / 2, rows = (size_t)c->in[0].shape[0];
    const bool interleaved = c->attr[INTERLEAVED].integer != 0;
    for (size_t u = rows * ith / nth * heads; u < rows * (ith + 1) / nth * heads; u++) {
        const float *x = (const float *)c->in[0].data + u * dim, *d = g->out[0] + u * dim;
        const float *cs = (const float *)c->in[1].data + u / heads * 2 * n, *sn = cs + n;
        float *dx = g->in[0] ? g->in[0] + u * dim : NULL, *table = g->in[1] ? g->in[1] + u / heads * 2 * n : NULL;
        for (size_t i = 0; i < n; i++) {
            const size_t a = interleaved ? 2 * i : i, b = interleaved ? 2 * i + 1 : i + n;
            if (dx) dx[a] += d[a] * cs[i] + d[b] * sn[i];
            if (dx) dx[b] += d[b] * cs[i] - d[a] * sn[i];
            if (table) table[i] += d[a] * x[a] + d[b] * x[b];
            if (table) table[n + i] += d[b] * x[a] - d[a] * x[b];
        }
        for (size_t i = 2 * n; dx && i < dim; i++) dx[i] += d[i];
    }
}

const pcs_op pcs_op_rope = {
    .name = "rope", .min_in = 2, .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("dim", 0), PCS_INT("interleaved", 0)), .infer = infer, .eval = eval,
    .backward = backward,
};
