/* reduce.c - reductions, softmax, sorting. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

/* Dimensions to reduce: an argument that may be left out, None or empty for all
 * of them. */
static uint32_t dims_of(pcs_aten *c, const char *name, precis_value x, int64_t *axes)
{
    uint32_t count = 0;
    if (x < 0 || pcs_failed(&c->n)) return 0;
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    const int64_t *given = name ? pcs_arg_ints(c, name, &count) : NULL;
    if (count > PCS_GRAPH_DIMS) count = 0, pcs_wrong(&c->n, "reduces %u dimensions", count);
    for (uint32_t i = 0; i < count; i++) {
        axes[i] = pcs_axis(given[i], dims ? dims : 1);
        if (axes[i] == (dims ? dims : 1)) pcs_wrong(&c->n, "has no dimension %lld", (long long)given[i]);
    }
    if (!dims) return 0;
    if (!count)
        for (; count < dims; count++) axes[count] = count;
    return count;
}

/* The name of the dimensions' argument, where the overload has one. */
static const char *dim_name(const pcs_aten *c)
{
    for (uint32_t i = 1; i < c->n_args; i++)
        if (pcs_str_is(c->args[i].name, "dim")) return "dim";
    return NULL;
}

static bool keeps(pcs_aten *c) { return dim_name(c) ? pcs_arg_flag(c, "keepdim") : false; }

/* sum, prod, mean, amax, amin, any, all. Sums of whole numbers are I64; dtype, which sums and the mean have, says
 * otherwise. */
static void reduce(pcs_aten *c, bool mean)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const char *kind = c->row->with;
    int64_t axes[PCS_GRAPH_DIMS];
    const uint32_t count = dims_of(c, dim_name(c), x, axes);
    const bool keep = keeps(c);
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_dtype from = pcs_of(&c->n, x)->dtype;
    const bool sums = !strcmp(kind, "sum") || !strcmp(kind, "prod"),
               test = !strcmp(kind, "any") || !strcmp(kind, "all");
    pcs_dtype d = sums && pcs_dtype_whole(from) ? PCS_I64 : from;
    if (sums || mean) d = pcs_arg_type(c, "dtype", d);
    if (test) {
        x = pcs_as(&c->n, pcs_as(&c->n, x, PCS_BOOL), PCS_U8);
        c->n.out[0] = pcs_as(&c->n, pcs_reduced(&c->n, x, kind[1] == 'n' ? "max" : "min", count, axes, keep), PCS_BOOL);
        return;
    }
    if (from == PCS_BOOL && !sums) x = pcs_as(&c->n, x, PCS_U8);
    x = pcs_as(&c->n, x, sums || mean ? d : pcs_of(&c->n, x)->dtype);
    c->n.out[0] = pcs_as(&c->n, pcs_reduced(&c->n, x, kind[0] == 'a' ? kind + 1 : kind, count, axes, keep), d);
}

void pcs_aten_reduce(pcs_aten *c) { reduce(c, false); }
void pcs_aten_mean(pcs_aten *c) { reduce(c, true); }

void pcs_aten_log_sum_exp(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    int64_t axes[PCS_GRAPH_DIMS];
    const uint32_t count = dims_of(c, "dim", x, axes);
    const bool keep = keeps(c);
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_floating(pcs_of(&c->n, x)->dtype);
    c->n.out[0] = pcs_reduced(&c->n, pcs_as(&c->n, x, d), "log_sum_exp", count, axes, keep);
}

/* Variances: a mean of squares about the mean, over n less a correction.
 * "with": "var", "std" or "var_mean". */
void pcs_aten_variance(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    int64_t axes[PCS_GRAPH_DIMS], n = 1;
    const uint32_t count = dims_of(c, dim_name(c), x, axes);
    const bool keep = keeps(c);
    double less = 1;
    if (c->n_args > 2 && pcs_str_is(c->args[2].name, "correction"))
        less = pcs_arg_given(c, "correction") ? pcs_arg_real(c, "correction") : 1;
    else if (c->n_args > 1) less = pcs_arg_flag(c, "unbiased");
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    for (uint32_t i = 0; i < count; i++) {
        if (pcs_dim_is_id(v.shape[axes[i]])) {
            pcs_refuse(&c->n, "takes a variance over a dimension that has no size yet");
            return;
        }
        n *= v.shape[axes[i]];
    }
    x = pcs_as(&c->n, x, PCS_F64);
    const precis_value mean = pcs_reduced(&c->n, x, "mean", count, axes, true),
                       about = pcs_make2(&c->n, "sub", NULL, x, mean);
    precis_value y = pcs_reduced(&c->n, pcs_make2(&c->n, "mul", NULL, about, about), "sum", count, axes, keep);
    y = pcs_make2(&c->n, "div", NULL, y, pcs_numbers(&c->n, PCS_F64, (double)n - less > 0 ? (double)n - less : 0));
    if (c->row->with[0] == 's') y = pcs_make1(&c->n, "sqrt", NULL, y);
    c->n.out[0] = pcs_as(&c->n, y, v.dtype);
    if (c->n.n_out > 1) c->n.out[1] = pcs_as(&c->n, pcs_reduced(&c->n, x, "mean", count, axes, keep), v.dtype);
}

