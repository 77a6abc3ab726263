/* views.c - ops that show their argument's elements in another shape, order or
 * part, and how a value is put back through them. */
#include "base/overflow.h"
#include "read/pt2/aten.h"

/* x in a shape of which one size may be -1. */
static precis_value viewed(pcs_aten *c, precis_value x, uint32_t count, const int64_t *to)
{
    int64_t shape[PCS_GRAPH_DIMS], all = 1, given = 1;
    bool sized = true;
    uint32_t open = count;
    if (x < 0 || pcs_failed(&c->n)) return -1;
    if (count > PCS_GRAPH_DIMS) return pcs_refuse(&c->n, "gives %u dimensions, at most %d", count, PCS_GRAPH_DIMS);
    const pcs_value v = *pcs_of(&c->n, x);
    for (uint32_t i = 0; i < v.dims; i++) sized = sized && !pcs_dim_is_id(v.shape[i]), all *= sized ? v.shape[i] : 1;
    for (uint32_t i = 0; i < count; i++) {
        shape[i] = to[i];
        if (to[i] == -1 && open == count) open = i;
        else if (to[i] < 0 && !pcs_dim_is_id(to[i])) return pcs_wrong(&c->n, "size %u is %lld", i, (long long)to[i]);
        else if (pcs_dim_is_id(to[i])) sized = false;
        else if (sized && !pcs_i64_mul(given, to[i], &given)) return pcs_wrong(&c->n, "its sizes are too large");
    }
    if (sized && open < count) {
        if (!given || all % given) return pcs_wrong(&c->n, "its elements do not fill that shape");
        shape[open] = all / given;
    }
    return pcs_shaped(&c->n, x, count, shape);
}

void pcs_aten_view(pcs_aten *c)
{
    uint32_t count;
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *to = pcs_arg_ints(c, c->row->with, &count);
    if (to) c->n.out[0] = viewed(c, x, count, to);
}

void pcs_aten_view_as(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), other = pcs_arg_tensor(c, "other");
    if (x < 0 || other < 0) return;
    const pcs_value v = *pcs_of(&c->n, other);
    c->n.out[0] = c->row->with[0] == 'e' ? pcs_spread_to(c, x, v.dims, v.shape) : viewed(c, x, v.dims, v.shape);
}

precis_value pcs_back_reshape(pcs_aten *c, precis_value base, precis_value w)
{
    const pcs_value v = *pcs_of(&c->n, base);
    return pcs_shaped(&c->n, w, v.dims, v.shape);
}

/* Dimensions start to end as one; "with" un: one as several. */
void pcs_aten_flatten(pcs_aten *c)
{
    int64_t shape[PCS_GRAPH_DIMS], one = 1;
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t from = pcs_arg_axis(c, "start_dim", x), to = pcs_arg_axis(c, "end_dim", x);
    uint32_t dims = 0;
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (from > to) {
        pcs_wrong(&c->n, "flattens dimensions %u to %u", from, to);
        return;
    }
    for (uint32_t i = 0; i < v.dims || i == 0; i++) {
        const int64_t d = v.dims ? v.shape[i] : 1;
        if (i < from || i > to) shape[dims++] = d;
        else one = pcs_dim_product(c->n.im->g, one, d);
        if (i == to) shape[dims++] = one;
    }
    c->n.out[0] = pcs_shaped(&c->n, x, dims, shape);
}

void pcs_aten_unflatten(pcs_aten *c)
{
    uint32_t count;
    int64_t shape[PCS_GRAPH_DIMS], known = 1;
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    const int64_t *sizes = pcs_arg_ints(c, "sizes", &count);
    uint32_t dims = 0, open = PCS_GRAPH_DIMS;
    if (!sizes || x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims + count > PCS_GRAPH_DIMS) {
        pcs_refuse(&c->n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++)
        for (uint32_t k = 0; k < (i == axis ? count : 1); k++) {
            shape[dims] = i == axis ? sizes[k] : v.shape[i];
            if (i == axis && sizes[k] == -1) open = dims;
            else if (i == axis && !pcs_dim_is_id(sizes[k])) known *= sizes[k] > 0 && sizes[k] < 1 << 30 ? sizes[k] : 1;
            dims++;
        }
    if (open < dims && !pcs_dim_is_id(v.shape[axis])) shape[open] = v.shape[axis] / known;
    c->n.out[0] = pcs_shaped(&c->n, x, dims, shape);
}

/* Dimensions of one taken away: all, or those that are named ("with" d). */
void pcs_aten_squeeze(pcs_aten *c)
{
    uint32_t count = 0, dims = 0;
    int64_t shape[PCS_GRAPH_DIMS];
    bool named[PCS_GRAPH_DIMS] = { false };
    const bool all = c->row->with[0] != 'd';
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *axes = all ? NULL : pcs_arg_ints(c, "dim", &count);
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(axes[i], v.dims ? v.dims : 1);
        if (a == (v.dims ? v.dims : 1)) pcs_wrong(&c->n, "has no dimension %lld", (long long)axes[i]);
        else named[a] = true;
    }
    for (uint32_t i = 0; i < v.dims; i++)
        if (v.shape[i] != 1 || !(all || named[i])) shape[dims++] = v.shape[i];
    c->n.out[0] = pcs_shaped(&c->n, x, dims, shape);
}

