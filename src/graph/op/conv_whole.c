/* conv_whole - conv of whole numbers of 8 bits less their zero points (one, or for w one of each channel of the
 * result), summed in I32: ONNX's ConvInteger. What lies outside x is its zero point. */
#include "graph/op/window.h"

enum { STRIDES, PADS, DILATIONS, GROUPS };

static bool byte(pcs_dtype d) { return d == PCS_I8 || d == PCS_U8; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *wz = &g->values[n->in[3]];
    const int64_t groups = n->attr[GROUPS].integer;
    if (!byte(x->dtype) || !byte(w->dtype) || g->values[n->in[2]].dtype != x->dtype || wz->dtype != w->dtype)
        return pcs_op_fail(g, n, "takes x and w of 8 bits and zero points of their types");
    if (x->dims < 3 || w->dims != x->dims || pcs_window_check(g, n, n->attr, x->dims - 2))
        return g->error ? g->error : pcs_op_fail(g, n, "takes x[batch, in, ...] and w[out, in / groups, ...]");
    if (!pcs_window_weights(w, groups) || pcs_dim_is_id(x->shape[1]) || w->shape[1] * groups != x->shape[1] || w->shape[0] % groups)
        return pcs_op_fail(g, n, "has %lld groups of %lld channels, x has %lld", (long long)groups,
                           (long long)w->shape[1], (long long)x->shape[1]);
    if (wz->dims > 1 || (wz->dims == 1 && wz->shape[0] != 1 && wz->shape[0] != w->shape[0]))
        return pcs_op_fail(g, n, "has neither one zero point of w nor one of each channel");
    int64_t taps = w->shape[1];
    for (uint32_t i = 2; i < w->dims; i++)
        if (__builtin_mul_overflow(taps, w->shape[i], &taps)) taps = INT64_MAX;
    if (taps > INT32_MAX / (255 * 255))
        return pcs_op_fail(g, n, "sums %lld products, which may be more than I32 holds", (long long)taps);
    out->dtype = PCS_I32;
    out->dims = x->dims;
    out->shape[0] = x->shape[0];
    out->shape[1] = w->shape[0];
    for (uint32_t i = 2; i < x->dims; i++)
        out->shape[i] = pcs_window_places(g, n, n->attr, x->dims - 2, i - 2, x->shape[i], w->shape[i], false);
    return g->error;
}

static int32_t code(const pcs_arg *a, int64_t i)
{
    return a->dtype == PCS_I8 ? ((const int8_t *)a->data)[i] : ((const uint8_t *)a->data)[i];
}

static void add_tap(const pcs_window *w, const pcs_arg *x, int64_t from, int32_t zero, int32_t tap, const int64_t *at,
                    int32_t *y)
{
    int64_t shift[PCS_WINDOW];
    for (uint32_t i = 0; i < PCS_WINDOW; i++) shift[i] = at[i] * w->dilation[i] - w->pad[i];
    for (int64_t a = 0; a < w->out[0]; a++)
        for (int64_t e = 0; e < w->out[1]; e++) {
            const int64_t z = a * w->stride[0] + shift[0], v = e * w->stride[1] + shift[1], s = w->stride[2];
            if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1]) continue;
            const int64_t row = from + (z * w->in[1] + v) * w->in[2];
            int32_t *to = y + (a * w->out[1] + e) * w->out[2];
            for (int64_t i = 0; i < w->out[2]; i++) {
                const int64_t u = i * s + shift[2];
                if (u >= 0 && u < w->in[2]) to[i] += tap * (code(x, row + u) - zero);
            }
        }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *wt = &c->in[1], *wz = &c->in[3];
    const pcs_window w = pcs_window_of(c->attr, x, &c->out[0], wt->shape + 2);
    const int64_t outs = wt->shape[0], each = wt->shape[1], planes = x->shape[0] * outs;
    if (!pcs_arg_count(&c->out[0])) return;
    for (int64_t p = ith; p < planes; p += nth) {
        const int64_t o = p % outs, group = o / (outs / c->attr[GROUPS].integer),
                      from = (p / outs * x->shape[1] + group * each) * w.area;
        const int32_t zero = code(wz, pcs_arg_count(wz) > 1 ? o : 0);
        int32_t *y = (int32_t *)c->out[0].data + p * w.places;
        memset(y, 0, (size_t)w.places * sizeof *y);
        for (int64_t t = 0; t < each * w.taps; t++) {
            const int64_t k = t % w.taps, at[PCS_WINDOW] = { k / (w.kernel[1] * w.kernel[2]),
                                                             k / w.kernel[2] % w.kernel[1], k % w.kernel[2] };
            add_tap(&w, x, from + t / w.taps * w.area, code(&c->in[2], 0), code(wt, o * each * w.taps + t) - zero, at,
                    y);
        }
    }
}

static uint64_t products(const pcs_call *c)
{
    return (uint64_t)pcs_arg_count(&c->out[0]) * (uint64_t)(pcs_arg_count(&c->in[1]) / c->in[1].shape[0]);
}

const pcs_op pcs_op_conv_whole = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "conv_whole",
    .min_in = 4,
    .max_in = 4,
    .weight = 1,
    .result_axis = 2,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_INT("groups", 1)),
    .infer = infer,
    .eval = eval,
    .products = products,
};