/* Norms of vectors: ord 0, 1, 2, infinities, or any other power. "with": the
 * argument. */
void pcs_aten_norm(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    int64_t axes[PCS_GRAPH_DIMS];
    const double ord = pcs_arg_given(c, c->row->with) ? pcs_arg_real(c, c->row->with) : 2;
    const uint32_t count = dims_of(c, dim_name(c), x, axes);
    const bool keep = keeps(c);
    if (x < 0 || pcs_failed(&c->n)) return;
    pcs_dtype d = pcs_of(&c->n, x)->dtype;
    if (c->row->with[0] == 'o') d = pcs_arg_type(c, "dtype", d);
    x = pcs_make1(&c->n, "abs", NULL, pcs_as(&c->n, x, PCS_F64));
    precis_value y;
    if (ord == PCS_INFINITY || ord == -PCS_INFINITY)
        y = pcs_reduced(&c->n, x, ord > 0 ? "max" : "min", count, axes, keep);
    else if (ord == 1 || ord == 2) y = pcs_reduced(&c->n, x, ord == 1 ? "l1" : "l2", count, axes, keep);
    else if (ord == 0) {
        const precis_value some = pcs_make2(&c->n, "greater", NULL, x, pcs_numbers(&c->n, PCS_F64, 0));
        y = pcs_reduced(&c->n, pcs_as(&c->n, some, PCS_F64), "sum", count, axes, keep);
    } else {
        y = pcs_reduced(&c->n, pcs_make2(&c->n, "pow", NULL, x, pcs_numbers(&c->n, PCS_F64, ord)), "sum", count, axes,
                        keep);
        y = pcs_make2(&c->n, "pow", NULL, y, pcs_numbers(&c->n, PCS_F64, 1 / ord));
    }
    c->n.out[0] = pcs_as(&c->n, y, d);
}

/* v with the norms g along dim (-1: with one for all); of the interface those that v has, too. */
void pcs_aten_weight_norm(pcs_aten *c)
{
    const precis_value v = pcs_arg_tensor(c, "v"), g = pcs_arg_tensor(c, "g");
    const bool one = pcs_arg_int(c, "dim") == -1;
    const uint32_t dim = one ? PCS_GRAPH_DIMS : pcs_arg_axis(c, "dim", v);
    int64_t axes[PCS_GRAPH_DIMS];
    uint32_t count = 0;
    if (v < 0 || g < 0 || pcs_failed(&c->n)) return;
    const pcs_dtype d = pcs_of(&c->n, v)->dtype;
    for (uint32_t i = 0; i < pcs_of(&c->n, v)->dims; i++)
        if (i != dim) axes[count++] = i;
    const precis_value norm = pcs_as(&c->n, pcs_reduced(&c->n, pcs_as(&c->n, v, PCS_F64), "l2", count, axes, true), d);
    c->n.out[0] = pcs_make2(&c->n, "mul", NULL, v, pcs_make2(&c->n, "div", NULL, g, norm));
    if (c->n.n_out > 1) c->n.out[1] = norm;
}

/* Distances of each row of one to each row of the other: a norm of what they differ by. */
void pcs_aten_distances(pcs_aten *c)
{
    static const int64_t row = -2, column = -3, last = -1;
    precis_value a = pcs_arg_tensor(c, "x1"), b = pcs_arg_tensor(c, "x2");
    const double p = pcs_arg_real(c, "p");
    pcs_arg_given(c, "compute_mode");
    if (a < 0 || b < 0 || pcs_failed(&c->n)) return;
    if (p != 1 && p != 2) {
        pcs_refuse(&c->n, "has a norm of degree %g", p);
        return;
    }
    const pcs_dtype d = pcs_of(&c->n, a)->dtype;
    a = pcs_unsqueezed(&c->n, a, 1, &row), b = pcs_unsqueezed(&c->n, b, 1, &column);
    const precis_value apart = pcs_as(&c->n, pcs_make2(&c->n, "sub", NULL, a, b), PCS_F64);
    c->n.out[0] = pcs_as(&c->n, pcs_reduced(&c->n, apart, p == 1 ? "l1" : "l2", 1, &last, false), d);
}

/* ---- the greatest and the least
 * ------------------------------------------------------------------ */

static precis_value place(pcs_aten *c, precis_value x, uint32_t axis, bool keep, bool least)
{
    return pcs_make1(
        &c->n, "arg_reduce",
        PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_int("keep", keep), precis_attr_int("least", least)), x);
}

