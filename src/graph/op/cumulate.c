/* cumulate - sums (or products) of all elements up to each along an axis; exclusive: without it; reverse: from the end.
 */
#include "graph/op/lines.h"

enum { AXIS, EXCLUSIVE, REVERSE, PRODUCT };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (!pcs_dtype_bytes(x->dtype) || pcs_axis(n->attr[AXIS].integer, x->dims) == x->dims)
        return pcs_op_fail(g, n, "has no axis %lld", (long long)n->attr[AXIS].integer);
    out->dtype = x->dtype;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static void one(const pcs_call *c, int64_t from, int64_t step, int64_t n)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const bool product = c->attr[PRODUCT].integer != 0, exclusive = c->attr[EXCLUSIVE].integer != 0,
               whole = pcs_dtype_whole(x->dtype);
    double s = product;
    int64_t w = product;
    for (int64_t k = 0; k < n; k++) {
        const size_t at = (size_t)(from + (c->attr[REVERSE].integer ? n - 1 - k : k) * step);
        const double v = whole ? 0 : pcs_real_at(x, at), before = s;
        const int64_t u = whole ? pcs_int_at(x, at) : 0, whole_before = w;
        s = product ? s * v : s + v;
        w = (int64_t)(product ? (uint64_t)w * (uint64_t)u : (uint64_t)w + (uint64_t)u);
        const int64_t whole_now = exclusive ? whole_before : w;
        if (whole) pcs_elements_store(y->dtype, &whole_now, 1, (char *)y->data + at * pcs_dtype_bytes(y->dtype));
        else pcs_set_real(y, at, exclusive ? before : s);
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_lines l = pcs_lines_of(&c->in[0], c->attr[AXIS].integer);
    for (int64_t i = ith; i < l.count; i += nth) one(c, pcs_line_at(&l, i, l.n), l.step, l.n);
}

/* The k-th element's gradient: the sum over results that it is in, of each times the other factors, if any. */
static double of_element(const pcs_call *c, const float *d, const size_t *at, int64_t n, int64_t k)
{
    const bool product = c->attr[PRODUCT].integer != 0, exclusive = c->attr[EXCLUSIVE].integer != 0;
    double others = 1, sum = 0;
    for (int64_t j = 0; product && j < k; j++) others *= pcs_real_at(&c->in[0], at[0] + (size_t)j * at[1]);
    for (int64_t j = k; j < n; j++) {
        if (!exclusive || j > k) sum += (double)d[at[0] + (size_t)j * at[1]] * others;
        if (product && j + !exclusive < n && j + !exclusive > k)
            others *= pcs_real_at(&c->in[0], at[0] + (size_t)(j + !exclusive) * at[1]);
    }
    return sum;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_lines l = pcs_lines_of(&c->in[0], c->attr[AXIS].integer);
    const int64_t n = l.n, step = l.step;
    for (int64_t i = ith; i < l.count && g->in[0]; i += nth) {
        const int64_t from = pcs_line_at(&l, i, n);
        const bool turned = c->attr[REVERSE].integer != 0;
        const size_t at[] = { (size_t)(turned ? from + (n - 1) * step : from), (size_t)(turned ? -step : step) };
        for (int64_t k = 0; k < n; k++)
            g->in[0][at[0] + (size_t)k * at[1]] += (float)of_element(c, g->out[0], at, n, k);
    }
}

const pcs_op pcs_op_cumulate = {
    .backward = backward,
    .name = "cumulate",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", 0), PCS_INT("exclusive", 0), PCS_INT("reverse", 0), PCS_INT("product", 0)),
    .infer = infer,
    .eval = eval,
};