void pcs_aten_unsqueeze(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t axis = pcs_arg_int(c, "dim");
    c->n.out[0] = pcs_unsqueezed(&c->n, x, 1, &axis);
}

/* ---- orders of dimensions
 * ----------------------------------------------------------------------- */

/* The order that the call gives to the dimensions of x. "with": p a list, t two
 * that change places, T the last two of at most two, m one moved. */
static bool order(pcs_aten *c, precis_value x, int64_t *perm)
{
    uint32_t count;
    if (x < 0) return false;
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    for (uint32_t i = 0; i < dims; i++) perm[i] = i;
    if (c->row->with[0] == 'p') {
        uint32_t seen = 0;
        const int64_t *to = pcs_arg_ints(c, "dims", &count);
        if (!to) return false;
        if (count != dims) return pcs_wrong(&c->n, "orders %u dimensions of %u", count, dims), false;
        for (uint32_t i = 0; i < dims; i++) {
            const uint32_t a = pcs_axis(to[i], dims);
            if (a == dims || seen & 1u << a) return pcs_wrong(&c->n, "is no order of dimensions"), false;
            seen |= 1u << a;
            perm[i] = a;
        }
        return true;
    }
    if (c->row->with[0] == 'M') { /* the last two */
        if (dims < 2) return pcs_wrong(&c->n, "takes matrices"), false;
        perm[dims - 1] = dims - 2, perm[dims - 2] = dims - 1;
        return true;
    }
    if (c->row->with[0] == 'T') {
        if (dims > 2) return pcs_wrong(&c->n, "takes at most two dimensions"), false;
        if (dims == 2) perm[0] = 1, perm[1] = 0;
        return true;
    }
    const uint32_t a = pcs_arg_axis(c,
                                    c->args[1].name.s[0] == 'a' ? "axis0"
                                    : c->row->with[0] == 'm'    ? "source"
                                                                : "dim0",
                                    x),
                   b = pcs_arg_axis(c,
                                    c->args[1].name.s[0] == 'a' ? "axis1"
                                    : c->row->with[0] == 'm'    ? "destination"
                                                                : "dim1",
                                    x);
    if (pcs_failed(&c->n)) return false;
    if (!dims) return true;
    if (c->row->with[0] == 't') {
        perm[a] = b, perm[b] = a;
        return true;
    }
    for (uint32_t i = 0, from = 0; i < dims; i++) {
        if (i == b) perm[i] = a;
        else {
            if (from == a) from++;
            perm[i] = from++;
        }
    }
    return true;
}

void pcs_aten_permute(pcs_aten *c)
{
    int64_t perm[PCS_GRAPH_DIMS];
    const precis_value x = pcs_arg_tensor(c, "self");
    if (order(c, x, perm)) c->n.out[0] = pcs_permuted(&c->n, x, pcs_of(&c->n, x)->dims, perm);
}

precis_value pcs_back_permute(pcs_aten *c, precis_value base, precis_value w)
{
    int64_t perm[PCS_GRAPH_DIMS], back[PCS_GRAPH_DIMS] = { 0 };
    if (!order(c, base, perm)) return -1;
    const uint32_t dims = pcs_of(&c->n, base)->dims;
    for (uint32_t i = 0; i < dims; i++) back[perm[i]] = i;
    return pcs_permuted(&c->n, w, dims, back);
}

/* ---- parts -------------------------------------------------------------------------------------- */

/* start, size and step of the part of dimension `axis` that slice takes of x.
 */
