/* put_at - x with parts put at places that rows of indices name: ONNX's ScatterND. In the order of the updates, by one
 * thread. */
#include "graph/op/put.h"

enum { HOW };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]], *u = &g->values[n->in[2]];
    const int64_t deep = ids->dims ? ids->shape[ids->dims - 1] : 0;
    if (!pcs_dtype_bytes(x->dtype) || u->dtype != x->dtype || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64) ||
        deep < 1 || deep > x->dims || u->dims != ids->dims - 1 + x->dims - deep)
        return pcs_op_fail(g, n, "takes x, rows of indices, and a part for each row");
    if (!pcs_put_known(n->attr[HOW].text)) return pcs_op_fail(g, n, "knows no reduction %s", n->attr[HOW].text);
    for (uint32_t i = 0; i < u->dims; i++)
        if (u->shape[i] != (i + 1 < ids->dims ? ids->shape[i] : x->shape[i + 1 - ids->dims + deep]))
            return pcs_op_fail(g, n, "has updates of another shape than x and indices say");
    out->dtype = x->dtype;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *ids = &c->in[1], *y = &c->out[0];
    const uint32_t deep = (uint32_t)pcs_arg_width(ids);
    size_t part = 1;
    (void)nth;
    if (ith) return;
    memcpy(y->data, x->data, (size_t)pcs_arg_count(x) * pcs_dtype_bytes(x->dtype));
    for (uint32_t i = deep; i < x->dims; i++) part *= (size_t)x->shape[i];
    for (size_t r = 0; r < (size_t)pcs_arg_rows(ids); r++) {
        size_t to = 0;
        bool there = true;
        for (uint32_t k = 0; k < deep; k++) {
            const int64_t id = pcs_int_at(ids, r * deep + k), n = x->shape[k], at = id < 0 ? id + n : id;
            there = there && at >= 0 && at < n;
            to = to * (size_t)n + (size_t)(there ? at : 0);
        }
        if (!there) pcs_outside(c);
        for (size_t i = 0; i < part && there; i++)
            pcs_put_one(y, to * part + i, &c->in[2], r * part + i, c->attr[HOW].text);
    }
}

const pcs_op pcs_op_put_at = { .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "put_at",
                               .min_in = 3,
                               .max_in = 3,
                               .attrs = PCS_ATTR_TABLE(PCS_TEXT("how", "none")),
                               .infer = infer,
                               .eval = eval };
