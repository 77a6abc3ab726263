/* arg_reduce - where the largest (or, least=1, the smallest) along an axis stands, as I64: the first, or with last=1
 * the last. */
#include "graph/op/lines.h"

enum { AXIS, KEEP, LEAST, LAST };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const uint32_t axis = pcs_axis(n->attr[AXIS].integer, x->dims);
    if (axis == x->dims || !pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "has no axis %lld", (long long)n->attr[AXIS].integer);
    if (x->shape[axis] == 0) return pcs_op_fail(g, n, "looks for a place among no elements");
    out->dtype = PCS_I64;
    for (uint32_t i = 0; i < x->dims; i++)
        if (i != axis || n->attr[KEEP].integer) out->shape[out->dims++] = i == axis ? 1 : x->shape[i];
    return PRECIS_OK;
}

static bool before(const pcs_arg *x, size_t a, size_t b, bool least)
{
    if (pcs_dtype_whole(x->dtype)) {
        const int64_t u = pcs_int_at(x, a), v = pcs_int_at(x, b);
        const bool natural = x->dtype == PCS_U64, less = natural ? (uint64_t)u < (uint64_t)v : u < v;
        return least ? less : u != v && !less;
    }
    const double u = pcs_real_at(x, a), v = pcs_real_at(x, b);
    return least ? u < v : u > v;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const pcs_lines l = pcs_lines_of(x, c->attr[AXIS].integer);
    const bool least = c->attr[LEAST].integer != 0, last = c->attr[LAST].integer != 0;
    const int64_t inner = l.step, n = l.n, count = pcs_arg_count(&c->out[0]);
    for (int64_t i = ith; i < count; i += nth) {
        const int64_t from = pcs_line_at(&l, i, n);
        int64_t best = 0;
        for (int64_t k = 1; k < n; k++) {
            const size_t a = (size_t)(from + k * inner), b = (size_t)(from + best * inner);
            if (before(x, a, b, least) || (last && !before(x, b, a, least))) best = k;
        }
        ((int64_t *)c->out[0].data)[i] = best;
    }
}

const pcs_op pcs_op_arg_reduce = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "arg_reduce",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0), PCS_INT("keep", 1), PCS_INT("least", 0), PCS_INT("last", 0)),
    .infer = infer,
    .eval = eval,
};
