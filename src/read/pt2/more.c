/* more.c - ops that are few others put together. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

static precis_value like(pcs_aten *c, precis_value x, double v)
{
    return x < 0 ? -1 : pcs_numbers(&c->n, pcs_of(&c->n, x)->dtype, v);
}

static precis_value two(pcs_aten *c, const char *op, precis_value a, precis_value b)
{
    return pcs_make2(&c->n, op, NULL, a, b);
}

static precis_value either(pcs_aten *c, precis_value at, precis_value a, precis_value b)
{
    return pcs_make3(&c->n, "where", NULL, at, a, b);
}

static precis_value logistic(pcs_aten *c, precis_value x) { return pcs_make1(&c->n, "sigmoid", NULL, x); }

/* ---- elements ----------------------------------------------------------------------------------- */

void pcs_aten_square(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    c->n.out[0] = two(c, "mul", x, x);
}

/* other - alpha self. */
void pcs_aten_rsub(pcs_aten *c)
{
    const pcs_operand x[2] = { pcs_arg_operand(c, "other"), pcs_arg_operand(c, "self") };
    const pcs_scalar by = pcs_arg_number(c, "alpha");
    if (pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_promoted(c, 2, x);
    const precis_value b = two(c, "mul", pcs_as(&c->n, x[1].v, d), pcs_scalar_value(c, d, by));
    c->n.out[0] = two(c, "sub", pcs_as(&c->n, x[0].v, d), b);
}

void pcs_aten_lerp(pcs_aten *c)
{
    const precis_value a = pcs_arg_tensor(c, "self"), b = pcs_arg_tensor(c, "end");
    const pcs_operand w = pcs_arg_operand(c, "weight");
    if (a < 0 || b < 0 || w.v < 0) return;
    const precis_value by = pcs_as(&c->n, w.v, pcs_of(&c->n, a)->dtype);
    c->n.out[0] = two(c, "add", a, two(c, "mul", by, two(c, "sub", b, a)));
}

/* One bound: clamp_min, clamp_max. */
void pcs_aten_clamp_one(pcs_aten *c)
{
    const pcs_operand x[2] = { { pcs_arg_tensor(c, "self"), false }, pcs_arg_operand(c, c->row->with) };
    if (pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_promoted(c, 2, x);
    c->n.out[0] = two(c, c->row->with[1] == 'i' ? "max" : "min", pcs_as(&c->n, x[0].v, d), pcs_as(&c->n, x[1].v, d));
}

void pcs_aten_hard_shrink(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const double by = pcs_arg_real(c, "lambd");
    const precis_value inside = two(c, "less_equal", pcs_make1(&c->n, "abs", NULL, x), like(c, x, by));
    c->n.out[0] = either(c, inside, like(c, x, 0), x);
}

void pcs_aten_soft_shrink(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const double by = pcs_arg_real(c, "lambd");
    c->n.out[0] =
        pcs_make1(&c->n, "shrink", PRECIS_ATTRS(precis_attr_real("alpha", by), precis_attr_real("beta", by)), x);
}

void pcs_aten_threshold(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const double at = pcs_arg_real(c, "threshold"), v = pcs_arg_real(c, "value");
    c->n.out[0] = either(c, two(c, "greater", x, like(c, x, at)), x, like(c, x, v));
}

/* -softplus(-x). */
void pcs_aten_log_sigmoid(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    c->n.out[0] = pcs_make1(&c->n, "neg", NULL, pcs_make1(&c->n, "softplus", NULL, pcs_make1(&c->n, "neg", NULL, x)));
}

/* Slopes of channels, which are dimension 1. */
void pcs_aten_prelu(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    precis_value w = pcs_arg_tensor(c, "weight");
    int64_t shape[PCS_GRAPH_DIMS];
    if (x < 0 || w < 0) return;
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    if (c->row->with[0] != 'k' && pcs_of(&c->n, w)->dims == 1 && dims > 1) {
        for (uint32_t i = 0; i < dims; i++) shape[i] = i == 1 ? pcs_of(&c->n, w)->shape[0] : 1;
        w = pcs_shaped(&c->n, w, dims, shape);
    }
    c->n.out[0] = two(c, "prelu", x, w);
}

/* The first half, gated by the second. */
void pcs_aten_glu(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (x < 0 || pcs_failed(&c->n)) return;
    const int64_t d = pcs_of(&c->n, x)->dims ? pcs_of(&c->n, x)->shape[axis] : 1;
    if (pcs_dim_is_id(d) || d % 2) {
        pcs_refuse(&c->n, "halves a dimension of %lld", (long long)d);
        return;
    }
    c->n.out[0] =
        two(c, "mul", pcs_part(&c->n, x, axis, 0, d / 2), logistic(c, pcs_part(&c->n, x, axis, d / 2, d / 2)));
}

void pcs_aten_convert(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "a");
    if (x >= 0) c->n.out[0] = pcs_as(&c->n, x, pcs_arg_type(c, "dtype", pcs_of(&c->n, x)->dtype));
}

void pcs_aten_contiguous(pcs_aten *c)
{
    pcs_arg_given(c, "memory_format");
    c->n.out[0] = pcs_arg_tensor(c, "self");
}

void pcs_aten_sort_stable(pcs_aten *c)
{
    pcs_arg_given(c, "stable"); /* it is, here */
    pcs_aten_sort(c);
}

/* ---- elements that move
 * ------------------------------------------------------------------------- */

/* As repeat, but fewer numbers than dimensions are of the last ones. */
void pcs_aten_tile(pcs_aten *c)
{
    uint32_t count;
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *by = pcs_arg_ints(c, "dims", &count);
    if (x < 0 || !by) return;
    const uint32_t dims = pcs_of(&c->n, x)->dims, more = dims > count ? dims - count : 0;
    int64_t times[PCS_GRAPH_DIMS];
    if (count + more > PCS_GRAPH_DIMS) {
        pcs_refuse(&c->n, "gives more than %d dimensions", PCS_GRAPH_DIMS);
        return;
    }
    for (uint32_t i = 0; i < count + more; i++) times[i] = i < more ? 1 : by[i - more];
    const int64_t shape = count + more;
    const precis_value in[] = { pcs_unsqueezed(&c->n, x, 0, NULL), pcs_data(&c->n, PCS_I64, 1, &shape, times) };
    int64_t wide[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < count + more; i++)
        wide[i] = i < count + more - dims ? 1 : pcs_of(&c->n, x)->shape[i - (count + more - dims)];
    const precis_value both[] = { pcs_shaped(&c->n, in[0], count + more, wide), in[1] };
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_tile, .with = "", .n_in = 2, .in = both);
}

