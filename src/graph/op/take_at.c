/* take_at - parts of x at places that rows of ids name, behind `batch` dimensions that both have: ONNX's GatherND. */
#include "graph/element.h"

enum { BATCH };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *ids = &g->values[n->in[1]];
    const int64_t batch = n->attr[BATCH].integer, deep = ids->dims ? ids->shape[ids->dims - 1] : 0;
    if (!pcs_dtype_bytes(x->dtype) || (ids->dtype != PCS_I32 && ids->dtype != PCS_I64) || batch < 0 ||
        batch >= ids->dims || deep < 1 || batch + deep > x->dims)
        return pcs_op_fail(g, n, "takes x and rows of indices into it");
    if (ids->dims - 1 + x->dims - batch - deep > PCS_GRAPH_DIMS)
        return pcs_op_fail(g, n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
    for (uint32_t i = 0; i < x->dims; i++)
        if (x->shape[i] == 0 || (i < batch && x->shape[i] != ids->shape[i]))
            return pcs_op_fail(g, n, "dimension %u is not the same, or zero", i);
    out->dtype = x->dtype;
    for (uint32_t i = 0; i + 1 < ids->dims; i++) out->shape[out->dims++] = ids->shape[i];
    for (uint32_t i = (uint32_t)(batch + deep); i < x->dims; i++) out->shape[out->dims++] = x->shape[i];
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *ids = &c->in[1];
    const uint32_t batch = (uint32_t)c->attr[BATCH].integer, deep = (uint32_t)pcs_arg_width(ids);
    size_t part = pcs_dtype_bytes(x->dtype), each = 1, batches = 1;
    for (uint32_t i = batch + deep; i < x->dims; i++) part *= (size_t)x->shape[i];
    for (uint32_t i = batch; i < batch + deep; i++) each *= (size_t)x->shape[i];
    for (uint32_t i = 0; i < batch; i++) batches *= (size_t)x->shape[i];
    const size_t rows = (size_t)pcs_arg_rows(ids), per = batches ? rows / batches : 0;
    for (size_t r = ith; r < rows; r += nth) {
        size_t from = 0;
        for (uint32_t k = 0; k < deep; k++) {
            const int64_t id = pcs_int_at(ids, r * deep + k), n = x->shape[batch + k], at = id < 0 ? id + n : id;
            if (at < 0 || at >= n) pcs_outside(c);
            from = from * (size_t)n + (size_t)(at < 0 || at >= n ? 0 : at);
        }
        memcpy((char *)c->out[0].data + r * part, (const char *)x->data + (r / per * each + from) * part, part);
    }
}

const pcs_op pcs_op_take_at = { .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS, .name = "take_at",
                                .min_in = 2,
                                .max_in = 2,
                                .attrs = PCS_ATTR_TABLE(PCS_INT("batch", 0)),
                                .infer = infer,
                                .eval = eval };
