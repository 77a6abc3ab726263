/* unique - the different parts of x along an axis (axis -1000: its elements, flat), in ascending order or (sorted=0) in
 * that of their first places; and as I64 where each stood first, which one each part of x is, and how often each stands
 * there. The contents must be known. */
#include "graph/element.h"

enum { AXIS, SORTED };

static uint32_t results(const pcs_node *n) { return (void)n, 4; }

typedef struct {
    const pcs_arg *x;
    int64_t n, outer, inner;
} parts;

static parts parts_along(const pcs_arg *x, int64_t axis)
{
    parts p = { x, 1, 1, 1 };
    const uint32_t a = axis == -1000 ? x->dims : pcs_axis(axis, x->dims);
    for (uint32_t i = 0; i < x->dims; i++)
        *(a == x->dims || i == a ? &p.n : i < a ? &p.outer : &p.inner) *= x->shape[i];
    return p;
}

static int compare(const parts *p, int64_t a, int64_t b)
{
    for (int64_t o = 0; o < p->outer; o++)
        for (int64_t i = 0; i < p->inner; i++) {
            const size_t at = (size_t)((o * p->n + a) * p->inner + i), to = (size_t)((o * p->n + b) * p->inner + i);
            const double u = pcs_real_at(p->x, at), v = pcs_real_at(p->x, to);
            if (u != v) return u < v ? -1 : 1;
            if (pcs_dtype_whole(p->x->dtype) && pcs_int_at(p->x, at) != pcs_int_at(p->x, to))
                return pcs_int_at(p->x, at) < pcs_int_at(p->x, to) ? -1 : 1;
        }
    return 0;
}

/* All parts in order, equal ones by place: a merge sort of n into a, with as much room in b. */
static void sort_parts(const parts *p, int64_t *a, int64_t *b)
{
    for (int64_t i = 0; i < p->n; i++) a[i] = i;
    for (int64_t run = 1; run < p->n; run *= 2) {
        for (int64_t at = 0; at < p->n; at += 2 * run) {
            const int64_t mid = at + run < p->n ? at + run : p->n, end = at + 2 * run < p->n ? at + 2 * run : p->n;
            int64_t i = at, k = mid;
            for (int64_t o = at; o < end; o++)
                b[o] = k == end || (i < mid && compare(p, a[i], a[k]) <= 0) ? a[i++] : a[k++];
        }
        memcpy(a, b, (size_t)p->n * sizeof *a);
    }
}

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    const int64_t axis = n->attr[AXIS].integer;
    const pcs_arg a = pcs_value_arg(x);
    if (!a.data || !pcs_dtype_bytes(x->dtype))
        return pcs_op_fail(g, n, "depends on contents that are not known before it runs");
    if (axis != -1000 && pcs_axis(axis, x->dims) == x->dims)
        return pcs_op_fail(g, n, "has no axis %lld", (long long)axis);
    const parts p = parts_along(&a, axis);
    int64_t *order = pcs_alloc(g->ctx, 2 * (size_t)p.n + 1, sizeof *order), found = p.n > 0;
    if (!order) return pcs_graph_fail(g, PRECIS_ENOMEM, "%s", precis_ctx_message(g->ctx)), g->error;
    sort_parts(&p, order, order + p.n);
    for (int64_t i = 1; i < p.n; i++) found += compare(&p, order[i - 1], order[i]) != 0;
    pcs_free(g->ctx, order);
    out[0].dtype = x->dtype;
    out[0].dims = axis == -1000 ? 1 : x->dims;
    memcpy(out[0].shape, x->shape, sizeof x->shape);
    out[0].shape[axis == -1000 ? 0 : pcs_axis(axis, x->dims)] = found;
    for (int i = 1; i < 4; i++) out[i].dtype = PCS_I64, out[i].dims = 1, out[i].shape[0] = i == 2 ? p.n : found;
    return PRECIS_OK;
}

static size_t scratch(const pcs_call *c)
{
    return (size_t)(4 * parts_along(&c->in[0], c->attr[AXIS].integer).n + 8) * sizeof(int64_t);
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const parts p = parts_along(&c->in[0], c->attr[AXIS].integer);
    int64_t *order = (int64_t *)(void *)c->scratch, *room = order + p.n, *first = room + p.n, *place = first + p.n,
            found = 0;
    int64_t *stood = c->out[1].data, *which = c->out[2].data, *often = c->out[3].data;
    const size_t bytes = pcs_dtype_bytes(p.x->dtype), part = (size_t)p.inner * bytes;
    (void)nth;
    if (ith || !p.n) return;
    sort_parts(&p, order, room);
    for (int64_t i = 0; i < p.n; i++) { /* number of each in ascending order, and its first place */
        if (!i || compare(&p, order[i - 1], order[i])) first[found++] = order[i];
        which[order[i]] = found - 1;
    }
    for (int64_t k = 0; k < found; k++) place[k] = 0;
    for (int64_t k = 0; k < found; k++) { /* in the order of first places: as many as stand before */
        if (c->attr[SORTED].integer) place[k] = k;
        else
            for (int64_t o = 0; o < found; o++) place[k] += first[o] < first[k];
    }
    memset(often, 0, (size_t)found * sizeof *often);
    for (int64_t i = 0; i < p.n; i++) {
        which[i] = place[which[i]];
        often[which[i]]++;
    }
    for (int64_t k = 0; k < found; k++) {
        stood[place[k]] = first[k];
        for (int64_t o = 0; o < p.outer; o++)
            memcpy((char *)c->out[0].data + (size_t)(o * found + place[k]) * part,
                   (const char *)p.x->data + (size_t)(o * p.n + first[k]) * part, part);
    }
}

const pcs_op pcs_op_unique = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "unique",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("axis", -1000), PCS_INT("sorted", 1)),
    .results = results,
    .infer = infer,
    .eval = eval,
    .scratch = scratch,
};