static bool part_of(pcs_aten *c, precis_value x, uint32_t *axis, int64_t *part)
{
    *axis = pcs_arg_axis(c, "dim", x);
    const int64_t step = pcs_arg_size(c, "step");
    if (x < 0 || pcs_failed(&c->n)) return false;
    if (!pcs_of(&c->n, x)->dims || step < 1)
        return pcs_wrong(&c->n, "takes a part of no dimension, or by steps of %lld", (long long)step), false;
    const int64_t d = pcs_of(&c->n, x)->shape[*axis];
    int64_t from = pcs_arg_given(c, "start") ? pcs_arg_int(c, "start") : 0,
            to = pcs_arg_given(c, "end") ? pcs_arg_int(c, "end") : INT64_MAX;
    if (!pcs_dim_is_id(d) && !pcs_dim_is_id(from) && !pcs_dim_is_id(to)) {
        from = from < 0 ? from + d : from, to = to < 0 ? to + d : to;
        from = from < 0 ? 0 : from > d ? d : from;
        to = to < from ? from : to > d ? d : to;
        part[0] = from, part[1] = to > from ? (to - from - 1) / step + 1 : 0, part[2] = step;
        if (!part[1]) part[0] = 0;
        return !pcs_failed(&c->n);
    }
    if (from == 0 && step == 1 && (to == d || to >= (int64_t)1 << 40)) {
        part[0] = 0, part[1] = d, part[2] = 1;
        return true;
    }
    if (pcs_dim_is_id(from) || from < 0 || step != 1)
        return pcs_refuse(&c->n, "takes a part of a dimension that has no size yet"), false;
    const int64_t end = to >= (int64_t)1 << 40         ? d
                        : to < 0 && !pcs_dim_is_id(to) ? pcs_dim_linear(c->n.im->g, d, 1, to, 1)
                                                       : to;
    if (!pcs_dim_is_id(end) && pcs_dim_is_id(d))
        return pcs_refuse(&c->n, "takes a part of a dimension that has no size yet"), false;
    part[0] = from, part[1] = pcs_dim_linear(c->n.im->g, end, 1, -from, 1), part[2] = 1;
    return true;
}

static precis_value taken(pcs_aten *c, precis_value x, uint32_t axis, const int64_t *part)
{
    int64_t starts[PCS_GRAPH_DIMS], sizes[PCS_GRAPH_DIMS], steps[PCS_GRAPH_DIMS];
    const pcs_value v = *pcs_of(&c->n, x);
    if (part[0] == 0 && part[1] == v.shape[axis] && part[2] == 1) return x;
    for (uint32_t i = 0; i < v.dims; i++) starts[i] = 0, sizes[i] = v.shape[i], steps[i] = 1;
    starts[axis] = part[0], sizes[axis] = part[1], steps[axis] = part[2];
    return pcs_make1(&c->n, "slice",
                     PRECIS_ATTRS(precis_attr_list("starts", v.dims, starts), precis_attr_list("sizes", v.dims, sizes),
                                  precis_attr_list("steps", v.dims, steps)),
                     x);
}

void pcs_aten_slice(pcs_aten *c)
{
    uint32_t axis;
    int64_t part[3];
    const precis_value x = pcs_arg_tensor(c, "self");
    if (part_of(c, x, &axis, part)) c->n.out[0] = taken(c, x, axis, part);
}

precis_value pcs_back_slice(pcs_aten *c, precis_value base, precis_value w)
{
    uint32_t axis;
    int64_t part[3];
    return part_of(c, base, &axis, part) ? pcs_put_part(c, base, w, axis, part) : -1;
}

void pcs_aten_slice_scatter(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), src = pcs_arg_tensor(c, "src");
    uint32_t axis;
    int64_t part[3];
    if (src >= 0 && part_of(c, x, &axis, part)) c->n.out[0] = pcs_put_part(c, x, src, axis, part);
}

/* narrow: a start and a length. */
void pcs_aten_narrow(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    const int64_t start = pcs_arg_size(c, "start"), size = pcs_arg_int(c, "length");
    if (x >= 0 && !pcs_failed(&c->n))
        c->n.out[0] = pcs_part(&c->n, x, axis, start < 0 ? start + pcs_of(&c->n, x)->shape[axis] : start, size);
}

/* Without dimension `axis`, which is one. */
static precis_value without(pcs_aten *c, precis_value x, uint32_t axis)
{
    int64_t shape[PCS_GRAPH_DIMS];
    uint32_t dims = 0;
    if (x < 0) return -1;
    const pcs_value v = *pcs_of(&c->n, x);
    for (uint32_t i = 0; i < v.dims; i++)
        if (i != axis) shape[dims++] = v.shape[i];
    return pcs_shaped(&c->n, x, dims, shape);
}

