/* softcap - cap * tanh(x / cap): keeps logits within +-cap (Gemma 2 report, section 2). */
#include "base/fmath.h"
#include "base/pool.h"
#include "graph/graph.h"

enum { CAP };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const float *restrict x = c->in[0].data;
    const float cap = (float)c->attr[CAP].real;
    float *restrict y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) y[i] = cap * pcs_tanhf(x[i] / cap);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const float *x = c->in[0].data;
    const float cap = (float)c->attr[CAP].real;
    for (uint64_t i = begin; g->in[0] && i < end; i++) {
        const float t = pcs_tanhf(x[i] / cap);
        g->in[0][i] += g->out[0][i] * (1.0f - t * t);
    }
}

const pcs_op pcs_op_softcap = {
    .name = "softcap", .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_REAL("cap", 30)), .infer = infer,
    .eval = eval, .backward = backward,
};
