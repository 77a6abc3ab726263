/* matrices.h - batches of matrices that are spread over one another, as NumPy's matmul does it. */
#ifndef PCS_MATRICES_H
#define PCS_MATRICES_H

#include "graph/element.h"

/* a[..., m, k] and b[..., k, n] give [..., m, n]. */
static inline precis_status pcs_infer_matrices(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (a->dims < 2 || b->dims < 2) return pcs_op_fail(g, n, "takes matrices");
    const int64_t k = a->shape[a->dims - 1], rows = b->shape[b->dims - 2];
    if (k != rows)
        return pcs_op_fail(g, n, "has rows of %lld and columns of %lld", (long long)k, (long long)rows);
    out->dims = a->dims > b->dims ? a->dims : b->dims;
    for (uint32_t i = 0; i + 2 < out->dims; i++) {
        const int64_t p = i < out->dims - a->dims ? 1 : a->shape[i - (out->dims - a->dims)],
                      q = i < out->dims - b->dims ? 1 : b->shape[i - (out->dims - b->dims)];
        if (p != q && p != 1 && q != 1)
            return pcs_op_fail(g, n, "has batches of %lld and %lld", (long long)p, (long long)q);
        out->shape[i] = p == 1 ? q : p;
    }
    out->shape[out->dims - 2] = a->shape[a->dims - 2];
    out->shape[out->dims - 1] = b->shape[b->dims - 1];
    return PRECIS_OK;
}

/* Which matrix of operand a stands at batch i of the result y. */
static inline int64_t pcs_matrix_at(const pcs_arg *y, const pcs_arg *a, int64_t i)
{
    int64_t at = 0, each = 1;
    for (uint32_t k = y->dims - 2; k-- > y->dims - a->dims; i /= y->shape[k]) {
        const int64_t d = a->shape[k - (y->dims - a->dims)];
        at += (d == 1 ? 0 : i % y->shape[k]) * each;
        each *= d;
    }
    return at;
}

static inline uint64_t pcs_matrix_products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)pcs_arg_width(&c->in[0]);
}

#endif
