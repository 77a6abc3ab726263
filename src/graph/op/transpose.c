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

/* Strides of the result's elements in x. */
static void turned_strides(const pcs_call *c, int64_t *strides)
{
    int64_t dense[PCS_GRAPH_DIMS];
    pcs_dense(c->in[0].dims, c->in[0].shape, dense);
    for (uint32_t i = 0; i < c->out[0].dims; i++) strides[i] = dense[c->attr[PERM].list[i]];
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    int64_t strides[PCS_GRAPH_DIMS];
    turned_strides(c, strides);
    pcs_move(&c->out[0], &c->in[0], 0, strides, ith, nth);
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    int64_t strides[PCS_GRAPH_DIMS];
    turned_strides(c, strides);
    if (g->in[0]) pcs_move_back(&c->out[0], g, 0, strides, ith, nth);
}

const pcs_op pcs_op_transpose = { .backward = backward, .name = "transpose",
                                  .min_in = 1,
                                  .max_in = 1,
                                  .attrs = PCS_ATTR_TABLE(PCS_LIST("perm")),
                                  .infer = infer,
                                  .eval = eval };
