/* conv_transpose - the transpose of conv: x[batch, in, ...], w[in, out / groups, ...], bias[out]; "more" elements are
 * added after each dimension. Each element of x adds its multiple of w, channels and taps in ascending order. */
#include "graph/op/window.h"

enum { STRIDES, PADS, DILATIONS, GROUPS, MORE };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    const precis_attr *a = n->attr;
    const int64_t groups = a[GROUPS].integer;
    const uint32_t dims = x->dims - 2;
    if (x->dtype != PCS_F32 || w->dtype != PCS_F32)
        return pcs_op_fail(g, n, "takes F32, not %s and %s", pcs_dtype_name(x->dtype), pcs_dtype_name(w->dtype));
    if (x->dims < 3 || w->dims != x->dims || pcs_window_check(g, n, a, dims))
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, in, ...] and w[in, out / groups, ...]");
    if (!pcs_window_weights(w, groups) || w->shape[0] != x->shape[1] || w->shape[0] % groups)
        return pcs_op_fail(g, n, "has %lld groups of w[%lld, ...], x has %lld channels", (long long)groups,
                           (long long)w->shape[0], (long long)x->shape[1]);
    if (n->n_in > 2 && (g->values[n->in[2]].dtype != PCS_F32 || g->values[n->in[2]].dims != 1 ||
                        g->values[n->in[2]].shape[0] != w->shape[1] * groups))
        return pcs_op_fail(g, n, "bias is not F32 [%lld]", (long long)(w->shape[1] * groups));
    out->dims = x->dims;
    out->shape[0] = x->shape[0];
    out->shape[1] = w->shape[1] * groups;
    for (uint32_t i = 0; i < dims; i++) {
        const int64_t stride = pcs_listed(&a[STRIDES], i, 1),
                      span = pcs_listed(&a[DILATIONS], i, 1) * (w->shape[2 + i] - 1) + 1,
                      more = pcs_listed(&a[MORE], i, 0);
        if (w->shape[2 + i] < 1 || more < 0 || x->shape[2 + i] == 0)
            return pcs_op_fail(g, n, "has no kernel or no elements in dimension %u", i);
        out->shape[2 + i] =
            pcs_dim_linear(g, x->shape[2 + i], stride,
                           span - stride + more - pcs_listed(&a[PADS], i, 0) - pcs_listed(&a[PADS], dims + i, 0), 1);
    }
    return g->error;
}

/* One element of x and one row of taps, into a plane of y. */
static void add(const pcs_window *w, float v, const float *taps, const int64_t *at, float *y)
{
    for (int64_t a = 0; a < w->kernel[0]; a++)
        for (int64_t e = 0; e < w->kernel[1]; e++) {
            const int64_t z = at[0] + a * w->dilation[0], u = at[1] + e * w->dilation[1];
            if (z < 0 || z >= w->in[0] || u < 0 || u >= w->in[1]) continue;
            for (int64_t i = 0; i < w->kernel[2]; i++) {
                const int64_t t = at[2] + i * w->dilation[2];
                if (t >= 0 && t < w->in[2])
                    y[(z * w->in[1] + u) * w->in[2] + t] += v * taps[(a * w->kernel[1] + e) * w->kernel[2] + i];
            }
        }
}

