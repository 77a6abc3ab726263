/* gather - rows of x by index. */
#include "graph/graph.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    if (x->dtype != PCS_F32 || x->dims != 2 || ids->dtype != PCS_I32 || ids->dims != 1) return pcs_op_fail(g, n, "takes x[rows, width] and ids[n]");
    out->dims = 2;
    out->shape[0] = ids->shape[0];
    out->shape[1] = x->shape[1];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t k = (size_t)c->in[0].shape[1];
    const int32_t *ids = c->in[1].data;
    for (size_t t = ith; t < (size_t)c->in[1].shape[0]; t += nth)
        memcpy((float *)c->out[0].data + t * k, (const float *)c->in[0].data + (size_t)ids[t] * k, k * sizeof(float));
}

static void backward(const pcs_call *c, const float *dout, float *const *din)
{
    const size_t k = (size_t)c->in[0].shape[1];
    const int32_t *ids = c->in[1].data;
    for (size_t t = 0; din[0] && t < (size_t)c->in[1].shape[0]; t++)
        for (size_t i = 0; i < k; i++) din[0][(size_t)ids[t] * k + i] += dout[t * k + i];
}

const pcs_op pcs_op_gather = { .name = "gather", .min_in = 2, .max_in = 2, .infer = infer, .eval = eval, .backward = backward };
