/* slice - along each dimension sizes[i] elements from starts[i] on, steps[i] apart (which may be negative). */
#include "graph/element.h"
#include "base/overflow.h"

enum { STARTS, SIZES, STEPS };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const precis_attr *a = n->attr;
    if (!pcs_dtype_bytes(x->dtype) || a[STARTS].n != x->dims || a[SIZES].n != x->dims || a[STEPS].n != x->dims)
        return pcs_op_fail(g, n, "takes starts, sizes and steps of %u dimensions", x->dims);
    for (uint32_t i = 0; i < x->dims; i++) {
        const int64_t d = x->shape[i], size = a[SIZES].list[i], start = a[STARTS].list[i], step = a[STEPS].list[i];
        int64_t last = start;
        const bool numbers = !pcs_dim_is_id(d) && !pcs_dim_is_id(size);
        const bool fits =
            size == 0 || !numbers ||
            (pcs_i64_mul(size - 1, step, &last) && pcs_i64_add(last, start, &last) &&
             start >= 0 && start < d && last >= 0 && last < d);
        if (step == 0 || (numbers && size < 0) || !fits)
            return pcs_op_fail(g, n, "takes elements of dimension %u that are not there", i);
        out->shape[i] = size;
    }
    out->dims = x->dims;
    out->dtype = x->dtype;
    return PRECIS_OK;
}

/* Where the result's elements stand in x: strides, and the first. */
static int64_t slice_places(const pcs_call *c, int64_t *strides)
{
    int64_t dense[PCS_GRAPH_DIMS], offset = 0;
    pcs_dense(c->in[0].dims, c->in[0].shape, dense);
    for (uint32_t i = 0; i < c->out[0].dims; i++) {
        offset += c->attr[STARTS].list[i] * dense[i];
        strides[i] = dense[i] * c->attr[STEPS].list[i];
    }
    return offset;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    int64_t strides[PCS_GRAPH_DIMS];
    const int64_t offset = slice_places(c, strides);
    pcs_move(&c->out[0], &c->in[0], offset, strides, ith, nth);
}

static int64_t known(precis_graph *g, const pcs_node *n, int64_t i)
{
    const pcs_value *x = &g->values[n->in[0]];
    return x->known && x->dims == 1 ? x->known[n->attr[STARTS].list[0] + i * n->attr[STEPS].list[0]] : PCS_DIM_ERROR;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    int64_t strides[PCS_GRAPH_DIMS];
    const int64_t offset = slice_places(c, strides);
    if (g->in[0]) pcs_move_back(&c->out[0], g, offset, strides, ith, nth);
}

const pcs_op pcs_op_slice = {
    .backward = backward,
    .name = "slice",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_LIST("starts"), PCS_LIST("sizes"), PCS_LIST("steps")),
    .known = known,
    .infer = infer,
    .eval = eval,
};
