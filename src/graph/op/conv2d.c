/* conv2d - x[batch, in, h, w] with w[out, in / groups, kh, kw], bias[out]: cross-correlation, as ONNX's Conv. */
#include "graph/graph.h"

#include <math.h>

enum { STRIDE, PAD, GROUPS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    const int64_t stride = n->attr[STRIDE].integer, pad = n->attr[PAD].integer, groups = n->attr[GROUPS].integer;
    if (x->dtype != PCS_F32 || w->dtype != PCS_F32 || x->dims != 4 || w->dims != 4 || stride < 1 || pad < 0 ||
        groups < 1 || w->shape[1] * groups != x->shape[1] || w->shape[0] % groups)
        return pcs_op_fail(g, n, "takes x[batch, in, h, w] and w[out, in / groups, kh, kw]");
    if (n->n_in > 2 && (g->values[n->in[2]].dims != 1 || g->values[n->in[2]].shape[0] != w->shape[0]))
        return pcs_op_fail(g, n, "bias is not [out]");
    out->dims = 4;
    out->shape[0] = x->shape[0];
    out->shape[1] = w->shape[0];
    for (int i = 2; i < 4; i++) {
        if (w->shape[i] < 1 || (x->shape[i] >= 0 && x->shape[i] + 2 * pad < w->shape[i]))
            return pcs_op_fail(g, n, "the kernel is larger than the picture");
        out->shape[i] = pcs_dim_linear(g, x->shape[i], 1, 2 * pad - w->shape[i] + stride, stride);
    }
    return g->error;
}

static float point(const pcs_call *c, size_t b, size_t o, int64_t oy, int64_t ox)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1];
    const int64_t h = x->shape[2], wd = x->shape[3], kh = w->shape[2], kw = w->shape[3], in = w->shape[1];
    const int64_t stride = c->attr[STRIDE].integer, pad = c->attr[PAD].integer;
    const int64_t first = (int64_t)o / (w->shape[0] / c->attr[GROUPS].integer) * in;
    float sum = c->n_in > 2 ? ((const float *)c->in[2].data)[o] : 0.0f;
    for (int64_t i = 0; i < in; i++)
        for (int64_t dy = 0; dy < kh; dy++)
            for (int64_t dx = 0; dx < kw; dx++) {
                const int64_t y = oy * stride + dy - pad, xx = ox * stride + dx - pad;
                if (y < 0 || y >= h || xx < 0 || xx >= wd) continue;
                sum = fmaf(((const float *)w->data)[(((int64_t)o * in + i) * kh + dy) * kw + dx],
                           ((const float *)x->data)[(((int64_t)b * x->shape[1] + first + i) * h + y) * wd + xx], sum);
            }
    return sum;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const int64_t oh = c->out[0].shape[2], ow = c->out[0].shape[3];
    const size_t planes = (size_t)(c->out[0].shape[0] * c->out[0].shape[1]);
    for (size_t p = ith; p < planes; p += nth)
        for (int64_t y = 0; y < oh; y++)
            for (int64_t x = 0; x < ow; x++)
                ((float *)c->out[0].data)[((int64_t)p * oh + y) * ow + x] = point(c, p / (size_t)c->out[0].shape[1],
                                                                                  p % (size_t)c->out[0].shape[1], y, x);
}

/* The walk over everything that one number of the result is made of; both gradients take it, each for what a thread
 * has. */
typedef struct {
    int64_t h, w, kh, kw, in, out, oh, ow, stride, pad, per; /* per: outputs of a group */
} walk;

static walk walk_of(const pcs_call *c)
{
    const pcs_arg *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    return (walk){ x->shape[2],
                   x->shape[3],
                   w->shape[2],
                   w->shape[3],
                   w->shape[1],
                   w->shape[0],
                   y->shape[2],
                   y->shape[3],
                   c->attr[STRIDE].integer,
                   c->attr[PAD].integer,
                   w->shape[0] / c->attr[GROUPS].integer };
}

/* Of picture b's channel `channel`: from each output of its group what the kernel laid there. */
static void by_picture(const pcs_call *c, const walk *k, const float *dout, float *dx, int64_t b, int64_t channel)
{
    const int64_t group = channel / k->in, i = channel % k->in;
    float *plane = dx + (b * c->in[0].shape[1] + channel) * k->h * k->w;
    for (int64_t o = group * k->per; o < (group + 1) * k->per; o++)
        for (int64_t at = 0; at < k->oh * k->ow; at++) {
            const float d = dout[(b * k->out + o) * k->oh * k->ow + at];
            const float *w = (const float *)c->in[1].data + (o * k->in + i) * k->kh * k->kw;
            for (int64_t e = 0; e < k->kh * k->kw; e++) {
                const int64_t y = at / k->ow * k->stride + e / k->kw - k->pad,
                              x = at % k->ow * k->stride + e % k->kw - k->pad;
                if (y >= 0 && y < k->h && x >= 0 && x < k->w) plane[y * k->w + x] += d * w[e];
            }
        }
}

/* One number of the weights: of output o, input i of its group, place e of the kernel. */
static float by_weight(const pcs_call *c, const walk *k, const float *dout, int64_t o, int64_t i, int64_t e)
{
    const int64_t channel = o / k->per * k->in + i;
    double sum = 0;
    for (int64_t b = 0; b < c->in[0].shape[0]; b++)
        for (int64_t at = 0; at < k->oh * k->ow; at++) {
            const int64_t y = at / k->ow * k->stride + e / k->kw - k->pad,
                          x = at % k->ow * k->stride + e % k->kw - k->pad;
            if (y < 0 || y >= k->h || x < 0 || x >= k->w) continue;
            const float *plane = (const float *)c->in[0].data + (b * c->in[0].shape[1] + channel) * k->h * k->w;
            sum += (double)dout[(b * k->out + o) * k->oh * k->ow + at] * plane[y * k->w + x];
        }
    return (float)sum;
}

static float by_bias(const walk *k, const float *dout, int64_t batch, int64_t o)
{
    double sum = 0;
    for (int64_t b = 0; b < batch; b++)
        for (int64_t at = 0; at < k->oh * k->ow; at++) sum += dout[(b * k->out + o) * k->oh * k->ow + at];
    return (float)sum;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const walk k = walk_of(c);
    const int64_t channels = c->in[0].shape[1], batch = c->in[0].shape[0];
    for (int64_t p = ith; g->in[0] && p < batch * channels; p += nth)
        by_picture(c, &k, g->out[0], g->in[0], p / channels, p % channels);
    for (int64_t r = ith; g->in[1] && r < k.out * k.in; r += nth)
        for (int64_t e = 0; e < k.kh * k.kw; e++)
            g->in[1][r * k.kh * k.kw + e] += by_weight(c, &k, g->out[0], r / k.in, r % k.in, e);
    for (int64_t o = ith; c->n_in > 2 && g->in[2] && o < k.out; o += nth)
        g->in[2][o] += by_bias(&k, g->out[0], batch, o);
}

const pcs_op pcs_op_conv2d = {
    .name = "conv2d", .min_in = 2, .max_in = 3, .weight = 1, .bias = 2, .result_axis = 2,
    .attrs = PCS_ATTR_TABLE(PCS_INT("stride", 1), PCS_INT("pad", 0), PCS_INT("groups", 1)),
    .infer = infer, .eval = eval, .backward = backward,
};
