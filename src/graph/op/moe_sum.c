/* moe_sum - what the experts of a token gave, [tokens, top, n], times the route's weights, summed in the route's
 * order. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *r = &g->values[n->in[1]];
    if (x->dims != 3 || r->dims != 2 || r->shape[1] != 2 * x->shape[1] || r->shape[0] != x->shape[0])
        return pcs_op_fail(g, n, "takes x[tokens, top, n] and a route");
    out->dims = 2;
    out->shape[0] = x->shape[0];
    out->shape[1] = x->shape[2];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t tokens = (size_t)c->in[0].shape[0], top = (size_t)c->in[0].shape[1], n = (size_t)c->in[0].shape[2];
    for (size_t t = ith; t < tokens; t += nth) {
        float *y = (float *)c->out[0].data + t * n;
        const float *weight = (const float *)c->in[1].data + t * 2 * top + top;
        memset(y, 0, n * sizeof *y);
        for (size_t s = 0; s < top; s++) {
            const float *x = (const float *)c->in[0].data + (t * top + s) * n;
            for (size_t i = 0; i < n; i++) y[i] += x[i] * weight[s];
        }
    }
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const size_t tokens = (size_t)c->in[0].shape[0], top = (size_t)c->in[0].shape[1], n = (size_t)c->in[0].shape[2];
    for (size_t t = ith; t < tokens; t += nth) {
        const float *weight = (const float *)c->in[1].data + t * 2 * top + top, *d = g->out[0] + t * n;
        for (size_t s = 0; s < top; s++) {
            const float *x = (const float *)c->in[0].data + (t * top + s) * n;
            double dot = 0;
            for (size_t i = 0; i < n; i++) dot += (double)d[i] * x[i];
            for (size_t i = 0; g->in[0] && i < n; i++) g->in[0][(t * top + s) * n + i] += d[i] * weight[s];
            if (g->in[1]) g->in[1][t * 2 * top + top + s] += (float)dot; /* numbers of experts have none */
        }
    }
}

const pcs_op pcs_op_moe_sum = {
    .name = "moe_sum", .min_in = 2, .max_in = 2, .infer = infer, .eval = eval, .backward = backward,
};
