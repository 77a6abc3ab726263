/* ternary - weights as -1, 0 or 1 times the mean magnitude of the whole tensor (BitNet b1.58: "The Era of 1-bit LLMs:
 * training tips, code and FAQ", figure 3). The gradient passes as it is. */
#include "graph/op/pair.h"
#include "graph/op/round.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_count(&c->in[0]);
    const float *w = c->in[0].data;
    uint64_t begin, end;
    pcs_share(n, 64, ith, nth, &begin, &end);
    if (begin == end) return;
    const float mean = (float)pcs_mean_magnitude(w, n), s = mean > 1e-5f ? mean : 1e-5f;
    for (uint64_t i = begin; i < end; i++) ((float *)c->out[0].data)[i] = pcs_clamp(pcs_nearest(w[i] / s), -1, 1) * s;
}

const pcs_op pcs_op_ternary = {
    .name = "ternary",
    .min_in = 1,
    .max_in = 1,
    .infer = infer,
    .eval = eval,
    .backward = pcs_back_same,
    .straight_through = true,
};