void pcs_aten_channel_shuffle(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t groups = pcs_arg_size(c, "groups");
    int64_t apart[PCS_GRAPH_DIMS + 1], perm[PCS_GRAPH_DIMS + 1];
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims < 2 || v.dims == PCS_GRAPH_DIMS || pcs_dim_is_id(v.shape[1]) || groups < 1 || v.shape[1] % groups) {
        pcs_refuse(&c->n, "shuffles channels in %lld groups", (long long)groups);
        return;
    }
    for (uint32_t i = 0; i < v.dims + 1; i++) perm[i] = i, apart[i] = i ? v.shape[i - 1] : v.shape[0];
    apart[1] = groups, apart[2] = v.shape[1] / groups, perm[1] = 2, perm[2] = 1;
    const precis_value y = pcs_permuted(&c->n, pcs_shaped(&c->n, x, v.dims + 1, apart), v.dims + 1, perm);
    c->n.out[0] = pcs_shaped(&c->n, y, v.dims, v.shape);
}

/* Vectors spread over a grid of all of them; "xy": the first two change places.
 */
void pcs_aten_meshgrid(pcs_aten *c)
{
    uint32_t count;
    const precis_value *v = pcs_arg_tensors(c, "tensors", &count);
    const bool xy = c->n_args > 1 && pcs_str_is(c->args[1].name, "indexing") &&
                    !strcmp(pcs_arg_text(c, "indexing"), "xy") && count > 1;
    int64_t shape[PCS_GRAPH_DIMS], line[PCS_GRAPH_DIMS];
    if (!v || count > PCS_GRAPH_DIMS || count != c->n.n_out) return;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t to = xy && i < 2 ? 1 - i : i;
        shape[to] = pcs_of(&c->n, v[i])->dims ? pcs_of(&c->n, v[i])->shape[0] : 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t to = xy && i < 2 ? 1 - i : i;
        for (uint32_t k = 0; k < count; k++) line[k] = k == to ? shape[k] : 1;
        c->n.out[i] = pcs_spread_to(c, pcs_shaped(&c->n, v[i], count, line), count, shape);
    }
}