/* The index of select, from the front. */
static bool index_of(pcs_aten *c, precis_value x, uint32_t axis, int64_t *at)
{
    *at = pcs_arg_size(c, "index");
    if (x < 0 || pcs_failed(&c->n)) return false;
    if (!pcs_of(&c->n, x)->dims) return pcs_wrong(&c->n, "takes a scalar apart"), false;
    const int64_t d = pcs_of(&c->n, x)->shape[axis];
    if (pcs_dim_is_id(d) ? *at < 0 : *at < -d || *at >= d)
        return pcs_dim_is_id(d) ? pcs_refuse(&c->n, "takes the last ones of a dimension that has no size yet")
                                : pcs_wrong(&c->n, "takes element %lld of %lld", (long long)*at, (long long)d),
               false;
    if (*at < 0) *at += d;
    return true;
}

void pcs_aten_select(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    int64_t at;
    if (index_of(c, x, axis, &at)) c->n.out[0] = without(c, pcs_part(&c->n, x, axis, at, 1), axis);
}

static precis_value put_one(pcs_aten *c, precis_value base, precis_value w, uint32_t axis, int64_t at)
{
    const int64_t a = axis;
    return pcs_put_part(c, base, pcs_unsqueezed(&c->n, w, 1, &a), axis, (const int64_t[]){ at, 1, 1 });
}

precis_value pcs_back_select(pcs_aten *c, precis_value base, precis_value w)
{
    const uint32_t axis = pcs_arg_axis(c, "dim", base);
    int64_t at;
    return index_of(c, base, axis, &at) ? put_one(c, base, w, axis, at) : -1;
}

void pcs_aten_select_scatter(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), src = pcs_arg_tensor(c, "src");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    int64_t at;
    if (src >= 0 && index_of(c, x, axis, &at)) c->n.out[0] = put_one(c, x, src, axis, at);
}

/* ---- several parts ------------------------------------------------------------------------------ */

/* Where part i begins, and its size. "with": s parts of a size, z sizes, c a
 * number of parts. */
static bool nth_part(pcs_aten *c, precis_value x, uint32_t axis, uint32_t i, int64_t *part)
{
    uint32_t count = 0;
    if (x < 0) return false;
    const int64_t d = pcs_of(&c->n, x)->dims ? pcs_of(&c->n, x)->shape[axis] : 0;
    part[0] = 0, part[2] = 1;
    if (c->row->with[0] == 'z') {
        const int64_t *sizes = pcs_arg_ints(c, "split_sizes", &count);
        if (!sizes) return false;
        for (uint32_t k = 0; k < i && k < count; k++) part[0] += sizes[k];
        part[1] = i < count ? sizes[i] : -1;
        if (pcs_dim_is_id(part[1]) || part[1] < 0 || part[0] < 0 || (!pcs_dim_is_id(d) && part[0] + part[1] > d))
            return pcs_wrong(&c->n, "part %u is none of dimension %u", i, axis), false;
        return true;
    }
    const int64_t by = pcs_arg_size(c, c->row->with[0] == 's' ? "split_size" : "chunks");
    if (pcs_failed(&c->n)) return false;
    if (pcs_dim_is_id(d)) return pcs_refuse(&c->n, "splits a dimension that has no size yet"), false;
    const int64_t size = c->row->with[0] == 's' ? by : by > 0 ? (d + by - 1) / by : 0;
    if (by < 1 || (i && i * size >= d)) return pcs_wrong(&c->n, "has no part %u", i), false;
    part[0] = i * size;
    part[1] = d - part[0] < size ? d - part[0] : size;
    return true;
}

void pcs_aten_split(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    int64_t part[3];
    for (uint32_t i = 0; i < c->n.n_out && !pcs_failed(&c->n); i++)
        if (nth_part(c, x, axis, i, part) && (pcs_wants(&c->n, i) || c->self >= 0))
            c->n.out[i] = taken(c, x, axis, part);
}

precis_value pcs_back_split(pcs_aten *c, precis_value base, precis_value w)
{
    const uint32_t axis = pcs_arg_axis(c, "dim", base);
    int64_t part[3];
    return nth_part(c, base, axis, c->part, part) ? pcs_put_part(c, base, w, axis, part) : -1;
}

