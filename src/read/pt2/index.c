/* index.c - x[i, :, mask, ...]: torch's indexing by tensors, of which some may
 * be left out. */
#include "read/pt2/aten.h"

/* The indices that are there, spread over one another, and the dimensions that
 * they are of. */
typedef struct {
    precis_value at[PCS_GRAPH_DIMS];
    uint32_t axis[PCS_GRAPH_DIMS], n, dims;
    int64_t shape[PCS_GRAPH_DIMS];
    bool apart; /* some that are left out stand between them: the result's
                   dimensions come first */
} picked;

/* A mask says which elements: its places, known by its contents. */
static precis_value places_of(pcs_aten *c, precis_value mask, uint32_t dim)
{
    const pcs_value *v = pcs_constant(&c->n, mask);
    if (!v) return -1;
    const precis_value flat = PCS_BORROW(c, .raise = pcs_raise_non_zero, .n_in = 1, .in = &mask);
    if (flat < 0) return -1;
    const int64_t n = pcs_of(&c->n, flat)->shape[1];
    return pcs_shaped(&c->n, pcs_part(&c->n, flat, 0, dim, 1), 1, &n);
}

static bool spread_shape(pcs_aten *c, picked *p)
{
    p->dims = 0;
    for (uint32_t i = 0; i < p->n; i++)
        if (pcs_of(&c->n, p->at[i])->dims > p->dims) p->dims = pcs_of(&c->n, p->at[i])->dims;
    for (uint32_t k = 0; k < p->dims; k++) p->shape[k] = 1;
    for (uint32_t i = 0; i < p->n; i++) {
        const pcs_value *v = pcs_of(&c->n, p->at[i]);
        for (uint32_t k = 0; k < v->dims; k++) {
            int64_t *d = &p->shape[p->dims - v->dims + k];
            if (v->shape[k] == 1 || v->shape[k] == *d) continue;
            if (*d != 1) return pcs_wrong(&c->n, "its indices have shapes that do not go together"), false;
            *d = v->shape[k];
        }
    }
    for (uint32_t i = 0; i < p->n; i++) p->at[i] = pcs_spread_to(c, p->at[i], p->dims, p->shape);
    return !pcs_failed(&c->n);
}

static bool read_indices(pcs_aten *c, precis_value x, picked *p)
{
    uint32_t count, dim = 0;
    const precis_value *given = pcs_arg_tensors(c, "indices", &count);
    const uint32_t rank = x < 0 ? 0 : pcs_of(&c->n, x)->dims;
    *p = (picked){ .n = 0 };
    if (!given || x < 0) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (given[i] < 0) {
            dim++;
            continue;
        }
        const pcs_dtype d = pcs_of(&c->n, given[i])->dtype;
        const bool mask = d == PCS_BOOL || d == PCS_U8;
        const uint32_t of = mask ? pcs_of(&c->n, given[i])->dims : 1;
        for (uint32_t k = 0; k < of; k++, dim++) {
            if (dim >= rank || p->n == PCS_GRAPH_DIMS)
                return pcs_wrong(&c->n, "has more indices than dimensions"), false;
            p->axis[p->n] = dim;
            p->at[p->n++] = mask           ? places_of(c, pcs_as(&c->n, given[i], PCS_BOOL), k)
                            : d == PCS_I32 ? given[i]
                                           : pcs_as(&c->n, given[i], PCS_I64);
            if (pcs_failed(&c->n)) return false;
        }
    }
    if (!p->n) return pcs_wrong(&c->n, "has no index"), false;
    for (uint32_t i = 1; i < p->n; i++) p->apart = p->apart || p->axis[i] != p->axis[i - 1] + 1;
    for (uint32_t i = 0; i < p->n; i++)
        if (p->n > 1) p->at[i] = pcs_as(&c->n, p->at[i], PCS_I64);
    return spread_shape(c, p);
}

/* Indexed dimensions in front, and the rest behind. */
static void front_first(const picked *p, uint32_t rank, int64_t *perm)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n; i++) perm[n++] = p->axis[i];
    for (uint32_t i = 0; i < rank; i++) {
        bool there = false;
        for (uint32_t k = 0; k < p->n; k++) there = there || p->axis[k] == i;
        if (!there) perm[n++] = i;
    }
}

/* Rows of indices, one for each place: [..., n]. */
static precis_value rows_of(pcs_aten *c, const picked *p)
{
    static const int64_t last = -1;
    precis_value parts[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < p->n; i++) parts[i] = pcs_unsqueezed(&c->n, p->at[i], 1, &last);
    return pcs_joined(&c->n, p->n, parts, p->dims);
}

/* The result's own order: what came of the indices where the first of them
 * stood, unless they stand apart. */