/* Where place i of x begins in the result. */
static void begin_of(const pcs_window *w, int64_t i, int64_t *at)
{
    at[0] = i / (w->out[1] * w->out[2]) * w->stride[0] - w->pad[0];
    at[1] = i / w->out[2] % w->out[1] * w->stride[1] - w->pad[1];
    at[2] = i % w->out[2] * w->stride[2] - w->pad[2];
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *wt = &c->in[1], *out = &c->out[0];
    const pcs_window w =
        pcs_window_of(c->attr, out, x, wt->shape + 2); /* seen from the result: its windows are x's elements */
    const int64_t outs = out->shape[1], per = wt->shape[1], ins = wt->shape[0] / c->attr[GROUPS].integer;
    for (int64_t p = ith; p < out->shape[0] * outs; p += nth) {
        const int64_t o = p % outs, group = o / per, batch = p / outs;
        float *y = (float *)out->data + p * w.area;
        for (int64_t i = 0; i < w.area; i++) y[i] = c->n_in > 2 ? ((const float *)c->in[2].data)[o] : 0.0f;
        for (int64_t k = 0; k < ins; k++) {
            const int64_t channel = group * ins + k;
            const float *from = (const float *)x->data + (batch * x->shape[1] + channel) * w.places,
                        *taps = (const float *)wt->data + (channel * per + o % per) * w.taps;
            for (int64_t i = 0; i < w.places; i++) {
                int64_t at[PCS_WINDOW];
                begin_of(&w, i, at);
                add(&w, from[i], taps, at, y);
            }
        }
    }
}

/* The element of a plane of the result that place i of x reaches by a tap, or -1. */
static int64_t reached(const pcs_window *w, int64_t i, int64_t tap)
{
    int64_t at[PCS_WINDOW];
    begin_of(w, i, at);
    at[0] += tap / (w->kernel[1] * w->kernel[2]) * w->dilation[0];
    at[1] += tap / w->kernel[2] % w->kernel[1] * w->dilation[1];
    at[2] += tap % w->kernel[2] * w->dilation[2];
    for (uint32_t k = 0; k < PCS_WINDOW; k++)
        if (at[k] < 0 || at[k] >= w->in[k]) return -1;
    return (at[0] * w->in[1] + at[1]) * w->in[2] + at[2];
}

/* Planes of x, of w and numbers of the bias, one thread's each; sums over all the rest in ascending order, in f64. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *wt = &c->in[1], *out = &c->out[0];
    const pcs_window w = pcs_window_of(c->attr, out, x, wt->shape + 2);
    const int64_t outs = out->shape[1], per = wt->shape[1], ins = x->shape[1],
                  in_group = ins / c->attr[GROUPS].integer;
    for (int64_t p = ith; p < x->shape[0] * ins && g->in[0]; p += nth)
        for (int64_t i = 0; i < w.places; i++) {
            double sum = 0;
            for (int64_t t = 0; t < per * w.taps; t++) {
                const int64_t o = p % ins / in_group * per + t / w.taps, r = reached(&w, i, t % w.taps);
                if (r >= 0)
                    sum += (double)g->out[0][(p / ins * outs + o) * w.area + r] *
                           (double)((const float *)wt->data)[p % ins * per * w.taps + t];
            }
            g->in[0][p * w.places + i] += (float)sum;
        }
    for (int64_t t = ith; t < ins * per * w.taps && g->in[1]; t += nth) {
        const int64_t k = t / (per * w.taps), o = k / in_group * per + t / w.taps % per;
        double sum = 0;
        for (int64_t s = 0; s < x->shape[0] * w.places; s++) {
            const int64_t batch = s / w.places, i = s % w.places, r = reached(&w, i, t % w.taps);
            if (r >= 0)
                sum += (double)g->out[0][(batch * outs + o) * w.area + r] *
                       (double)((const float *)x->data)[(batch * ins + k) * w.places + i];
        }
        g->in[1][t] += (float)sum;
    }
    for (int64_t o = ith; o < outs && c->n_in > 2 && g->in[2]; o += nth) {
        double sum = 0;
        for (int64_t s = 0; s < out->shape[0] * w.area; s++)
            sum += (double)g->out[0][(s / w.area * outs + o) * w.area + s % w.area];
        g->in[2][o] += (float)sum;
    }
}

const pcs_op pcs_op_conv_transpose = {
    .backward = backward,
    .name = "conv_transpose",
    .min_in = 2,
    .max_in = 3,
    .weight = 1,
    .bias = 2,
    .channel_axis = 1,
    .result_axis = 2,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_INT("groups", 1),
                            PCS_LIST("more")),
    .infer = infer,
    .eval = eval,
};