void pcs_aten_unbind(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (x < 0 || pcs_failed(&c->n)) return;
    if (!pcs_of(&c->n, x)->dims || pcs_of(&c->n, x)->shape[axis] != (int64_t)c->n.n_out) {
        pcs_wrong(&c->n, "has %u results", c->n.n_out);
        return;
    }
    for (uint32_t i = 0; i < c->n.n_out && !pcs_failed(&c->n); i++)
        if (pcs_wants(&c->n, i) || c->self >= 0) c->n.out[i] = without(c, pcs_part(&c->n, x, axis, i, 1), axis);
}

precis_value pcs_back_unbind(pcs_aten *c, precis_value base, precis_value w)
{
    return put_one(c, base, w, pcs_arg_axis(c, "dim", base), c->part);
}

/* ---- spreading ---------------------------------------------------------------------------------- */

/* -1: the size that it has. */
void pcs_aten_expand(pcs_aten *c)
{
    uint32_t count;
    int64_t shape[PCS_GRAPH_DIMS];
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *to = pcs_arg_ints(c, "size", &count);
    if (x < 0 || !to) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (count > PCS_GRAPH_DIMS || count < v.dims) {
        pcs_wrong(&c->n, "spreads %u dimensions to %u", v.dims, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        shape[i] = to[i] == -1 && i >= count - v.dims ? v.shape[i - (count - v.dims)] : to[i];
        if (shape[i] < 0 && !pcs_dim_is_id(shape[i])) pcs_wrong(&c->n, "size %u is %lld", i, (long long)shape[i]);
    }
    c->n.out[0] = pcs_spread_to(c, x, count, shape);
}

/* A tensor that is dense, in a dense shape; other strides have no meaning here.
 */
void pcs_aten_as_strided(pcs_aten *c)
{
    uint32_t count, n;
    int64_t stride = 1, have = 1, want = 1;
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *to = pcs_arg_ints(c, "size", &count), *by = pcs_arg_ints(c, "stride", &n);
    const bool offset = pcs_arg_given(c, "storage_offset") && pcs_arg_size(c, "storage_offset") != 0;
    if (x < 0 || !to || !by) return;
    const pcs_value v = *pcs_of(&c->n, x);
    bool dense = n == count && !offset;
    for (uint32_t i = count; i-- > 0 && dense;) {
        dense = !pcs_dim_is_id(to[i]) && !pcs_dim_is_id(by[i]) && (to[i] == 1 || by[i] == stride) &&
                pcs_i64_mul(stride, to[i], &stride);
        want = stride;
    }
    for (uint32_t i = 0; i < v.dims; i++) dense = dense && !pcs_dim_is_id(v.shape[i]), have *= dense ? v.shape[i] : 1;
    if (!dense || have != want) pcs_refuse(&c->n, "shows a storage by strides that are not a shape's own");
    else c->n.out[0] = viewed(c, x, count, to);
}

/* diagonal: elements where two indices differ by an offset, as the last
 * dimension. */
void pcs_aten_diagonal(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t offset = pcs_arg_size(c, "offset");
    const uint32_t a = pcs_arg_axis(c, "dim1", x), b = pcs_arg_axis(c, "dim2", x);
    int64_t perm[PCS_GRAPH_DIMS], shape[PCS_GRAPH_DIMS];
    uint32_t dims = 0;
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (a == b || pcs_dim_is_id(v.shape[a]) || pcs_dim_is_id(v.shape[b])) {
        pcs_refuse(&c->n, "takes two dimensions of known sizes");
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++)
        if (i != a && i != b) shape[dims] = v.shape[i], perm[dims++] = i;
    perm[dims] = a, perm[dims + 1] = b;
    const int64_t rows = v.shape[a], columns = v.shape[b], r = offset < 0 ? -offset : 0, k = offset > 0 ? offset : 0,
                  size = rows - r < columns - k ? rows - r : columns - k;
    int64_t *at = pcs_room(&c->n, (size_t)(size > 0 ? size : 0), sizeof *at);
    for (int64_t i = 0; at && i < size; i++) at[i] = (r + i) * columns + k + i;
    if (!at) return;
    shape[dims] = rows * columns;
    const precis_value flat = pcs_shaped(&c->n, pcs_permuted(&c->n, x, v.dims, perm), dims + 1, shape);
    c->n.out[0] = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", dims)), flat,
                            pcs_whole(&c->n, (uint32_t)(size > 0 ? size : 0), at));
}