/* Rows of a dimension replaced, added to, or filled. */
void pcs_aten_index_copy(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    precis_value at = pcs_as(&c->n, pcs_arg_tensor(c, "index"), PCS_I64);
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    const char how = c->row->with[0];
    if (x < 0 || at < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const int64_t n = pcs_of(&c->n, at)->dims ? pcs_of(&c->n, at)->shape[0] : 1;
    int64_t line[PCS_GRAPH_DIMS], shape[PCS_GRAPH_DIMS];
    for (uint32_t i = 0; i < v.dims; i++) line[i] = i == axis ? n : 1, shape[i] = i == axis ? n : v.shape[i];
    if (!v.dims) {
        pcs_refuse(&c->n, "takes a scalar");
        return;
    }
    precis_value w = how == 'f' ? pcs_scalar_value(c, v.dtype, pcs_arg_number(c, "value"))
                                : pcs_as(&c->n, pcs_arg_tensor(c, "source"), v.dtype);
    if (how == 'a') w = two(c, "mul", w, pcs_scalar_value(c, v.dtype, pcs_arg_number(c, "alpha")));
    w = pcs_spread_to(c, w, v.dims, shape);
    at = pcs_spread_to(c, pcs_shaped(&c->n, at, v.dims, line), v.dims, shape);
    c->n.out[0] = pcs_make3(
        &c->n, "put_each",
        PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_text("how", how == 'a' ? "add" : "none")), x, at, w);
}

void pcs_aten_one_hot(pcs_aten *c)
{
    static const int64_t last = -1;
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t n = pcs_arg_size(c, "num_classes");
    if (x < 0 || pcs_failed(&c->n)) return;
    if (n < 0) {
        pcs_refuse(&c->n, "counts the classes that come; give num_classes");
        return;
    }
    c->n.out[0] = pcs_as(
        &c->n, two(c, "equal", pcs_unsqueezed(&c->n, pcs_as(&c->n, x, PCS_I64), 1, &last), pcs_counted(c, n)), PCS_I64);
}

/* ---- more of them ------------------------------------------------------------------------------- */

void pcs_aten_frac(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), zero = like(c, x, 0);
    const precis_value whole =
        either(c, two(c, "less", x, zero), pcs_make1(&c->n, "ceil", NULL, x), pcs_make1(&c->n, "floor", NULL, x));
    c->n.out[0] = two(c, "sub", x, whole);
}

/* log(e^a + e^b): the greater, and softplus of minus what they differ by. */
void pcs_aten_log_add(pcs_aten *c)
{
    const precis_value a = pcs_arg_tensor(c, "self"), b = pcs_arg_tensor(c, "other");
    const precis_value apart = pcs_make1(&c->n, "abs", NULL, two(c, "sub", a, b));
    c->n.out[0] =
        two(c, "add", two(c, "max", a, b), pcs_make1(&c->n, "softplus", NULL, pcs_make1(&c->n, "neg", NULL, apart)));
}

void pcs_aten_nan_to_num(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    if (x < 0) return;
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    const double most = d == PCS_F16    ? 65504
                        : d == PCS_F64  ? 0x1.fffffffffffffp+1023
                        : d == PCS_BF16 ? 0x1.fep+127
                                        : 0x1.fffffep+127;
    const double nan = pcs_arg_given(c, "nan") ? pcs_arg_real(c, "nan") : 0,
                 hi = pcs_arg_given(c, "posinf") ? pcs_arg_real(c, "posinf") : most,
                 lo = pcs_arg_given(c, "neginf") ? pcs_arg_real(c, "neginf") : -most;
    if (pcs_dtype_whole(d)) {
        c->n.out[0] = x;
        return;
    }
    precis_value y = either(c, pcs_make1(&c->n, "is_nan", NULL, x), like(c, x, nan), x);
    y = either(c, two(c, "equal", y, like(c, x, PCS_INFINITY)), like(c, x, hi), y);
    c->n.out[0] = either(c, two(c, "equal", y, like(c, x, -PCS_INFINITY)), like(c, x, lo), y);
}

