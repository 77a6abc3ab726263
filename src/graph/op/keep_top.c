/* keep_top - the k numbers of largest magnitude of each row, 0 elsewhere; of equal ones the first. The gradient passes
 * everywhere (BitNet a4.8, 2411.04965, section 2.3). */
#include "graph/op/pair.h"

enum { K };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (!x->dims || n->attr[K].integer < 1 || n->attr[K].integer > x->shape[x->dims - 1])
        return pcs_op_fail(g, n, "takes a k of 1 to the numbers of a row");
    return pcs_infer_like(g, n, 0, out);
}

static float magnitude(float x) { return x < 0 ? -x : x; }

/* Is x[i] among the k largest? Counted against all others, so that nothing is moved. */
static bool chosen(const float *x, size_t n, size_t k, size_t i)
{
    size_t before = 0;
    for (size_t j = 0; j < n && before < k; j++)
        before += magnitude(x[j]) > magnitude(x[i]) || (magnitude(x[j]) == magnitude(x[i]) && j < i);
    return before < k;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]),
                 k = (size_t)c->attr[K].integer;
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) {
        const float *x = (const float *)c->in[0].data + r * n;
        for (size_t i = 0; i < n; i++) ((float *)c->out[0].data)[r * n + i] = chosen(x, n, k, i) ? x[i] : 0.0f;
    }
}

const pcs_op pcs_op_keep_top = {
    .name = "keep_top", .min_in = 1, .max_in = 1, .attrs = PCS_ATTR_TABLE(PCS_INT("k", 1)), .infer = infer,
    .eval = eval, .backward = pcs_back_same, .straight_through = true,
};
