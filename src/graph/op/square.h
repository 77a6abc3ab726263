/* square.h - windows of size x size in x[batch, channels, h, w], `stride` apart, without padding. */
#ifndef PCS_SQUARE_H
#define PCS_SQUARE_H

#include "graph/graph.h"

enum { PCS_SQUARE_SIZE, PCS_SQUARE_STRIDE };
#define PCS_SQUARE_ATTRS PCS_ATTR_TABLE(PCS_INT("size", 2), PCS_INT("stride", 2))

static inline precis_status pcs_infer_square(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t size = n->attr[PCS_SQUARE_SIZE].integer, stride = n->attr[PCS_SQUARE_STRIDE].integer;
    if (x->dtype != PCS_F32 || x->dims != 4 || size < 1 || stride < 1)
        return pcs_op_fail(g, n, "takes x[batch, channels, h, w], and a size and stride from 1 on");
    if ((x->shape[2] >= 0 && x->shape[2] < size) || (x->shape[3] >= 0 && x->shape[3] < size))
        return pcs_op_fail(g, n, "takes x[batch, channels, h, w] of at least size x size");
    out->dims = 4;
    for (int i = 0; i < 4; i++)
        out->shape[i] = i < 2 ? x->shape[i] : pcs_dim_linear(g, x->shape[i], 1, stride - size, stride);
    return g->error;
}

/* Where window o of plane p begins in x, and its place in the result. */
typedef struct pcs_square { int64_t h, w, oh, ow, size, stride, planes; } pcs_square;
static inline pcs_square pcs_square_of(const pcs_call *c)
{
    const int64_t *x = c->in[0].shape, *y = c->out[0].shape;
    return (pcs_square){ x[2], x[3], y[2], y[3], c->attr[PCS_SQUARE_SIZE].integer, c->attr[PCS_SQUARE_STRIDE].integer,
                         x[0] * x[1] };
}
static inline int64_t pcs_square_begin(const pcs_square *s, int64_t p, int64_t o)
{
    return (p * s->h + o / s->ow * s->stride) * s->w + o % s->ow * s->stride;
}
/* Element i of a window, from its beginning on. */
static inline int64_t pcs_square_at(const pcs_square *s, int64_t i) { return i / s->size * s->w + i % s->size; }

#endif
