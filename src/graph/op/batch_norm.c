/* batch_norm - inference form: (x - mean) / sqrt(variance + eps) * gamma + beta per channel; inputs x, gamma,
 * beta, mean, variance. Ioffe and Szegedy 2015. */
#include "base/fmath.h"
#include "graph/graph.h"

enum { EPS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (x->dims < 2) return pcs_op_fail(g, n, "takes x[batch, channels, ...]");
    for (uint32_t i = 1; i < 5; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (v->dtype != PCS_F32 || v->dims != 1 || v->shape[0] != x->shape[1])
            return pcs_op_fail(g, n, "input %u is not [%lld]", i, (long long)x->shape[1]);
    }
    return pcs_infer_like(g, n, 0, out);
}

/* y = a * x + b, channel by channel. */
static void factors(const float *const in[5], float eps, size_t channel, float *a, float *b)
{
    *a = in[1][channel] / pcs_sqrtf(in[4][channel] + eps);
    *b = in[2][channel] - in[3][channel] * *a;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t channels = (size_t)c->in[0].shape[1], planes = (size_t)c->in[0].shape[0] * channels;
    const size_t n = planes ? (size_t)pcs_arg_count(&c->in[0]) / planes : 0;
    const float *in[5];
    for (int i = 0; i < 5; i++) in[i] = c->in[i].data;
    for (size_t p = ith; p < planes; p += nth) {
        const float *x = in[0] + p * n;
        float *y = (float *)c->out[0].data + p * n, a, b;
        factors(in, (float)c->attr[EPS].real, p % channels, &a, &b);
        for (size_t i = 0; i < n; i++) y[i] = x[i] * a + b;
    }
}

static bool by_channel(const precis_graph *g, const pcs_node *n, float *a, float *b)
{
    const size_t channels = (size_t)g->values[n->in[1]].shape[0];
    const float *in[5] = { NULL };
    for (int i = 1; i < 5; i++)
        if (!(in[i] = pcs_value_f32(&g->values[n->in[i]], channels))) return false;
    for (size_t ch = 0; ch < channels; ch++) factors(in, (float)n->attr[EPS].real, ch, &a[ch], &b[ch]);
    return true;
}

/* What one channel's statistics get: sums over all its numbers, batch by batch. */
static void by_statistics(const pcs_call *c, const pcs_grads *g, const float *const in[5], size_t channel)
{
    const size_t channels = (size_t)c->in[0].shape[1], batch = (size_t)c->in[0].shape[0];
    const size_t n = (size_t)pcs_arg_count(&c->in[0]) / (batch * channels);
    const double inverse = 1.0 / (double)pcs_sqrtf(in[4][channel] + (float)c->attr[EPS].real);
    double sum = 0, with_x = 0;
    for (size_t b = 0; b < batch; b++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = (b * channels + channel) * n + i;
            sum += g->out[0][at];
            with_x += (double)g->out[0][at] * ((double)in[0][at] - in[3][channel]);
        }
    const double gamma = in[1][channel];
    if (g->in[1]) g->in[1][channel] += (float)(with_x * inverse);
    if (g->in[2]) g->in[2][channel] += (float)sum;
    if (g->in[3]) g->in[3][channel] -= (float)(sum * gamma * inverse);
    if (g->in[4]) g->in[4][channel] -= (float)(with_x * gamma * 0.5 * inverse * inverse * inverse);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t channels = (size_t)c->in[0].shape[1], planes = (size_t)c->in[0].shape[0] * channels;
    const size_t n = planes ? (size_t)pcs_arg_count(&c->in[0]) / planes : 0;
    const float *in[5];
    for (int i = 0; i < 5; i++) in[i] = c->in[i].data;
    for (size_t p = ith; g->in[0] && p < planes; p += nth) {
        float a, b;
        factors(in, (float)c->attr[EPS].real, p % channels, &a, &b);
        for (size_t i = p * n; i < (p + 1) * n; i++) g->in[0][i] += g->out[0][i] * a;
    }
    for (size_t ch = ith; planes && ch < channels; ch += nth) by_statistics(c, g, in, ch);
}

const pcs_op pcs_op_batch_norm = {
    .name = "batch_norm", .min_in = 5, .max_in = 5, .by_channel = by_channel,
    .attrs = PCS_ATTR_TABLE(PCS_REAL("eps", 1e-5)), .infer = infer, .eval = eval, .backward = backward,
};
