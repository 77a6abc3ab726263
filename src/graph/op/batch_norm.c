/* batch_norm - inference form: (x - mean) / sqrt(variance + eps) * gamma + beta per channel; inputs x, gamma,
 * beta, mean, variance. Ioffe and Szegedy 2015. */
#include "base/fmath.h"
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (x->dims < 2) return pcs_op_fail(g, n, "takes x[batch, channels, ...]");
    for (uint32_t i = 1; i < 5; i++) {
        const pcs_value *v = &g->values[n->in[i]];
        if (v->dtype != PCS_F32 || v->dims != 1 || v->shape[0] != x->shape[1]) return pcs_op_fail(g, n, "input %u is not [%lld]", i, (long long)x->shape[1]);
    }
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t channels = (size_t)c->in[0].shape[1], planes = (size_t)c->in[0].shape[0] * channels;
    const size_t n = planes ? (size_t)pcs_arg_count(&c->in[0]) / planes : 0;
    const float *gamma = c->in[1].data, *beta = c->in[2].data, *mean = c->in[3].data, *var = c->in[4].data;
    for (size_t p = ith; p < planes; p += nth) {
        const size_t ch = p % channels;
        const float a = gamma[ch] / pcs_sqrtf(var[ch] + (float)c->attr[0]), b = beta[ch] - mean[ch] * a;
        for (size_t i = 0; i < n; i++) ((float *)c->out.data)[p * n + i] = ((const float *)c->in[0].data)[p * n + i] * a + b;
    }
}

const pcs_op pcs_op_batch_norm = { .name = "batch_norm", .min_in = 5, .max_in = 5, .attrs = { "eps" }, .defaults = { 1e-5 }, .infer = infer, .eval = eval };
