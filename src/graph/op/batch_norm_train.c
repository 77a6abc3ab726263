/* batch_norm_train - (x - mean) / sqrt(variance + eps) * gamma + beta with the statistics of the batch itself, per
 * channel (Ioffe and Szegedy 2015, algorithm 1). Results: y, and the mean and the variance (over n, not n - 1) that it
 * took, through which no gradient flows: running statistics are made of them outside. */
#include "base/fmath.h"
#include "graph/op/pair.h"

enum { EPS };

static uint32_t results(const pcs_node *n)
{
    (void)n;
    return 3;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (x->dims < 2) return pcs_op_fail(g, n, "takes x[batch, channels, ...]");
    for (uint32_t i = 1; i < 3; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (v->dtype != PCS_F32 || v->dims != 1 || v->shape[0] != x->shape[1])
            return pcs_op_fail(g, n, "input %u is not [%lld]", i, (long long)x->shape[1]);
        out[i].dims = 1;
        out[i].shape[0] = x->shape[1];
    }
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_along a = pcs_along_of(&c->in[0], 1);
    const float *x = c->in[0].data, *gamma = c->in[1].data, *beta = c->in[2].data;
    float *y = c->out[0].data, *means = c->out[1].data, *variances = c->out[2].data;
    const double n = (double)(a.outer * a.inner);
    for (size_t ch = ith; ch < a.channels; ch += nth) {
        double sum = 0, squares = 0;
        for (size_t o = 0; o < a.outer; o++)
            for (size_t i = 0; i < a.inner; i++) sum += x[(o * a.channels + ch) * a.inner + i];
        const double mean = sum / n;
        for (size_t o = 0; o < a.outer; o++)
            for (size_t i = 0; i < a.inner; i++) {
                const double v = x[(o * a.channels + ch) * a.inner + i] - mean;
                squares += v * v;
            }
        means[ch] = (float)mean;
        variances[ch] = (float)(squares / n);
        const float by = gamma[ch] / pcs_sqrtf(variances[ch] + (float)c->attr[EPS].real);
        for (size_t o = 0; o < a.outer; o++)
            for (size_t i = (o * a.channels + ch) * a.inner, e = i + a.inner; i < e; i++)
                y[i] = (x[i] - means[ch]) * by + beta[ch];
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_along a = pcs_along_of(&c->in[0], 1);
    const float *x = c->in[0].data, *gamma = c->in[1].data, *means = c->out[1].data, *variances = c->out[2].data,
                *d = g->out[0];
    const double n = (double)(a.outer * a.inner);
    for (size_t ch = ith; d && ch < a.channels; ch += nth) {
        const double inverse = 1.0 / (double)pcs_sqrtf(variances[ch] + (float)c->attr[EPS].real), mean = means[ch];
        double sum = 0, dot = 0; /* of d, and of d with the normalized x */
        for (size_t o = 0; o < a.outer; o++)
            for (size_t i = (o * a.channels + ch) * a.inner, e = i + a.inner; i < e; i++) {
                sum += d[i];
                dot += d[i] * (x[i] - mean) * inverse;
            }
        for (size_t o = 0; g->in[0] && o < a.outer; o++)
            for (size_t i = (o * a.channels + ch) * a.inner, e = i + a.inner; i < e; i++)
                g->in[0][i] += (float)(gamma[ch] * inverse * (d[i] - sum / n - (x[i] - mean) * inverse * dot / n));
        if (g->in[1]) g->in[1][ch] += (float)dot;
        if (g->in[2]) g->in[2][ch] += (float)sum;
    }
}

const pcs_op pcs_op_batch_norm_train = {
    .name = "batch_norm_train",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("eps", 1e-5)),
    .results = results,
    .infer = infer,
    .eval = eval,
    .backward = backward,
};
