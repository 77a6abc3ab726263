/* put_each - x with updates put at the places that indices along an axis say: ONNX's ScatterElements. In the order of
 * the updates, by one thread, so that places that are named twice have one result. An index that is outside puts
 * nothing, and the result is refused. */
#include "graph/op/put.h"

enum { AXIS, HOW };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]], *u = &g->values[n->in[2]];
    if (!pcs_dtype_bytes(x->dtype) || u->dtype != x->dtype || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64) ||
        pcs_axis(n->attr[AXIS].integer, x->dims) == x->dims || ids->dims != x->dims || u->dims != x->dims ||
        memcmp(u->shape, ids->shape, x->dims * sizeof u->shape[0]))
        return pcs_op_fail(g, n, "takes x, indices, and updates of the indices' shape");
    if (!pcs_put_known(n->attr[HOW].text)) return pcs_op_fail(g, n, "knows no reduction %s", n->attr[HOW].text);
    for (uint32_t i = 0; i < x->dims; i++)
        if (i != pcs_axis(n->attr[AXIS].integer, x->dims) && ids->shape[i] != x->shape[i] &&
            (pcs_dim_is_id(x->shape[i]) || ids->shape[i] > x->shape[i]))
            return pcs_op_fail(g, n, "has more indices along dimension %u than elements", i);
    out->dtype = x->dtype;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *ids = &c->in[1], *y = &c->out[0];
    const uint32_t axis = pcs_axis(c->attr[AXIS].integer, x->dims);
    int64_t dense[PCS_GRAPH_DIMS];
    (void)nth;
    if (ith) return;
    memcpy(y->data, x->data, (size_t)pcs_arg_count(x) * pcs_dtype_bytes(x->dtype));
    pcs_dense(x->dims, x->shape, dense);
    for (int64_t i = 0; i < pcs_arg_count(ids); i++) {
        int64_t rest = i, to = 0;
        const int64_t id = pcs_int_at(ids, (size_t)i), n = x->shape[axis], at = id < 0 ? id + n : id;
        for (uint32_t k = ids->dims; k-- > 0; rest /= ids->shape[k])
            to += (k == axis ? at : rest % ids->shape[k]) * dense[k];
        if (at < 0 || at >= n) pcs_outside(c);
        else pcs_put_one(y, (size_t)to, &c->in[2], (size_t)i, c->attr[HOW].text);
    }
}

const pcs_op pcs_op_put_each = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "put_each",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0), PCS_TEXT("how", "none")),
    .infer = infer,
    .eval = eval,
};
