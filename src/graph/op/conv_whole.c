/* conv_whole - conv of whole numbers of 8 bits less their zero points (one, or for w one of each channel of the
 * result), summed in I32: ONNX's ConvInteger. What lies outside x is its zero point. */
#include "graph/op/convolution.h"
#include "base/overflow.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *wz = &g->values[n->in[3]];
    if (!pcs_dtype_byte(x->dtype) || !pcs_dtype_byte(w->dtype) || g->values[n->in[2]].dtype != x->dtype ||
        wz->dtype != w->dtype)
        return pcs_op_fail(g, n, "takes x and w of 8 bits and zero points of their types");
    out->dtype = PCS_I32;
    const precis_status st = pcs_infer_conv(g, n, out);
    if (st) return st;
    if (wz->dims > 1 || (wz->dims == 1 && wz->shape[0] != 1 && wz->shape[0] != w->shape[0]))
        return pcs_op_fail(g, n, "has neither one zero point of w nor one of each channel");
    int64_t taps = w->shape[1];
    for (uint32_t i = 2; i < w->dims; i++)
        if (!pcs_i64_mul(taps, w->shape[i], &taps)) taps = INT64_MAX;
    if (taps > INT32_MAX / (255 * 255))
        return pcs_op_fail(g, n, "sums %lld products, which may be more than I32 holds", (long long)taps);
    return PRECIS_OK;
}

/* A channel of x, from element `from` on, whose codes stand for numbers above `zero`. */
typedef struct { const pcs_arg *x; int64_t from; int32_t zero; } channel;

/* Adds its products with the tap that lies at a place of the window. */
static void add_tap(const pcs_window *w, const channel *ch, int32_t tap, const int64_t *at, int32_t *y)
{
    int64_t shift[PCS_WINDOW];
    for (uint32_t i = 0; i < PCS_WINDOW; i++) shift[i] = at[i] * w->dilation[i] - w->pad[i];
    for (int64_t a = 0; a < w->out[0]; a++)
        for (int64_t e = 0; e < w->out[1]; e++) {
            const int64_t z = a * w->stride[0] + shift[0], v = e * w->stride[1] + shift[1], s = w->stride[2];
            if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1]) continue;
            const int64_t row = ch->from + (z * w->in[1] + v) * w->in[2];
            int32_t *to = y + (a * w->out[1] + e) * w->out[2];
            for (int64_t i = 0; i < w->out[2]; i++) {
                const int64_t u = i * s + shift[2];
                if (u >= 0 && u < w->in[2]) to[i] += tap * (pcs_byte_at(ch->x, row + u) - ch->zero);
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
        const int64_t o = p % outs, group = o / (outs / c->attr[PCS_CONV_GROUPS].integer),
                      from = (p / outs * x->shape[1] + group * each) * w.area;
        const int32_t zero = pcs_byte_at(wz, pcs_arg_count(wz) > 1 ? o : 0);
        int32_t *y = (int32_t *)c->out[0].data + p * w.places;
        memset(y, 0, (size_t)w.places * sizeof *y);
        for (int64_t t = 0; t < each * w.taps; t++) {
            const int64_t k = t % w.taps, at[PCS_WINDOW] = { k / (w.kernel[1] * w.kernel[2]),
                                                             k / w.kernel[2] % w.kernel[1], k % w.kernel[2] };
            const int32_t tap = pcs_byte_at(wt, o * each * w.taps + t) - zero;
            const channel ch = { x, from + t / w.taps * w.area, pcs_byte_at(&c->in[2], 0) };
            add_tap(&w, &ch, tap, at, y);
        }
    }
}

const pcs_op pcs_op_conv_whole = {
    PCS_CONV_ROW, .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "conv_whole", .min_in = 4, .max_in = 4, .infer = infer, .eval = eval,
};