/* argmax, argmin: of all elements when no dimension is given. */
void pcs_aten_arg(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const bool least = c->row->with[0] == 'l', all = !pcs_arg_given(c, "dim"), keep = pcs_arg_flag(c, "keepdim");
    if (x < 0 || pcs_failed(&c->n)) return;
    if (pcs_of(&c->n, x)->dtype == PCS_BOOL) x = pcs_as(&c->n, x, PCS_U8);
    if (pcs_of(&c->n, x)->dims == 0) {
        c->n.out[0] = pcs_numbers(&c->n, PCS_I64, 0);
        return;
    }
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    const uint32_t axis = all ? 0 : pcs_arg_axis(c, "dim", x);
    if (all) x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 });
    precis_value y = place(c, x, axis, keep && !all, least);
    if (all && keep) y = pcs_shaped(&c->n, y, dims, (const int64_t[]){ 1, 1, 1, 1, 1, 1, 1, 1 });
    c->n.out[0] = y;
}

/* max.dim and min.dim: values and where they are; max and min of all. */
void pcs_aten_extreme(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const bool least = c->row->with[0] == 'l';
    int64_t axes[PCS_GRAPH_DIMS];
    if (x < 0) return;
    const pcs_dtype d = pcs_of(&c->n, x)->dtype;
    if (d == PCS_BOOL) x = pcs_as(&c->n, x, PCS_U8);
    if (!dim_name(c)) {
        const uint32_t count = dims_of(c, NULL, x, axes);
        c->n.out[0] = pcs_as(&c->n, pcs_reduced(&c->n, x, least ? "min" : "max", count, axes, false), d);
        return;
    }
    const int64_t axis = pcs_arg_axis(c, "dim", x);
    const bool keep = pcs_arg_flag(c, "keepdim");
    if (pcs_failed(&c->n)) return;
    if (!pcs_of(&c->n, x)->dims) {
        c->n.out[0] = pcs_as(&c->n, x, d);
        if (c->n.n_out > 1) c->n.out[1] = pcs_numbers(&c->n, PCS_I64, 0);
        return;
    }
    c->n.out[0] = pcs_as(&c->n, pcs_reduced(&c->n, x, least ? "min" : "max", 1, &axis, keep), d);
    if (pcs_wants(&c->n, 1)) c->n.out[1] = place(c, x, (uint32_t)axis, keep, least);
}

/* topk, sort, argsort. torch says nothing of the order of equal elements unless
 * `stable`; here the first comes first. */
void pcs_aten_sort(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const bool top = c->row->with[0] == 't', places = c->row->with[0] == 'a';
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    const bool largest = top ? pcs_arg_flag(c, "largest") : pcs_arg_flag(c, "descending");
    if (top) pcs_arg_flag(c, "sorted");
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const int64_t k = top ? pcs_arg_size(c, "k") : v.dims ? v.shape[axis] : 1;
    if (pcs_failed(&c->n)) return;
    if (!v.dims) x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ 1 });
    if (v.dtype == PCS_BOOL) x = pcs_as(&c->n, x, PCS_U8);
    precis_value y = pcs_make1(
        &c->n, "top_k",
        PRECIS_ATTRS(precis_attr_int("k", k), precis_attr_int("axis", axis), precis_attr_int("least", !largest)), x);
    precis_value at = pcs_second(&c->n, y, 1);
    if (!v.dims) y = pcs_shaped(&c->n, y, 0, NULL), at = pcs_shaped(&c->n, at, 0, NULL);
    y = pcs_as(&c->n, y, v.dtype);
    c->n.out[0] = places ? at : y;
    if (c->n.n_out > 1) c->n.out[1] = at;
}

/* ---- along a dimension
 * -------------------------------------------------------------------------- */

/* softmax, log_softmax, and their core forms. */
void pcs_aten_softmax(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (x < 0 || pcs_failed(&c->n)) return;
    const bool core = pcs_str_is(c->args[2].name, "half_to_float");
    pcs_dtype d = pcs_of(&c->n, x)->dtype;
    if (core && pcs_arg_flag(c, "half_to_float")) d = PCS_F32;
    else if (!core) d = pcs_arg_type(c, "dtype", d);
    x = pcs_as(&c->n, x, d == PCS_F64 ? PCS_F64 : PCS_F32);
    const bool scalar = x >= 0 && !pcs_of(&c->n, x)->dims;
    if (scalar) x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ 1 });
    precis_value y = pcs_make1(&c->n, "normalize",
                               PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_text("kind", c->row->with)), x);
    if (scalar) y = pcs_shaped(&c->n, y, 0, NULL);
    c->n.out[0] = pcs_as(&c->n, y, d);
}

void pcs_aten_cumulate(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_dtype from = pcs_of(&c->n, x)->dtype,
                    d = pcs_arg_type(c, "dtype", pcs_dtype_whole(from) ? PCS_I64 : from);
    x = pcs_as(&c->n, x, d);
    c->n.out[0] =
        x >= 0 && !pcs_of(&c->n, x)->dims
            ? x
            : pcs_make1(&c->n, "cumulate",
                        PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_int("product", c->row->with[0] == 'p')),
                        x);
}
