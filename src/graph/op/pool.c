/* pool - windows of each channel become one element: their largest ("max", with its place in x as result 1: I64,
 * counted in rows or, columns=1, in columns; "largest" has no
 * such result), their mean ("mean"; all=1 counts the padding), or their norm of degree p
 * ("lp"). NaN is the largest. */
#include "base/fmath_more.h"
#include "graph/op/window.h"

enum { STRIDES, PADS, DILATIONS, KERNEL, KIND, CEIL, ALL, P, COLUMNS };

static uint32_t results(const pcs_node *n)
{
    return n->attr[KIND].text[0] == 'm' && n->attr[KIND].text[1] == 'a' ? 2 : 1;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const char *kind = n->attr[KIND].text;
    const bool two = !strcmp(kind, "max"), max = two || !strcmp(kind, "largest");
    const bool takes = x->dtype == PCS_F32 || (max && (x->dtype == PCS_I8 || x->dtype == PCS_U8));
    if (!max && strcmp(kind, "mean") && strcmp(kind, "lp")) return pcs_op_fail(g, n, "knows no kind %s", kind);
    if (!takes) return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    if (x->dims < 3 || n->attr[KERNEL].n != x->dims - 2 || pcs_window_check(g, n, n->attr, x->dims - 2))
        return g->error ? g->error
                        : pcs_op_fail(g, n, "takes x[batch, channels, ...] and a kernel of its last dimensions");
    if (n->attr[P].integer < 1) return pcs_op_fail(g, n, "has a norm of degree %lld", (long long)n->attr[P].integer);
    for (uint32_t i = 0; i < x->dims; i++) {
        const bool ceil = n->attr[CEIL].integer != 0;
        const pcs_window_axis axis = { x->dims - 2, i - 2, x->shape[i], i < 2 ? 0 : n->attr[KERNEL].list[i - 2], ceil };
        out->shape[i] = i < 2 ? x->shape[i] : pcs_window_places(g, n, &axis);
    }
    out->dims = x->dims;
    out->dtype = x->dtype;
    if (two) {
        out[1].dims = out->dims;
        out[1].dtype = PCS_I64;
        memcpy(out[1].shape, out->shape, sizeof out->shape);
    }
    return g->error;
}

typedef struct {
    double sum, top;
    int64_t best, there, counted;
} found;

static void look(const pcs_call *c, const pcs_window *w, const int64_t *ends, int64_t plane, const int64_t *at,
                 found *f)
{
    const bool lp = c->attr[KIND].text[0] == 'l' && c->attr[KIND].text[1] == 'p';
    for (int64_t k = 0; k < w->taps; k++) {
        const int64_t z = at[0] + k / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                      y = at[1] + k / w->kernel[2] % w->kernel[1] * w->dilation[1],
                      x = at[2] + k % w->kernel[2] * w->dilation[2];
        f->counted += z < ends[0] && y < ends[1] && x < ends[2];
        if (z < 0 || z >= w->in[0] || y < 0 || y >= w->in[1] || x < 0 || x >= w->in[2]) continue;
        const int64_t i = (z * w->in[1] + y) * w->in[2] + x;
        const double v = pcs_real_at(&c->in[0], (size_t)(plane * w->area + i));
        if (!f->there++ || v > f->top || (v != v && f->top == f->top))
            f->top = v, f->best = c->attr[COLUMNS].integer ? (x * w->in[1] + y) * w->in[0] + z : i;
        f->sum += lp ? pcs_m_pow(pcs_abs_(v), (double)c->attr[P].integer) : v;
    }
}

/* y = the larger of it and what one tap sees of a row, where that is inside; NaN is the largest. */
static void row_of_tap(const pcs_window *w, const float *x, int64_t shift, float *y)
{
    const int64_t s = w->stride[2];
    int64_t lo = shift < 0 ? (-shift + s - 1) / s : 0, hi = shift >= w->in[2] ? 0 : (w->in[2] - 1 - shift) / s + 1;
    if (hi > w->out[2]) hi = w->out[2];
    for (int64_t i = lo; i < hi; i++) {
        const float v = x[i * s + shift];
        y[i] = ((v > y[i]) | (v != v)) ? v : y[i];
    }
}

