/* fourier - the discrete Fourier transform along an axis of x[..., 1 or 2], whose last dimension is a real, or a real
 * and an imaginary part. n elements are taken, after the end zeros. ONE_SIDED forward: n / 2 + 1 of the results;
 * backward: from so many, to n real ones. Sums are taken in f64 over a table of n angles, in ascending order: n^2
 * steps, which the n of speech bears. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { AXIS, N, INVERSE, ONE_SIDED };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const uint32_t axis = pcs_axis(n->attr[AXIS].integer, x->dims);
    const int64_t length = n->attr[N].integer, parts = x->dims ? x->shape[x->dims - 1] : 0;
    const bool one_sided = n->attr[ONE_SIDED].integer != 0, inverse = n->attr[INVERSE].integer != 0;
    if ((x->dtype != PCS_F32 && x->dtype != PCS_F64) || (parts != 1 && parts != 2) || axis + 1 >= x->dims)
        return pcs_op_fail(g, n, "takes numbers with 1 or 2 parts, and an axis before them");
    if (length < 1 || length > 1 << 20)
        return pcs_op_fail(g, n, "has %lld elements; it can be 1 to 2^20", (long long)length);
    out->dims = x->dims;
    out->dtype = x->dtype;
    memcpy(out->shape, x->shape, sizeof out->shape);
    out->shape[axis] = one_sided && !inverse ? length / 2 + 1 : length;
    out->shape[x->dims - 1] = one_sided && inverse ? 1 : 2;
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c) { return (size_t)c->attr[N].integer * 4 * sizeof(double) + 64; }

typedef struct {
    double *angles, *line;
    int64_t n, have;
    bool inverse, one_sided;
} transform;

/* The line of inputs: real and imaginary parts; a one-sided spectrum's other half mirrors it. */
static void load(const pcs_arg *x, int64_t from, int64_t step, int64_t parts, transform *w)
{
    for (int64_t i = 0; i < w->n; i++) {
        const bool mirrored = w->inverse && w->one_sided && i > w->n / 2;
        const int64_t at = mirrored ? w->n - i : i;
        const double re = at < w->have ? pcs_real_at(x, (size_t)(from + at * step)) : 0,
                     im = at < w->have && parts == 2 ? pcs_real_at(x, (size_t)(from + at * step + 1)) : 0;
        w->line[2 * i] = re;
        w->line[2 * i + 1] = mirrored ? -im : im;
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const uint32_t axis = pcs_axis(c->attr[AXIS].integer, x->dims);
    const int64_t n = c->attr[N].integer, in_parts = pcs_arg_width(x), out_parts = pcs_arg_width(y),
                  outs = y->shape[axis];
    double *mem = (double *)(void *)(c->scratch + ith * c->scratch_size);
    transform w = { mem,
               mem + 2 * n,
               n,
               x->shape[axis] < n ? x->shape[axis] : n,
               c->attr[INVERSE].integer != 0,
               c->attr[ONE_SIDED].integer != 0 };
    int64_t inner = 1, outer = 1;
    for (uint32_t i = 0; i < axis; i++) outer *= x->shape[i];
    for (uint32_t i = axis + 1; i + 1 < x->dims; i++) inner *= x->shape[i];
    for (int64_t i = 0; i < n; i++)
        pcs_sincos(6.28318530717958647692 * (double)i / (double)n, &w.angles[2 * i], &w.angles[2 * i + 1]);
    for (int64_t l = ith; l < outer * inner; l += nth) {
        const int64_t o = l / inner, i = l % inner;
        load(x, (o * x->shape[axis] * inner + i) * in_parts, inner * in_parts, in_parts, &w);
        for (int64_t k = 0; k < outs; k++) {
            double re = 0, im = 0;
            for (int64_t t = 0; t < n; t++) {
                const int64_t a = k * t % n;
                const double s = w.inverse ? w.angles[2 * a] : -w.angles[2 * a], co = w.angles[2 * a + 1];
                re += w.line[2 * t] * co - w.line[2 * t + 1] * s;
                im += w.line[2 * t] * s + w.line[2 * t + 1] * co;
            }
            const size_t to = (size_t)((o * outs + k) * inner + i) * (size_t)out_parts;
            pcs_set_real(y, to, w.inverse ? re / (double)n : re);
            if (out_parts == 2) pcs_set_real(y, to + 1, w.inverse ? im / (double)n : im);
        }
    }
}

const pcs_op pcs_op_fourier = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "fourier",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", -2), PCS_INT("n", 1), PCS_INT("inverse", 0), PCS_INT("one_sided", 0)),
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