/* The product of two vectors, each over its length, which is eps at least. */
void pcs_aten_cosine(pcs_aten *c)
{
    precis_value x[2] = { pcs_arg_tensor(c, "x1"), pcs_arg_tensor(c, "x2") };
    const double eps = pcs_arg_real(c, "eps");
    const int64_t axis = pcs_arg_axis(c, "dim", x[0]);
    for (int i = 0; i < 2; i++) {
        if (x[i] < 0 || pcs_failed(&c->n)) return;
        x[i] = two(c, "div", x[i], two(c, "max", pcs_reduced(&c->n, x[i], "l2", 1, &axis, true), like(c, x[i], eps)));
    }
    c->n.out[0] = pcs_reduced(&c->n, two(c, "mul", x[0], x[1]), "sum", 1, &axis, false);
}

void pcs_aten_outer(pcs_aten *c)
{
    static const int64_t last = -1;
    const precis_value a = pcs_arg_tensor(c, "self"), b = pcs_arg_tensor(c, "vec2");
    c->n.out[0] = two(c, "mul", pcs_unsqueezed(&c->n, a, 1, &last), b);
}

/* k quarters of a turn in the plane of two dimensions. */
void pcs_aten_rot90(pcs_aten *c)
{
    uint32_t count;
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t quarters = ((pcs_arg_size(c, "k") % 4) + 4) % 4, *dims = pcs_arg_ints(c, "dims", &count);
    int64_t starts[PCS_GRAPH_DIMS] = { 0 }, steps[PCS_GRAPH_DIMS], perm[PCS_GRAPH_DIMS];
    if (x < 0 || !dims || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const uint32_t a = count == 2 ? pcs_axis(dims[0], v.dims) : v.dims,
                   b = count == 2 ? pcs_axis(dims[1], v.dims) : v.dims;
    if (a == v.dims || b == v.dims || a == b || pcs_dim_is_id(v.shape[a]) || pcs_dim_is_id(v.shape[b])) {
        pcs_refuse(&c->n, "turns in no plane of two dimensions of known sizes");
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) steps[i] = 1, perm[i] = i;
    const bool fa = quarters == 2 || quarters == 3,
               fb = quarters == 2 || quarters == 1; /* then the two change places */
    if (fa) steps[a] = -1, starts[a] = v.shape[a] ? v.shape[a] - 1 : 0;
    if (fb) steps[b] = -1, starts[b] = v.shape[b] ? v.shape[b] - 1 : 0;
    if (quarters)
        x = pcs_make1(&c->n, "slice",
                      PRECIS_ATTRS(precis_attr_list("starts", v.dims, starts),
                                   precis_attr_list("sizes", v.dims, v.shape),
                                   precis_attr_list("steps", v.dims, steps)),
                      x);
    if (quarters % 2) perm[a] = b, perm[b] = a;
    c->n.out[0] = pcs_permuted(&c->n, x, v.dims, perm);
}

/* take_along_dim: indices spread over the other dimensions, or all of x as one. */
void pcs_aten_take_along(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self"), at = pcs_as(&c->n, pcs_arg_tensor(c, "indices"), PCS_I64);
    const bool all = !pcs_arg_given(c, "dim");
    if (all)
        x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 }), at = pcs_shaped(&c->n, at, 1, (const int64_t[]){ -1 });
    const uint32_t axis = all ? 0 : pcs_arg_axis(c, "dim", x);
    int64_t shape[PCS_GRAPH_DIMS], wide[PCS_GRAPH_DIMS];
    if (x < 0 || at < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x), i = *pcs_of(&c->n, at);
    if (v.dims != i.dims) {
        pcs_wrong(&c->n, "has indices of %u dimensions for %u", i.dims, v.dims);
        return;
    }
    for (uint32_t k = 0; k < v.dims; k++) {
        shape[k] = k == axis || i.shape[k] != 1 ? i.shape[k] : v.shape[k];
        wide[k] = k == axis || v.shape[k] != 1 ? v.shape[k] : i.shape[k];
    }
    c->n.out[0] = pcs_make2(&c->n, "take_each", PRECIS_ATTRS(precis_attr_int("axis", axis)),
                            pcs_spread_to(c, x, v.dims, wide), pcs_spread_to(c, at, v.dims, shape));
}
