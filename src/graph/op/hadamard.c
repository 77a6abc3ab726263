/* hadamard - each `dim` numbers of a row times a normalized Hadamard matrix, online (QuaRot: Ashkboos et al. 2024;
 * R3 and R4 of SpinQuant). dim is 2^n, or 2^n times 12, 20 or 28 (base/hadamard.h). */
#include "base/hadamard.h"
#include "graph/graph.h"

enum { DIM, TRANSPOSED };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t dim = n->attr[DIM].integer;
    if (dim < 2 || !x->dims || x->shape[x->dims - 1] % dim || !pcs_hadamard_order((size_t)dim))
        return pcs_op_fail(g, n, "rows are not whole groups of %lld, or there is no Hadamard matrix of it",
                           (long long)dim);
    return pcs_infer_like(g, n, 0, out);
}

/* transposed=1: by the matrix that undoes the other. */
static void turn_row(float *x, size_t n, bool transposed)
{
    if (transposed) pcs_hadamard_transposed(x, n);
    else pcs_hadamard(x, n);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t dim = (size_t)c->attr[DIM].integer, n = (size_t)pcs_arg_count(&c->in[0]) / dim;
    for (size_t r = n * ith / nth; r < n * (ith + 1) / nth; r++) {
        float *y = (float *)c->out[0].data + r * dim;
        memcpy(y, (const float *)c->in[0].data + r * dim, dim * sizeof *y);
        turn_row(y, dim, c->attr[TRANSPOSED].integer != 0);
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t dim = (size_t)c->attr[DIM].integer, n = (size_t)pcs_arg_count(&c->in[0]) / dim;
    float *d = (float *)(c->scratch + ith * c->scratch_size);
    for (size_t r = n * ith / nth; g->in[0] && r < n * (ith + 1) / nth; r++) {
        memcpy(d, g->out[0] + r * dim, dim * sizeof *d);
        turn_row(d, dim, !c->attr[TRANSPOSED].integer);
        for (size_t i = 0; i < dim; i++) g->in[0][r * dim + i] += d[i];
    }
}

static size_t scratch_back(const pcs_call *c) { return (size_t)c->attr[DIM].integer * sizeof(float); }

const pcs_op pcs_op_hadamard = {
    .name = "hadamard",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("dim", 2), PCS_INT("transposed", 0)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .scratch_back = scratch_back,
};
