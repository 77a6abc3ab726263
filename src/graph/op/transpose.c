/* transpose - dimensions in another order: dimension i of the result is dimension perm[i] of x. */
#include "graph/element.h"

enum { PERM };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    bool used[PCS_GRAPH_DIMS] = { false };
    if (!pcs_dtype_bytes(x->dtype) || n->attr[PERM].n != x->dims)
        return pcs_op_fail(g, n, "takes an order of %u dimensions", x->dims);
    for (uint32_t i = 0; i < x->dims; i++) {
        const int64_t from = n->attr[PERM].list[i];
        if (from < 0 || from >= x->dims || used[from])
            return pcs_op_fail(g, n, "dimension %lld is not there, or twice", (long long)from);
        used[from] = true;
        out->shape[i] = x->shape[from];
    }
    out->dims = x->dims;
    out->dtype = x->dtype;
    return PRECIS_OK;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    int64_t dense[PCS_GRAPH_DIMS], strides[PCS_GRAPH_DIMS];
    pcs_dense(c->in[0].dims, c->in[0].shape, dense);
    for (uint32_t i = 0; i < c->out[0].dims; i++) strides[i] = dense[c->attr[PERM].list[i]];
    pcs_move(&c->out[0], &c->in[0], 0, strides, ith, nth);
}

/* Each element of the result is one of x. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_arg *y = &c->out[0];
    int64_t dense[PCS_GRAPH_DIMS];
    uint64_t begin, end;
    pcs_dense(c->in[0].dims, c->in[0].shape, dense);
    pcs_share((uint64_t)pcs_arg_count(y), 16, ith, nth, &begin, &end);
    for (uint64_t i = begin; g->in[0] && i < end; i++) {
        int64_t at = 0, rest = (int64_t)i;
        for (uint32_t d = y->dims; d-- > 0; rest /= y->shape[d])
            at += rest % y->shape[d] * dense[c->attr[PERM].list[d]];
        g->in[0][at] += g->out[0][i];
    }
}

const pcs_op pcs_op_transpose = { .backward = backward, .name = "transpose",
                                  .min_in = 1,
                                  .max_in = 1,
                                  .attrs = PCS_ATTR_TABLE(PCS_LIST("perm")),
                                  .infer = infer,
                                  .eval = eval };
