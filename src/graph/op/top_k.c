/* top_k - the k largest (least=1: smallest) elements along an axis, in order, and where they stood (I64); of equal ones
 * the first. */
#include "graph/op/lines.h"

enum { K, AXIS, LEAST };

static uint32_t results(const pcs_node *n) { return (void)n, 2; }

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const uint32_t axis = pcs_axis(n->attr[AXIS].integer, x->dims);
    const int64_t k = n->attr[K].integer;
    if (!pcs_dtype_bytes(x->dtype) || axis == x->dims)
        return pcs_op_fail(g, n, "has no axis %lld", (long long)n->attr[AXIS].integer);
    if (k < 0 || (!pcs_dim_is_id(x->shape[axis]) && k > x->shape[axis]))
        return pcs_op_fail(g, n, "wants %lld of %lld elements", (long long)k, (long long)x->shape[axis]);
    for (int i = 0; i < 2; i++) {
        out[i].dims = x->dims;
        memcpy(out[i].shape, x->shape, sizeof x->shape);
        out[i].shape[axis] = k;
    }
    out[0].dtype = x->dtype;
    out[1].dtype = PCS_I64;
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c)
{
    return 2 * sizeof(int64_t) * (size_t)(c->in[0].shape[pcs_axis(c->attr[AXIS].integer, c->in[0].dims)] + 1);
}

typedef struct {
    const pcs_arg *x;
    int64_t from, step;
    bool least;
} row;

/* Element a comes before b, which stood before it or not. */
static bool is_before(const row *r, int64_t a, int64_t b)
{
    const size_t i = (size_t)(r->from + a * r->step), k = (size_t)(r->from + b * r->step);
    if (pcs_dtype_whole(r->x->dtype)) {
        const int64_t u = pcs_int_at(r->x, i), v = pcs_int_at(r->x, k);
        const bool less = r->x->dtype == PCS_U64 ? (uint64_t)u < (uint64_t)v : u < v;
        return u == v ? a < b : r->least ? less : !less;
    }
    const double u = pcs_real_at(r->x, i), v = pcs_real_at(r->x, k);
    if (u != u || v != v) return u != u && v != v ? a < b : (u != u) != r->least; /* NaN is the largest */
    return u == v ? a < b : r->least ? u < v : u > v;
}

/* Runs of two, four, ... in order; the result is in a. */
static void sort_row(const row *r, int64_t *a, int64_t *b, int64_t n)
{
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t at = 0; at < n; at += 2 * run) {
            const int64_t mid = at + run < n ? at + run : n, end = at + 2 * run < n ? at + 2 * run : n;
            int64_t i = at, k = mid;
            for (int64_t o = at; o < end; o++)
                b[o] = k == end || (i < mid && is_before(r, a[i], a[k])) ? a[i++] : a[k++];
        }
        memcpy(a, b, (size_t)n * sizeof *a);
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    const pcs_lines l = pcs_lines_of(x, c->attr[AXIS].integer);
    const size_t bytes = pcs_dtype_bytes(x->dtype);
    int64_t *order = (int64_t *)(void *)(c->scratch + ith * c->scratch_size);
    const int64_t n = l.n, step = l.step, k = y->shape[pcs_axis(c->attr[AXIS].integer, x->dims)];
    for (int64_t i = ith; i < l.count; i += nth) {
        const row r = { x, pcs_line_at(&l, i, n), step, c->attr[LEAST].integer != 0 };
        const int64_t to = pcs_line_at(&l, i, k);
        for (int64_t e = 0; e < n; e++) order[e] = e;
        sort_row(&r, order, order + n, n);
        for (int64_t e = 0; e < k; e++) {
            memcpy((char *)y->data + (size_t)(to + e * step) * bytes,
                   (const char *)x->data + (size_t)(r.from + order[e] * step) * bytes, bytes);
            ((int64_t *)c->out[1].data)[to + e * step] = order[e];
        }
    }
}

const pcs_op pcs_op_top_k = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "top_k",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("k", 1), PCS_INT("axis", -1), PCS_INT("least", 0)),
    .results = results,
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
