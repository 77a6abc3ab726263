/* pair.h - for ops of two inputs of one shape, or with numbers for each index along an axis. */
#ifndef PCS_PAIR_H
#define PCS_PAIR_H

#include "graph/graph.h"

/* The gradient of an op that hands its input on, or takes what it rounds as a constant. */
static inline void pcs_back_same(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += g->out[0][i];
}

/* Both f32 and alike; the result too. */
static inline precis_status pcs_infer_pair(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *a = &g->values[n->in[0]], *b = &g->values[n->in[1]];
    const bool same =
        b->dtype == PCS_F32 && a->dims == b->dims && !memcmp(a->shape, b->shape, a->dims * sizeof a->shape[0]);
    return same ? pcs_infer_like(g, n, 0, out) : pcs_op_fail(g, n, "shapes differ");
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
