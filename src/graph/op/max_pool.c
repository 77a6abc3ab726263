/* max_pool - the largest of each window of size x size in x[batch, channels, h, w]; no padding. */
#include "graph/graph.h"

enum { SIZE, STRIDE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t size = n->attr[SIZE].integer, stride = n->attr[STRIDE].integer;
    if (x->dtype != PCS_F32 || x->dims != 4 || size < 1 || stride < 1 )
        return pcs_op_fail(g, n, "takes x[batch, channels, h, w], and a size and stride from 1 on");
    if ((x->shape[2] >= 0 && x->shape[2] < size) || (x->shape[3] >= 0 && x->shape[3] < size))
        return pcs_op_fail(g, n, "takes x[batch, channels, h, w] of at least size x size");
    out->dims = 4;
    for (int i = 0; i < 4; i++)
        out->shape[i] = i < 2 ? x->shape[i] : pcs_dim_linear(g, x->shape[i], 1, stride - size, stride);
    return g->error;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const int64_t h = c->in[0].shape[2], w = c->in[0].shape[3], oh = c->out[0].shape[2], ow = c->out[0].shape[3];
    const int64_t size = c->attr[SIZE].integer, stride = c->attr[STRIDE].integer, planes = c->in[0].shape[0] * c->in[0].shape[1];
    for (int64_t p = ith; p < planes; p += nth)
        for (int64_t o = 0; o < oh * ow; o++) {
            const float *x = (const float *)c->in[0].data + (p * h + o / ow * stride) * w + o % ow * stride;
            float acc = -3.4028235e38f;
            for (int64_t i = 0; i < size * size; i++) {
                const float v = x[i / size * w + i % size];
                acc = v > acc ? v : acc;
            }
            ((float *)c->out[0].data)[p * oh * ow + o] = acc;
        }
}

/* The first of the largest takes all, as eval keeps it. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const int64_t h = c->in[0].shape[2], w = c->in[0].shape[3], oh = c->out[0].shape[2], ow = c->out[0].shape[3];
    const int64_t size = c->attr[SIZE].integer, stride = c->attr[STRIDE].integer,
                  planes = c->in[0].shape[0] * c->in[0].shape[1];
    for (int64_t p = ith; g->in[0] && p < planes; p += nth)
        for (int64_t o = 0; o < oh * ow; o++) {
            const int64_t at = (p * h + o / ow * stride) * w + o % ow * stride;
            const float *x = (const float *)c->in[0].data + at;
            int64_t best = 0;
            for (int64_t i = 1; i < size * size; i++)
                if (x[i / size * w + i % size] > x[best / size * w + best % size]) best = i;
            g->in[0][at + best / size * w + best % size] += g->out[0][p * oh * ow + o];
        }
}

const pcs_op pcs_op_max_pool = {
    .name = "max_pool", .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("size", 2), PCS_INT("stride", 2)), .infer = infer, .eval = eval,
    .backward = backward,
};
