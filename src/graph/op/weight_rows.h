/* weight_rows.h - what matmul and xnor share: y[..., n] of x[..., k], of weights w[n, k] and of a bias [n]. */
#ifndef PCS_WEIGHT_ROWS_H
#define PCS_WEIGHT_ROWS_H

#include "graph/graph.h"

static inline precis_status pcs_infer_rows(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    if (x->dtype != PCS_F32 || x->dims < 1 || (w->dtype != PCS_F32 && w->dtype != PCS_STORED) || w->dims != 2)
        return pcs_op_fail(g, n, "takes x[..., k] and w[n, k]");
    if (x->shape[x->dims - 1] != w->shape[1])
        return pcs_op_fail(g, n, "x has rows of %lld, w of %lld", (long long)x->shape[x->dims - 1],
                           (long long)w->shape[1]);
    const pcs_value *b = n->n_in > 2 ? &g->values[n->in[2]] : NULL;
    if (b && (b->dtype != PCS_F32 || b->dims != 1 || b->shape[0] != w->shape[0]))
        return pcs_op_fail(g, n, "bias is not f32 [%lld]", (long long)w->shape[0]);
    out->dims = x->dims;
    memcpy(out->shape, x->shape, sizeof x->shape);
    out->shape[x->dims - 1] = w->shape[0];
    return PRECIS_OK;
}

#endif
