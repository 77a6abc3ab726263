/* layer_norm - y = (x - mean) / sqrt(variance + eps) * weight + bias over each row (Ba et al. 2016, equation 4).
 * Sums are taken in 16 lanes, so their order is fixed. */
#include "base/fmath.h"
#include "graph/graph.h"

enum { EPS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t width = x->dims ? x->shape[x->dims - 1] : 0;
    for (uint32_t i = 1; i < n->n_in; i++) {
        const pcs_value *w = &g->values[n->in[i]];
        if (w->dtype != PCS_F32 || w->dims != 1 || w->shape[0] != width)
            return pcs_op_fail(g, n, "weight and bias are not f32 [%lld]", (long long)width);
    }
    return pcs_infer_like(g, n, 0, out);
}

static float lanes_sum(float *lane)
{
    for (size_t step = 8; step; step /= 2)
        for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
    return lane[0];
}

/* Mean of a row and 1 / its deviation. */
static void statistics(const pcs_call *c, const float *x, size_t n, float *mean, float *inverse)
{
    float sum[16] = { 0 }, squares[16] = { 0 };
    for (size_t i = 0; i < n; i++) sum[i % 16] += x[i];
    *mean = lanes_sum(sum) / (float)n;
    for (size_t i = 0; i < n; i++) squares[i % 16] += (x[i] - *mean) * (x[i] - *mean);
    *inverse = 1.0f / pcs_sqrtf(lanes_sum(squares) / (float)n + (float)c->attr[EPS].real);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const float *w = c->in[1].data, *b = c->n_in > 2 ? c->in[2].data : NULL;
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    c->kernels->layer_norm(&(pcs_rows_args){ .x = (const float *)c->in[0].data + begin * n,
                                             .y = (float *)c->out[0].data + begin * n,
                                             .rows = end - begin,
                                             .n = n,
                                             .w = w,
                                             .b = b,
                                             .eps = (float)c->attr[EPS].real });
}

static void by_row(const pcs_call *c, const float *d, const float *x, float *dx, size_t n)
{
    const float *w = c->in[1].data;
    float mean, s;
    statistics(c, x, n, &mean, &s);
    double sum = 0, dot = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)d[i] * w[i];
        dot += (double)d[i] * w[i] * ((double)x[i] - mean);
    }
    const float level = (float)(sum / (double)n), back = (float)(dot / (double)n * s * s);
    for (size_t i = 0; i < n; i++) dx[i] += s * (d[i] * w[i] - level - (x[i] - mean) * back);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const float *x = c->in[0].data, *d = g->out[0];
    float *const db = c->n_in > 2 ? g->in[2] : NULL;
    uint64_t begin, end;
    pcs_share(rows, 1, ith, nth, &begin, &end);
    for (size_t r = begin; g->in[0] && r < end; r++) by_row(c, d + r * n, x + r * n, g->in[0] + r * n, n);
    pcs_share(n, 16, ith, nth, &begin, &end);
    for (size_t r = 0; (g->in[1] || db) && begin < end && r < rows; r++) {
        float mean, s;
        statistics(c, x + r * n, n, &mean, &s);
        for (size_t i = begin; g->in[1] && i < end; i++) g->in[1][i] += d[r * n + i] * (x[r * n + i] - mean) * s;
        for (size_t i = begin; db && i < end; i++) db[i] += d[r * n + i];
    }
}

const pcs_op pcs_op_layer_norm = {
    .name = "layer_norm", .by_rows = true, .min_in = 2, .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("eps", 1e-5)), .infer = infer, .eval = eval,
    .backward = backward,
};
