/* kv_append - the state with keys and values of new tokens: (state, k, v, positions, sequences). */
#include "graph/graph.h"
#include "graph/kv.h"

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *s = &g->values[n->in[0]], *k = &g->values[n->in[1]], *v = &g->values[n->in[2]];
    if (s->dtype != PCS_STATE || k->dims != 2 || v->dims != 2 || k->shape[1] != s->shape[1] * s->shape[2] ||
        v->shape[1] != s->shape[1] * s->shape[3])
        return pcs_op_fail(g, n, "takes a state and k, v of its heads and dimensions");
    out->dtype = PCS_STATE;
    out->dims = s->dims;
    memcpy(out->shape, s->shape, sizeof s->shape);
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_kv *kv = c->in[0].data;
    const size_t rows = (size_t)c->in[1].shape[0];
    const float *k = c->in[1].data, *v = c->in[2].data;
    const int32_t *pos = c->in[3].data, *seq = c->in[4].data;
    for (size_t u = rows * kv->heads * ith / nth; u < rows * kv->heads * (ith + 1) / nth; u++) {
        const size_t t = u / kv->heads, h = u % kv->heads;
        pcs_kv_put(kv, (uint32_t)seq[t], (uint32_t)h, (uint32_t)pos[t], k + u * kv->kd, v + u * kv->vd);
    }
}

/* view: the state is one object; the new value names its later content. */
const pcs_op pcs_op_kv_append = {
    .name = "kv_append", .min_in = 5, .max_in = 5, .view = true, .infer = infer, .eval = eval,
    .not_differentiable = "it writes to a cache",
};
