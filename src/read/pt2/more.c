/* more.c - ops that are few others put together. */
#include "read/pt2/aten.h"

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

static precis_value logistic(pcs_aten *c, precis_value x) { return pcs_make1(&c->n, "logistic", NULL, x); }

/* ---- elements ----------------------------------------------------------------------------------- */

void pcs_aten_square(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    c->n.out[0] = two(c, "times", x, x);
}

/* other - alpha self. */
void pcs_aten_rsub(pcs_aten *c)
{
    const pcs_operand x[2] = { pcs_arg_operand(c, "other"), pcs_arg_operand(c, "self") };
    const pcs_scalar by = pcs_arg_number(c, "alpha");
    if (pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_promoted(c, 2, x);
    const precis_value b = two(c, "times", pcs_as(&c->n, x[1].v, d), pcs_scalar_value(c, d, by));
    c->n.out[0] = two(c, "sub", pcs_as(&c->n, x[0].v, d), b);
}

void pcs_aten_lerp(pcs_aten *c)
{
    const precis_value a = pcs_arg_tensor(c, "self"), b = pcs_arg_tensor(c, "end");
    const pcs_operand w = pcs_arg_operand(c, "weight");
    if (a < 0 || b < 0 || w.v < 0) return;
    const precis_value by = pcs_as(&c->n, w.v, pcs_of(&c->n, a)->dtype);
    c->n.out[0] = two(c, "plus", a, two(c, "times", by, two(c, "sub", b, a)));
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
        two(c, "times", pcs_part(&c->n, x, axis, 0, d / 2), logistic(c, pcs_part(&c->n, x, axis, d / 2, d / 2)));
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

void pcs_aten_conv_old(pcs_aten *c)
{
    pcs_arg_given(c, "benchmark"), pcs_arg_given(c, "deterministic"), pcs_arg_given(c, "cudnn_enabled"),
        pcs_arg_given(c, "allow_tf32");
    pcs_aten_conv(c);
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
    c->n.out[0] =
        pcs_shaped(&c->n, pcs_permuted(&c->n, pcs_shaped(&c->n, x, v.dims + 1, apart), perm), v.dims, v.shape);
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
    if (how == 'a') w = two(c, "times", w, pcs_scalar_value(c, v.dtype, pcs_arg_number(c, "alpha")));
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
