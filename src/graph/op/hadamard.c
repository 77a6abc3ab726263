/* hadamard - each `dim` numbers of a row times a normalized Hadamard matrix, online (QuaRot: Ashkboos et al. 2024; R3 and R4 of
 * SpinQuant). dim is 2^n, or 2^n times 12, 20 or 28 (base/hadamard.h). */
#include "base/hadamard.h"
#include "graph/graph.h"

enum { DIM };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t dim = n->attr[DIM].integer;
    if (dim < 2 || !x->dims || x->shape[x->dims - 1] % dim || !pcs_hadamard_order((size_t)dim)) return pcs_op_fail(g, n, "rows are not whole groups of %lld, or there is no Hadamard matrix of it", (long long)dim);
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t dim = (size_t)c->attr[DIM].integer, n = (size_t)pcs_arg_count(&c->in[0]) / dim;
    for (size_t r = n * ith / nth; r < n * (ith + 1) / nth; r++) {
        float *y = (float *)c->out[0].data + r * dim;
        memcpy(y, (const float *)c->in[0].data + r * dim, dim * sizeof *y);
        pcs_hadamard(y, dim);
    }
}

const pcs_op pcs_op_hadamard = {
    .name = "hadamard", .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_INT("dim", 2)), .infer = infer,
    .eval = eval,
};
