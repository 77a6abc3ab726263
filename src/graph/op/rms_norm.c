/* rms_norm - y = x / sqrt(mean(x^2) + eps) * weight over each `dim` numbers of a row (0: the whole row).
 * Zhang and Sennrich 2019, equation 4. The sum of squares is taken in 16 lanes, so its order is fixed. */
#include "base/fmath.h"
#include "base/lane_sums.h"
#include "graph/graph.h"

enum { EPS, DIM };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *w = &g->values[n->in[1]];
    const int64_t width = x->dims ? x->shape[x->dims - 1] : 0,
                  dim = n->attr[DIM].integer > 0 ? n->attr[DIM].integer : width;
    if (dim < 1 || width % dim)
        return pcs_op_fail(g, n, "rows of %lld are not whole groups of %lld", (long long)width, (long long)dim);
    if (w->dtype != PCS_F32 || w->dims != 1 || w->shape[0] != dim)
        return pcs_op_fail(g, n, "weight is not f32 [%lld]", (long long)dim);
    return pcs_infer_like(g, n, 0, out);
}

static float inverse_rms(const float *x, size_t n, float eps)
{
    float lane[16] = { 0 };
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (size_t l = 0; l < 16; l++) lane[l] += x[i + l] * x[i + l];
    for (; i < n; i++) lane[i % 16] += x[i] * x[i];
    for (size_t step = 8; step; step /= 2)
        for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
    return 1.0f / pcs_sqrtf(lane[0] / (float)n + eps);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0];
    const float *w = c->in[1].data;
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (size_t r = begin / n; r < end / n; r++) {
        const float *x = (const float *)c->in[0].data + r * n;
        float *y = (float *)c->out[0].data + r * n;
        const float s = inverse_rms(x, n, (float)c->attr[EPS].real);
        for (size_t i = 0; i < n; i++) y[i] = x[i] * s * w[i];
    }
}

/* sum d[i] w[i] x[i] in 8 lanes. */
static double weighted_dot(const float *d, const float *w, const float *x, size_t n)
{
    double lane[8] = { 0 };
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++) lane[l] += (double)d[i + l] * w[i + l] * x[i + l];
    for (; i < n; i++) lane[i % 8] += (double)d[i] * w[i] * x[i];
    return pcs_eight_lanes(lane);
}

/* Columns [from, to) of the gradient by the weight; the rows' sums are the same for every thread. */
static void back_to_weight(const pcs_call *c, const float *dout, float *dw, size_t from, size_t to)
{
    const size_t n = (size_t)c->in[1].shape[0], rows = (size_t)pcs_arg_count(&c->in[0]) / n;
    for (size_t r = 0; r < rows && from < to; r++) {
        const float *x = (const float *)c->in[0].data + r * n, *d = dout + r * n;
        const float s = inverse_rms(x, n, (float)c->attr[EPS].real);
        for (size_t i = from; i < to; i++) dw[i] += d[i] * x[i] * s;
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)c->in[1].shape[0];
    const float *w = c->in[1].data;
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (size_t r = begin / n; g->in[0] && r < end / n; r++) {
        const float *x = (const float *)c->in[0].data + r * n, *d = g->out[0] + r * n;
        const float s = inverse_rms(x, n, (float)c->attr[EPS].real);
        const float back = (float)(weighted_dot(d, w, x, n) * s * s * s / (double)n);
        for (size_t i = 0; i < n; i++) g->in[0][r * n + i] += s * d[i] * w[i] - back * x[i];
    }
    pcs_share(n, 16, ith, nth, &begin, &end);
    if (g->in[1]) back_to_weight(c, g->out[0], g->in[1], begin, end);
}

const pcs_op pcs_op_rms_norm = {
    .name = "rms_norm", .by_rows = true, .min_in = 2, .max_in = 2,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("eps", 1e-5), PCS_INT("dim", 0)), .infer = infer, .eval = eval,
    .backward = backward,
};
