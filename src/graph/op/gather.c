/* gather - parts of x along its first dimension, by index: x[n, ...] and ids[...] give [..., ...]. */
#include "graph/element.h"

/* Elements of a shape that are known before the graph runs. */
static precis_status pick_known(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    const int64_t *from = ids->known;
    int64_t count = 1;
    if (!x->known || !from) return PRECIS_OK;
    for (uint32_t i = 0; i < ids->dims; i++) count *= ids->shape[i];
    int64_t *known = pcs_arena_alloc(&g->arena, (size_t)count + 1, sizeof *known);
    if (!known) {
        pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx));
        return g->error;
    }
    for (int64_t i = 0; i < count; i++) {
        const int64_t at = from[i] < 0 ? from[i] + x->shape[0] : from[i];
        if (at < 0 || at >= x->shape[0])
            return pcs_op_fail(g, n, "index %lld of %lld", (long long)from[i], (long long)x->shape[0]);
        known[i] = x->known[at];
    }
    out->known = known;
    return PRECIS_OK;
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    if (!x->dims || !pcs_dtype_bytes(x->dtype) || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64))
        return pcs_op_fail(g, n, "takes x[n, ...] and whole numbers");
    if (ids->dims + x->dims - 1 > PCS_GRAPH_DIMS)
        return pcs_op_fail(g, n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
    if (x->affine.scales) return pcs_op_fail(g, n, "takes codes of one scale");
    out->dtype = x->dtype;
    out->affine = x->affine;
    for (uint32_t i = 0; i < ids->dims; i++) out->shape[out->dims++] = ids->shape[i];
    for (uint32_t i = 1; i < x->dims; i++) out->shape[out->dims++] = x->shape[i];
    return x->dtype == PCS_I64 && x->dims == 1 ? pick_known(g, n, out) : PRECIS_OK;
}

/* Index t; one that is outside takes the first part, so that no input can make it read elsewhere. */
static size_t index_at(const pcs_arg *ids, size_t t, int64_t n)
{
    const int64_t id = ids->dtype == PCS_I32 ? ((const int32_t *)ids->data)[t] : ((const int64_t *)ids->data)[t];
    const int64_t at = id < 0 ? id + n : id;
    return at < 0 || at >= n ? 0 : (size_t)at;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    size_t part = pcs_dtype_bytes(x->dtype);
    for (uint32_t i = 1; i < x->dims; i++) part *= (size_t)x->shape[i];
    for (size_t t = ith; t < (size_t)pcs_arg_count(&c->in[1]); t += nth)
        memcpy((char *)c->out[0].data + t * part, (const char *)x->data + index_at(&c->in[1], t, x->shape[0]) * part,
               part);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    if (c->in[0].shape[0]) pcs_take_back(c, g, 0, ith, nth);
}

const pcs_op pcs_op_gather = {
    .name = "gather", .min_in = 2, .max_in = 2, .infer = infer, .eval = eval, .backward = backward,
};
