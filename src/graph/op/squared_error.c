/* squared_error - the mean of (x - y)^2 over each row. */
#include "graph/op/pair.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (!g->values[n->in[0]].dims) return pcs_op_fail(g, n, "takes at least one dimension");
    const precis_status st = pcs_infer_pair(g, n, out);
    out->dims = out->dims > 1 ? out->dims - 1 : 1;
    if (g->values[n->in[0]].dims == 1) out->shape[0] = 1;
    return st;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *x = (const float *)c->in[0].data + r * n, *y = (const float *)c->in[1].data + r * n;
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
        ((float *)c->out[0].data)[r] = (float)(sum / (double)(n ? n : 1));
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const float *x = c->in[0].data, *y = c->in[1].data;
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++)
        for (size_t i = r * n; i < (r + 1) * n; i++) {
            const float d = g->out[0][r] * 2.0f * (x[i] - y[i]) / (float)n;
            if (g->in[0]) g->in[0][i] += d;
            if (g->in[1]) g->in[1][i] -= d;
        }
}

const pcs_op pcs_op_squared_error = {
    .name = "squared_error", .min_in = 2, .max_in = 2, .infer = infer, .eval = eval, .backward = backward,
};
