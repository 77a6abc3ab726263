/* scale - y = x * by. */
#include "base/pool.h"
#include "graph/graph.h"

enum { BY };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out) { return pcs_infer_like(g, n, 0, out); }

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const float *x = c->in[0].data;
    float *y = c->out[0].data;
    for (uint64_t i = begin; i < end; i++) y[i] = x[i] * (float)c->attr[BY].real;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const float by = (float)c->attr[BY].real;
    for (uint64_t i = begin; g->in[0] && i < end; i++) g->in[0][i] += g->out[0][i] * by;
}

const pcs_op pcs_op_scale = {
    .name = "scale", .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_REAL("by", 1)), .infer = infer,
    .eval = eval, .backward = backward,
};