static precis_value in_order(pcs_aten *c, precis_value y, const picked *p, uint32_t rank, bool back)
{
    int64_t perm[PCS_GRAPH_DIMS], inverse[PCS_GRAPH_DIMS];
    const uint32_t dims = p->dims + rank - p->n, front = p->axis[0];
    uint32_t n = 0;
    if (p->apart || !front || y < 0) return y;
    for (uint32_t i = 0; i < front; i++) perm[n++] = p->dims + i;
    for (uint32_t i = 0; i < p->dims; i++) perm[n++] = i;
    while (n < dims) perm[n] = n, n++;
    for (uint32_t i = 0; i < dims; i++) inverse[perm[i]] = i;
    return pcs_permuted(&c->n, y, dims, back ? inverse : perm);
}

void pcs_aten_index(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    picked p;
    int64_t perm[PCS_GRAPH_DIMS];
    if (!read_indices(c, x, &p)) return;
    const uint32_t rank = pcs_of(&c->n, x)->dims;
    if (p.dims + rank - p.n > PCS_GRAPH_DIMS) {
        pcs_refuse(&c->n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
        return;
    }
    if (p.n == 1) {
        c->n.out[0] = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", p.axis[0])), x, p.at[0]);
        return;
    }
    front_first(&p, rank, perm);
    const precis_value y = pcs_make2(&c->n, "take_at", PRECIS_ATTRS(precis_attr_int("batch", 0)),
                                     pcs_permuted(&c->n, x, rank, perm), rows_of(c, &p));
    c->n.out[0] = in_order(c, y, &p, rank, false);
}

/* x with values put where indices say, or added there. */
void pcs_aten_index_put(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    precis_value w = pcs_arg_tensor(c, "values");
    const bool add = pcs_arg_flag(c, "accumulate");
    picked p;
    int64_t perm[PCS_GRAPH_DIMS], back[PCS_GRAPH_DIMS], shape[PCS_GRAPH_DIMS];
    if (w < 0 || !read_indices(c, x, &p)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const uint32_t rank = v.dims, dims = p.dims + rank - p.n;
    if (dims > PCS_GRAPH_DIMS) {
        pcs_refuse(&c->n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
        return;
    }
    front_first(&p, rank, perm);
    const uint32_t front = p.apart ? 0 : p.axis[0];
    for (uint32_t i = 0; i < dims; i++) /* the shape that x[indices] has */
        shape[i] = i < front ? v.shape[i] : i < front + p.dims ? p.shape[i - front] : v.shape[perm[p.n + i - p.dims]];
    w = pcs_spread_to(c, pcs_as(&c->n, w, v.dtype), dims, shape);
    w = in_order(c, w, &p, rank, true);
    precis_value y = pcs_make3(&c->n, "put_at", PRECIS_ATTRS(precis_attr_text("how", add ? "add" : "none")),
                               pcs_permuted(&c->n, x, rank, perm), rows_of(c, &p), w);
    for (uint32_t i = 0; i < rank; i++) back[perm[i]] = i;
    c->n.out[0] = pcs_permuted(&c->n, y, rank, back);
}

void pcs_aten_non_zero(pcs_aten *c)
{
    static const int64_t perm[] = { 1, 0 };
    const precis_value x = pcs_arg_tensor(c, "self");
    if (!pcs_constant(&c->n, x)) return;
    c->n.out[0] = pcs_permuted(&c->n, PCS_BORROW(c, .raise = pcs_raise_non_zero, .n_in = 1, .in = &x), 2, perm);
}

/* Elements of source, in order, where the mask says so. */
void pcs_aten_masked_scatter(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), mask = pcs_arg_tensor(c, "mask");
    precis_value src = pcs_arg_tensor(c, "source");
    if (x < 0 || mask < 0 || src < 0) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const precis_value wide = pcs_spread_to(c, pcs_as(&c->n, mask, PCS_BOOL), v.dims, v.shape);
    if (!pcs_constant(&c->n, wide)) return;
    const precis_value at = places_of(c, pcs_shaped(&c->n, wide, 1, (const int64_t[]){ -1 }), 0);
    if (at < 0) return;
    src = pcs_shaped(&c->n, pcs_as(&c->n, src, v.dtype), 1, (const int64_t[]){ -1 });
    src = pcs_part(&c->n, src, 0, 0, pcs_of(&c->n, at)->shape[0]);
    const precis_value flat = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 });
    c->n.out[0] = pcs_shaped(
        &c->n, pcs_make3(&c->n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", 0)), flat, at, src), v.dims, v.shape);
}

void pcs_aten_masked_select(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self"), mask = pcs_arg_tensor(c, "mask");
    if (x < 0 || mask < 0) return;
    const pcs_value v = *pcs_of(&c->n, x), m = *pcs_of(&c->n, mask);
    if (v.dims != m.dims)
        x = v.dims < m.dims ? pcs_spread_to(c, x, m.dims, m.shape) : x,
        mask = v.dims > m.dims ? pcs_spread_to(c, mask, v.dims, v.shape) : mask;
    if (!pcs_constant(&c->n, mask)) return;
    x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 });
    mask = pcs_shaped(&c->n, mask, 1, (const int64_t[]){ -1 });
    const precis_value at = places_of(c, mask, 0);
    c->n.out[0] = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", 0)), x, at);
}
