/* binarize - weights [rows, k] as their sign (1 for 0) times the mean magnitude of the row (XNOR-Net, 1603.05279,
 * section 3.1).
 *
 * The gradient is that of section 3.3: d (1 / k + alpha where |w| <= 1), each weight by itself. */
#include "graph/graph.h"
#include "graph/op/round.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (g->values[n->in[0]].dims != 2) return pcs_op_fail(g, n, "takes w[rows, k]");
    return pcs_infer_like(g, n, 0, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *w = (const float *)c->in[0].data + r * k, alpha = (float)pcs_mean_magnitude(w, k);
        for (size_t i = 0; i < k; i++) ((float *)c->out[0].data)[r * k + i] = w[i] < 0 ? -alpha : alpha;
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t rows = (size_t)c->in[0].shape[0], k = (size_t)c->in[0].shape[1];
    for (size_t r = rows * ith / nth; g->in[0] && r < rows * (ith + 1) / nth; r++) {
        const float *w = (const float *)c->in[0].data + r * k, alpha = (float)pcs_mean_magnitude(w, k),
                    mean = 1.0f / (float)k;
        for (size_t i = 0; i < k; i++)
            g->in[0][r * k + i] += g->out[0][r * k + i] * (mean + (w[i] >= -1 && w[i] <= 1 ? alpha : 0.0f));
    }
}

const pcs_op pcs_op_binarize = {
    .name = "binarize",
    .min_in = 1,
    .max_in = 1,
    .infer = infer,
    .eval = eval,
    .backward = backward,
    .straight_through = true,
};
