/* geglu - gelu(gate) * up, gelu by its tanh form (Hendrycks and Gimpel 2016). */
#include "graph/op/gelu.h"
#include "graph/op/pair.h"

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_result(c, ith, nth, &begin, &end);
    if (begin < end)
        c->kernels->geglu(&(pcs_glu_args){ (const float *)c->in[0].data + begin, (const float *)c->in[1].data + begin,
                                           (float *)c->out[0].data + begin, end - begin });
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *x = c->in[0].data, *up = c->in[1].data, *d = g->out[0];
    for (uint64_t i = begin; i < end; i++) {
        float y, slope;
        pcs_gelu_tanh(x[i], &y, &slope);
        if (g->in[0]) g->in[0][i] += d[i] * up[i] * slope;
        if (g->in[1]) g->in[1][i] += d[i] * y;
    }
}

const pcs_op pcs_op_geglu = {
    .name = "geglu", .by_rows = true, .by_numbers = true, .min_in = 2, .max_in = 2,
    .infer = pcs_infer_pair, .eval = eval,
    .backward = backward,
};
