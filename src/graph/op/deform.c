/* deform - convolution whose kernel's places move: ONNX's DeformConv of two dimensions (Dai et al. 2017; with a mask:
 * Zhu et al. 2019). x[batch, c, h, w], w[out, c / groups, kh, kw], offset[batch, og * kh * kw * 2, oh, ow] (rows, then
 * columns, of each place), and where they are given b[out] and mask[batch, og * kh * kw, oh, ow]; `masked` says whether
 * the last input is the mask. Bilinear between four elements, zero outside; sums in f64, ascending. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { STRIDES, PADS, DILATIONS, GROUPS, OFFSETS, MASKED };

static bool sized(const pcs_value *v, uint32_t dims)
{
    for (uint32_t i = 0; i < dims && v->dims == dims; i++)
        if (pcs_dim_is_id(v->shape[i])) return false;
    return v->dtype == PCS_F32 && v->dims == dims;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]], *o = &g->values[n->in[2]];
    const int64_t *s = n->attr[STRIDES].list, *p = n->attr[PADS].list, *d = n->attr[DILATIONS].list,
                  groups = n->attr[GROUPS].integer, og = n->attr[OFFSETS].integer;
    const uint32_t rest = n->n_in - 3, masked = n->attr[MASKED].integer != 0;
    if (!sized(x, 4) || !sized(w, 4) || !sized(o, 4) || n->attr[STRIDES].n != 2 || n->attr[PADS].n != 4 ||
        n->attr[DILATIONS].n != 2 || groups < 1 || og < 1 || w->shape[1] * groups != x->shape[1] ||
        w->shape[0] % groups || x->shape[1] % og || s[0] < 1 || s[1] < 1 || rest > 2)
        return pcs_op_fail(g, n, "takes x[batch, c, h, w], weights and offsets that go together, of known sizes");
    const int64_t kh = w->shape[2], kw = w->shape[3];
    out->dims = 4;
    out->shape[0] = x->shape[0], out->shape[1] = w->shape[0];
    for (int i = 0; i < 2; i++) {
        const int64_t left = x->shape[2 + i] + p[i] + p[2 + i] - (d[i] * ((i ? kw : kh) - 1) + 1);
        if (left < 0) return pcs_op_fail(g, n, "its kernel does not fit");
        out->shape[2 + i] = left / s[i] + 1;
    }
    const pcs_value *m = masked ? &g->values[n->in[n->n_in - 1]] : NULL,
                    *b = rest > masked ? &g->values[n->in[3]] : NULL;
    const int64_t places = og * kh * kw;
    const bool fits = o->shape[0] == x->shape[0] && o->shape[1] == 2 * places && o->shape[2] == out->shape[2] &&
                      o->shape[3] == out->shape[3] &&
                      (!m || (sized(m, 4) && m->shape[0] == x->shape[0] && m->shape[1] == places &&
                              m->shape[2] == o->shape[2] && m->shape[3] == o->shape[3])) &&
                      (!b || (sized(b, 1) && b->shape[0] == w->shape[0]));
    return fits ? PRECIS_OK : pcs_op_fail(g, n, "its offsets, mask or bias have another shape than it asks for");
}

/* Between four elements of a plane. */
static double between(const float *x, int64_t h, int64_t w, double y, double u)
{
    if (!(y > -1 && y < (double)h && u > -1 && u < (double)w)) return 0;
    const int64_t y0 = (int64_t)pcs_m_floor(y), u0 = (int64_t)pcs_m_floor(u);
    const double fy = y - (double)y0, fu = u - (double)u0;
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const int64_t a = y0 + i / 2, b = u0 + i % 2;
        if (a < 0 || a >= h || b < 0 || b >= w) continue;
        sum += (i / 2 ? fy : 1 - fy) * (i % 2 ? fu : 1 - fu) * (double)x[a * w + b];
    }
    return sum;
}

static float deformed_at(const pcs_call *c, int64_t b, int64_t ch, int64_t oy, int64_t ox)
{
    const int64_t *xs = c->in[0].shape, *ws = c->in[1].shape, *os = c->in[2].shape, *s = c->attr[STRIDES].list,
                  *p = c->attr[PADS].list, *d = c->attr[DILATIONS].list;
    const int64_t groups = c->attr[GROUPS].integer, og = c->attr[OFFSETS].integer, kh = ws[2], kw = ws[3],
                  plane = os[2] * os[3], at = oy * os[3] + ox;
    const float *offset = (const float *)c->in[2].data + b * os[1] * plane,
                *mask =
                    c->attr[MASKED].integer ? (const float *)c->in[c->n_in - 1].data + b * og * kh * kw * plane : NULL;
    const bool biased = c->n_in - 3 > (c->attr[MASKED].integer != 0);
    double sum = biased ? (double)((const float *)c->in[3].data)[ch] : 0;
    for (int64_t i = 0; i < ws[1]; i++) {
        const int64_t from = ch / (ws[0] / groups) * ws[1] + i, o = from / (xs[1] / og);
        const float *x = (const float *)c->in[0].data + (b * xs[1] + from) * xs[2] * xs[3],
                    *w = (const float *)c->in[1].data + (ch * ws[1] + i) * kh * kw;
        for (int64_t k = 0; k < kh * kw; k++) {
            const int64_t place = o * kh * kw + k;
            const double y = (double)(oy * s[0] - p[0] + k / kw * d[0]) + (double)offset[2 * place * plane + at],
                         u = (double)(ox * s[1] - p[1] + k % kw * d[1]) + (double)offset[(2 * place + 1) * plane + at];
            sum += (double)w[k] * between(x, xs[2], xs[3], y, u) * (mask ? (double)mask[place * plane + at] : 1);
        }
    }
    return (float)sum;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const int64_t *o = c->out[0].shape, rows = o[0] * o[1] * o[2];
    float *y = c->out[0].data;
    for (int64_t r = ith; r < rows; r += nth)
        for (int64_t i = 0; i < o[3]; i++)
            y[r * o[3] + i] = deformed_at(c, r / (o[1] * o[2]), r / o[2] % o[1], r % o[2], i);
}

const pcs_op pcs_op_deform = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "deform",
    .min_in = 3,
    .max_in = 5,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_INT("groups", 1),
                            PCS_INT("offsets", 1), PCS_INT("masked", 0)),
    .infer = infer,
    .eval = eval,
};