/* The largest of f32, without its place: rows of results, tap after tap. */
static void largest(const pcs_call *c, const pcs_window *w, uint32_t ith, uint32_t nth)
{
    const int64_t rows = w->out[0] * w->out[1], all = w->out[2] ? pcs_arg_count(&c->out[0]) / w->out[2] : 0;
    for (int64_t r = ith; r < all; r += nth) {
        const float *x = (const float *)c->in[0].data + r / rows * w->area;
        float *y = (float *)c->out[0].data + r * w->out[2];
        for (int64_t i = 0; i < w->out[2]; i++) y[i] = -PCS_INFINITY;
        for (int64_t k = 0; k < w->taps; k++) {
            const int64_t z = r % rows / w->out[1] * w->stride[0] - w->pad[0] +
                              k / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                          v = r % w->out[1] * w->stride[1] - w->pad[1] +
                              k / w->kernel[2] % w->kernel[1] * w->dilation[1];
            if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1]) continue;
            row_of_tap(w, x + (z * w->in[1] + v) * w->in[2], k % w->kernel[2] * w->dilation[2] - w->pad[2], y);
        }
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const pcs_window w = pcs_window_of(c->attr, x, y, c->attr[KERNEL].list);
    const uint32_t dims = x->dims - 2;
    const char *kind = c->attr[KIND].text;
    const int64_t count = pcs_arg_count(y);
    int64_t ends[PCS_WINDOW];
    for (uint32_t i = 0; i < PCS_WINDOW; i++)
        ends[i] = w.in[i] + (i < PCS_WINDOW - dims ? 0 : pcs_listed(&c->attr[PADS], dims + i - (PCS_WINDOW - dims), 0));
    const bool by_rows = kind[0] == 'l' && kind[1] == 'a' && x->dtype == PCS_F32;
    if (by_rows) largest(c, &w, ith, nth);
    for (int64_t i = ith; i < count && !by_rows; i += nth) {
        const int64_t p = i % w.places, plane = i / w.places;
        const int64_t at[PCS_WINDOW] = { p / (w.out[1] * w.out[2]) * w.stride[0] - w.pad[0],
                                         p / w.out[2] % w.out[1] * w.stride[1] - w.pad[1],
                                         p % w.out[2] * w.stride[2] - w.pad[2] };
        found f = { 0 };
        look(c, &w, ends, plane, at, &f);
        if (kind[1] == 'a') {
            pcs_set_real(y, (size_t)i, f.there ? f.top : x->dtype == PCS_F32 ? -PCS_INFINITY : 0);
            if (kind[0] == 'm') ((int64_t *)c->out[1].data)[i] = plane * w.area + f.best;
        } else if (kind[0] == 'l') pcs_set_real(y, (size_t)i, pcs_m_pow(f.sum, 1.0 / (double)c->attr[P].integer));
        else pcs_set_real(y, (size_t)i, f.sum / (double)(c->attr[ALL].integer ? f.counted : f.there));
    }
}

/* One window's gradient d, to what it saw: a mean shares it out; of a norm y = (sum |x|^p)^(1/p) each has
 * |x|^(p - 1) y^(1 - p) and x's sign. */
static void give_back(const pcs_call *c, const pcs_window *w, const found *f, int64_t i, const pcs_grads *g)
{
    const char *kind = c->attr[KIND].text;
    const int64_t p = i % w->places, plane = i / w->places, degree = c->attr[P].integer;
    const float *x = (const float *)c->in[0].data + plane * w->area;
    float *dx = g->in[0] + plane * w->area;
    const double d = (double)g->out[0][i], y = (double)((const float *)c->out[0].data)[i];
    for (int64_t k = 0; k < w->taps; k++) {
        const int64_t z = p / (w->out[1] * w->out[2]) * w->stride[0] - w->pad[0] +
                          k / (w->kernel[1] * w->kernel[2]) * w->dilation[0],
                      v = p / w->out[2] % w->out[1] * w->stride[1] - w->pad[1] +
                          k / w->kernel[2] % w->kernel[1] * w->dilation[1],
                      u = p % w->out[2] * w->stride[2] - w->pad[2] + k % w->kernel[2] * w->dilation[2];
        if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1] || u < 0 || u >= w->in[2]) continue;
        const int64_t at = (z * w->in[1] + v) * w->in[2] + u;
        const double m = pcs_abs_((double)x[at]);
        if (kind[0] == 'm') dx[at] += (float)(d / (double)(c->attr[ALL].integer ? f->counted : f->there));
        else if (y > 0)
            dx[at] += (float)(d * pcs_m_pow(m / y, (double)(degree - 1)) * (x[at] < 0 ? -1 : x[at] > 0));
    }
}

