/* softmax - over the last dimension, less the row's largest. */
#include "base/fmath.h"
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (!g->values[n->in[0]].dims) return pcs_op_fail(g, n, "takes at least one dimension");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    for (size_t r = ith; r < rows; r += nth) {
        const float *x = (const float *)c->in[0].data + r * n;
        float *y = (float *)c->out[0].data + r * n, top = n ? x[0] : 0.0f;
        double sum = 0;
        for (size_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
        for (size_t i = 0; i < n; i++) sum += y[i] = pcs_expf(x[i] - top);
        for (size_t i = 0; i < n; i++) y[i] = (float)(y[i] / sum);
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    for (size_t r = ith; g->in[0] && r < rows; r += nth) {
        const float *y = (const float *)c->out[0].data + r * n, *d = g->out[0] + r * n;
        double dot = 0;
        for (size_t i = 0; i < n; i++) dot += (double)y[i] * d[i];
        for (size_t i = 0; i < n; i++) g->in[0][r * n + i] += y[i] * (d[i] - (float)dot);
    }
}

const pcs_op pcs_op_softmax = {
    .name = "softmax", .min_in = 1, .max_in = 1, .infer = infer, .eval = eval, .backward = backward,
};
