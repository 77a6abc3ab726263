/* swiglu - gate * sigmoid(gate) * up (Shazeer 2020). */
#include "base/fmath.h"
#include "graph/op/pair.h"

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    if (begin < end)
        c->kernels->swiglu(&(pcs_glu_args){ (const float *)c->in[0].data + begin, (const float *)c->in[1].data + begin,
                                            (float *)c->out[0].data + begin, end - begin });
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    const float *x = c->in[0].data, *up = c->in[1].data, *d = g->out[0];
    float *const dx = g->in[0], *const du = g->in[1];
    for (uint64_t i = begin; dx && i < end; i++) {
        const float s = pcs_sigmoidf(x[i]);
        dx[i] += d[i] * up[i] * s * (1.0f + x[i] * (1.0f - s));
    }
    for (uint64_t i = begin; du && i < end; i++) du[i] += d[i] * x[i] * pcs_sigmoidf(x[i]);
}

const pcs_op pcs_op_swiglu = {
    .name = "swiglu", .by_rows = true, .min_in = 2, .max_in = 2, .infer = pcs_infer_pair, .eval = eval,
    .backward = backward,
};