/* The first of the largest takes all, as eval keeps it; NaN is the largest. */
static void largest_back(const pcs_window *w, const float *x, const float *d, float *dx)
{
    for (int64_t p = 0; p < w->places; p++) {
        const int64_t z0 = p / (w->out[1] * w->out[2]) * w->stride[0] - w->pad[0],
                      v0 = p / w->out[2] % w->out[1] * w->stride[1] - w->pad[1],
                      u0 = p % w->out[2] * w->stride[2] - w->pad[2];
        int64_t best = -1;
        for (int64_t a = 0; a < w->kernel[0]; a++)
            for (int64_t b = 0; b < w->kernel[1]; b++)
                for (int64_t e = 0; e < w->kernel[2]; e++) {
                    const int64_t z = z0 + a * w->dilation[0], v = v0 + b * w->dilation[1], u = u0 + e * w->dilation[2];
                    if (z < 0 || z >= w->in[0] || v < 0 || v >= w->in[1] || u < 0 || u >= w->in[2]) continue;
                    const int64_t at = (z * w->in[1] + v) * w->in[2] + u;
                    if (best < 0 || x[at] > x[best] || (x[at] != x[at] && x[best] == x[best])) best = at;
                }
        if (best >= 0) dx[best] += d[p];
    }
}

/* A plane's windows overlap: each plane is one thread's. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_window w = pcs_window_of(c->attr, &c->in[0], &c->out[0], c->attr[KERNEL].list);
    const uint32_t dims = c->in[0].dims - 2;
    int64_t ends[PCS_WINDOW];
    for (uint32_t i = 0; i < PCS_WINDOW; i++)
        ends[i] = w.in[i] + (i < PCS_WINDOW - dims ? 0 : pcs_listed(&c->attr[PADS], dims + i - (PCS_WINDOW - dims), 0));
    const int64_t planes = w.places ? pcs_arg_count(&c->out[0]) / w.places : 0;
    if (c->attr[KIND].text[1] == 'a') {
        for (int64_t plane = ith; g->in[0] && plane < planes; plane += nth)
            largest_back(&w, (const float *)c->in[0].data + plane * w.area, g->out[0] + plane * w.places,
                         g->in[0] + plane * w.area);
        return;
    }
    for (int64_t plane = ith; g->in[0] && plane < planes; plane += nth)
        for (int64_t p = 0; p < w.places; p++) {
            const int64_t at[PCS_WINDOW] = { p / (w.out[1] * w.out[2]) * w.stride[0] - w.pad[0],
                                             p / w.out[2] % w.out[1] * w.stride[1] - w.pad[1],
                                             p % w.out[2] * w.stride[2] - w.pad[2] };
            found f = { 0 };
            look(c, &w, ends, plane, at, &f);
            give_back(c, &w, &f, plane * w.places + p, g);
        }
}

const pcs_op pcs_op_pool = {
    .name = "pool",
    .min_in = 1,
    .max_in = 1,
    .results = results,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("strides"), PCS_LIST("pads"), PCS_LIST("dilations"), PCS_LIST("kernel"),
                            PCS_TEXT("kind", "max"), PCS_INT("ceil", 0), PCS_INT("all", 0), PCS_INT("p", 2),
                            PCS_INT("columns", 0)),
    .infer = infer,
    .eval = eval,
    .backward = backward,
};
