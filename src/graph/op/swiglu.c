/* swiglu - gate * sigmoid(gate) * up (Shazeer 2020). */
#include "graph/op/pair.h"

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share_result(c, ith, nth, &begin, &end);
    if (begin < end)
        c->kernels->swiglu(&(pcs_glu_args){ (const float *)c->in[0].data + begin, (const float *)c->in[1].data + begin,
                                            (float *)c->out[0].data + begin, end - begin });
}

/* Sigmoids are made PIECE at a time by the kernel of functions, which has them for every instruction set. */
#define PIECE 256

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    float s[PIECE];
    pcs_share_numbers(&c->out[0], ith, nth, &begin, &end);
    for (uint64_t at = begin; at < end; at += PIECE) {
        const size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;
        const float *x = (const float *)c->in[0].data + at, *up = (const float *)c->in[1].data + at,
                    *d = g->out[0] + at;
        float *const dx = g->in[0] ? g->in[0] + at : NULL, *const du = g->in[1] ? g->in[1] + at : NULL;
        c->kernels->elements(
            &(pcs_elements_args){ .f = PCS_OF_SIGMOID, .x = x, .y = x, .dx = 1, .to = s, .n = n });
        for (size_t i = 0; dx && i < n; i++) dx[i] += d[i] * up[i] * s[i] * (1.0f + x[i] * (1.0f - s[i]));
        for (size_t i = 0; du && i < n; i++) du[i] += d[i] * x[i] * s[i];
    }
}

const pcs_op pcs_op_swiglu = {
    .name = "swiglu", .by_rows = true, .by_numbers = true, .min_in = 2, .max_in = 2,
    .infer = pcs_infer_pair, .eval = eval,
    .backward = backward,
};
