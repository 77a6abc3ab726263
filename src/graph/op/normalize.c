/* normalize - softmax ("soft"), its logarithm ("log") or a one at the first largest ("hard") along an axis. Sums in
 * f64, in ascending order. */
#include "base/fmath_more.h"
#include "graph/op/lines.h"

enum { AXIS, KIND };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    if (x->dtype != PCS_F32 && x->dtype != PCS_F64)
        return pcs_op_fail(g, n, "does not take %s", pcs_dtype_name(x->dtype));
    if (pcs_axis(n->attr[AXIS].integer, x->dims) == x->dims)
        return pcs_op_fail(g, n, "has no axis %lld", (long long)n->attr[AXIS].integer);
    out->dtype = x->dtype;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static void normalize_one(const pcs_call *c, size_t from, size_t step, int64_t n, char kind)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    int64_t best = 0;
    double top = pcs_real_at(x, from), sum = 0;
    for (int64_t i = 1; i < n; i++) {
        const double v = pcs_real_at(x, from + (size_t)i * step);
        if (v > top || v != v) top = v, best = i;
    }
    for (int64_t i = 0; i < n && kind != 'h'; i++) {
        const double e = pcs_real_at(x, from + (size_t)i * step) - top,
                     p = x->dtype == PCS_F32 ? (double)pcs_expf((float)e) : pcs_exp(e);
        sum += p;
        pcs_set_real(y, from + (size_t)i * step, kind == 'l' ? e : p);
    }
    for (int64_t i = 0; i < n; i++) {
        const size_t at = from + (size_t)i * step;
        const double v = kind == 'h'   ? i == best
                         : kind == 'l' ? pcs_real_at(y, at) - pcs_m_log(sum)
                                       : pcs_real_at(y, at) / sum;
        pcs_set_real(y, at, v);
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0];
    const pcs_lines l = pcs_lines_of(x, c->attr[AXIS].integer);
    const bool rows = x->dtype == PCS_F32 && l.step == 1 && c->attr[KIND].text[0] == 's';
    if (rows) { /* the last axis, in the same steps */
        uint64_t begin, end;
        pcs_share((uint64_t)l.count, 1, ith, nth, &begin, &end);
        c->kernels->softmax_rows(&(pcs_rows_args){ .x = (const float *)x->data + (int64_t)begin * l.n,
                                                   .y = (float *)c->out[0].data + (int64_t)begin * l.n,
                                                   .rows = end - begin,
                                                   .n = (size_t)l.n });
        return;
    }
    for (int64_t i = ith; i < l.count; i += nth)
        normalize_one(c, (size_t)pcs_line_at(&l, i, l.n), (size_t)l.step, l.n, c->attr[KIND].text[0]);
}

/* dx = y (d - sum(d y)) of softmax; d - exp(y) sum(d) of its logarithm; a choice has none. */
static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const pcs_lines l = pcs_lines_of(&c->in[0], c->attr[AXIS].integer);
    const char kind = c->attr[KIND].text[0];
    const float *y = c->out[0].data, *d = g->out[0];
    float *dx = g->in[0];
    const int64_t step = l.step;
    for (int64_t i = ith; i < l.count && dx && kind != 'h'; i += nth) {
        const int64_t from = pcs_line_at(&l, i, l.n), to = from + l.n * step;
        double sum = 0;
        for (int64_t k = from; k < to; k += step) sum += kind == 'l' ? (double)d[k] : (double)d[k] * (double)y[k];
        for (int64_t k = from; k < to; k += step)
            dx[k] += kind == 'l' ? (float)((double)d[k] - (double)pcs_expf(y[k]) * sum)
                                 : (float)((double)y[k] * ((double)d[k] - sum));
    }
}

const pcs_op pcs_op_normalize = {
    .backward = backward,
    .name = "normalize",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", -1), PCS_TEXT("kind", "soft")),
    .infer = infer,
    .eval = eval,
};
