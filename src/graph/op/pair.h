/* pair.h - for ops of two inputs of one shape, or of a second with one number for each index along an axis. */
#ifndef PCS_PAIR_H
#define PCS_PAIR_H

#include "graph/graph.h"

/* Both f32 and alike; the result too. */
static inline precis_status pcs_infer_pair(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    const bool same =
        b->dtype == PCS_F32 && a->dims == b->dims && !memcmp(a->shape, b->shape, a->dims * sizeof a->shape[0]);
    return same ? pcs_infer_like(g, n, 0, out) : pcs_op_fail(g, n, "shapes differ");
}

/* axis < 0: as a pair. Otherwise input 1 is f32 [shape[axis]]. */
static inline precis_status pcs_infer_along(precis_graph *g, const pcs_node *n, int64_t axis, pcs_value *out)
{
    if (axis < 0) return pcs_infer_pair(g, n, out);
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    if (axis >= a->dims || b->dtype != PCS_F32 || b->dims != 1 || b->shape[0] != a->shape[axis])
        return pcs_op_fail(g, n, "input 1 is not f32, one number for each index along axis %lld", (long long)axis);
    return pcs_infer_like(g, n, 0, out);
}

/* Numbers of x that share one index along the axis: `outer` runs of `inner`, `step` apart. */
typedef struct { size_t channels, outer, inner; } pcs_along;

static inline pcs_along pcs_along_of(const pcs_arg *x, size_t axis)
{
    pcs_along a = { (size_t)x->shape[axis], 1, 1 };
    for (size_t i = 0; i < axis; i++) a.outer *= (size_t)x->shape[i];
    for (size_t i = axis + 1; i < x->dims; i++) a.inner *= (size_t)x->shape[i];
    return a;
}

#endif
