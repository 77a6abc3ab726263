/* moving.c - ops that put elements together, or take and put them by index. */
#include "base/overflow.h"
#include "read/pt2/aten.h"

/* ---- together ----------------------------------------------------------------------------------- */

/* Tensors of one type; those of no elements and one dimension count for
 * nothing, as torch has it. */
void pcs_aten_cat(pcs_aten *c)
{
    uint32_t count, kept = 0;
    const precis_value *given = pcs_arg_tensors(c, "tensors", &count);
    precis_value *v = pcs_room(&c->n, count + 1, sizeof *v);
    pcs_operand *x = pcs_room(&c->n, count + 1, sizeof *x);
    if (!given || !v || !x) return;
    for (uint32_t i = 0; i < count; i++) {
        if (given[i] < 0) return;
        x[i] = (pcs_operand){ given[i], false };
    }
    const pcs_dtype d = pcs_promoted(c, count, x);
    for (uint32_t i = 0; i < count; i++) {
        const pcs_value *t = pcs_of(&c->n, given[i]);
        if (count == 1 || t->dims != 1 || t->shape[0] != 0) v[kept++] = pcs_as(&c->n, given[i], d);
    }
    if (!kept && count) v[kept++] = given[0];
    if (!kept || v[0] < 0) {
        pcs_wrong(&c->n, "joins nothing");
        return;
    }
    /* hstack: vectors along themselves, others along dimension 1; vstack: rows */
    const char how = c->row->with[0];
    for (uint32_t i = 0; i < kept && how == 'v'; i++)
        if (pcs_of(&c->n, v[i])->dims == 1)
            v[i] = pcs_shaped(&c->n, v[i], 2, (const int64_t[]){ 1, pcs_of(&c->n, v[i])->shape[0] });
    if (pcs_failed(&c->n)) return;
    const uint32_t axis = how == 'h' ? pcs_of(&c->n, v[0])->dims > 1 : how == 'v' ? 0 : pcs_arg_axis(c, "dim", v[0]);
    if (!pcs_failed(&c->n)) c->n.out[0] = pcs_joined(&c->n, kept, v, axis);
}

void pcs_aten_stack(pcs_aten *c)
{
    uint32_t count;
    const precis_value *given = pcs_arg_tensors(c, "tensors", &count);
    const int64_t axis = pcs_arg_int(c, "dim");
    precis_value *v = pcs_room(&c->n, count + 1, sizeof *v);
    pcs_operand *x = pcs_room(&c->n, count + 1, sizeof *x);
    if (!given || !v || !x || !count) return;
    for (uint32_t i = 0; i < count; i++) x[i] = (pcs_operand){ given[i], false };
    const pcs_dtype d = pcs_promoted(c, count, x);
    for (uint32_t i = 0; i < count; i++)
        if ((v[i] = pcs_unsqueezed(&c->n, pcs_as(&c->n, given[i], d), 1, &axis)) < 0) return;
    c->n.out[0] = pcs_joined(&c->n, count, v, pcs_axis(axis, pcs_of(&c->n, v[0])->dims));
}

/* Every dimension's first `times` repetitions, dimensions added in front. */
void pcs_aten_repeat(pcs_aten *c)
{
    uint32_t count;
    int64_t shape[PCS_GRAPH_DIMS], pads[2 * PCS_GRAPH_DIMS] = { 0 };
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *times = pcs_arg_ints(c, "repeats", &count);
    if (x < 0 || !times) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (count < v.dims || count > PCS_GRAPH_DIMS) {
        pcs_wrong(&c->n, "repeats %u dimensions %u times", v.dims, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) shape[i] = i < count - v.dims ? 1 : v.shape[i - (count - v.dims)];
    x = pcs_shaped(&c->n, x, count, shape);
    for (uint32_t i = 0; i < count; i++) {
        if (shape[i] == 1 && !pcs_failed(&c->n)) { /* spread; whatever the size */
            int64_t wide[PCS_GRAPH_DIMS];
            memcpy(wide, pcs_of(&c->n, x)->shape, sizeof wide);
            wide[i] = times[i];
            if (times[i] < 0 && !pcs_dim_is_id(times[i]))
                pcs_wrong(&c->n, "repeats a dimension %lld times", (long long)times[i]);
            x = pcs_spread_to(c, x, count, wide);
        } else if (pcs_dim_is_id(times[i]) || times[i] < 0 || (pcs_dim_is_id(shape[i]) && times[i] != 1) ||
                   !pcs_i64_mul(shape[i], times[i] - 1, &pads[count + i]))
            pcs_refuse(&c->n, "repeats a dimension of %lld, %lld times", (long long)shape[i], (long long)times[i]);
        if (pcs_failed(&c->n)) return;
    }
    bool none = true;
    for (uint32_t i = 0; i < 2 * count; i++) none = none && !pads[i];
    c->n.out[0] =
        none ? x
             : pcs_make2(&c->n, "pad",
                         PRECIS_ATTRS(precis_attr_list("pads", 2 * count, pads), precis_attr_text("mode", "wrap")), x,
                         pcs_numbers(&c->n, v.dtype, 0));
}

/* Each element `repeats` times, one after another. */
void pcs_aten_repeat_interleave(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t times = pcs_arg_size(c, "repeats");
    const bool all = !pcs_arg_given(c, "dim");
    if (c->n_args > 3) pcs_arg_given(c, "output_size");
    if (x < 0 || pcs_failed(&c->n)) return;
    if (all) x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 });
    const uint32_t axis = all ? 0 : pcs_arg_axis(c, "dim", x);
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    int64_t apart[PCS_GRAPH_DIMS + 1], wide[PCS_GRAPH_DIMS + 1], joined[PCS_GRAPH_DIMS];
    if (v.dims == PCS_GRAPH_DIMS || times < 0) {
        pcs_refuse(&c->n, "repeats elements of %u dimensions %lld times", v.dims, (long long)times);
        return;
    }
    for (uint32_t i = 0, k = 0; i < v.dims; i++) {
        apart[k] = wide[k] = v.shape[i], k++;
        joined[i] = i == axis ? pcs_dim_product(c->n.im->g, v.shape[i], times) : v.shape[i];
        if (i == axis) apart[k] = 1, wide[k] = times, k++;
    }
    c->n.out[0] =
        pcs_shaped(&c->n, pcs_spread_to(c, pcs_shaped(&c->n, x, v.dims + 1, apart), v.dims + 1, wide), v.dims, joined);
}

/* ---- turned around ------------------------------------------------------------------------------ */

void pcs_aten_flip(pcs_aten *c)
{
    uint32_t count;
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t own = c->row->with[0] == '1',
                  *dims = *c->row->with ? (count = 1, &own) : pcs_arg_ints(c, "dims", &count);
    if (x < 0 || !dims) return;
    int64_t starts[PCS_GRAPH_DIMS] = { 0 }, steps[PCS_GRAPH_DIMS];
    const pcs_value v = *pcs_of(&c->n, x);
    for (uint32_t i = 0; i < v.dims; i++) steps[i] = 1;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(dims[i], v.dims);
        if (a == v.dims || pcs_dim_is_id(v.shape[a])) {
            pcs_refuse(&c->n, "turns a dimension around that is not there, or has no size yet");
            return;
        }
        steps[a] = -1;
        starts[a] = v.shape[a] ? v.shape[a] - 1 : 0;
    }
    c->n.out[0] =
        pcs_make1(&c->n, "slice",
                  PRECIS_ATTRS(precis_attr_list("starts", v.dims, starts), precis_attr_list("sizes", v.dims, v.shape),
                               precis_attr_list("steps", v.dims, steps)),
                  x);
}

void pcs_aten_roll(pcs_aten *c)
{
    uint32_t ns, nd;
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *by = pcs_arg_ints(c, "shifts", &ns), *dims = pcs_arg_ints(c, "dims", &nd);
    if (x < 0 || !by || !dims) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const bool flat = nd == 0;
    if (flat) x = pcs_shaped(&c->n, x, 1, (const int64_t[]){ -1 });
    if (x < 0 || (!flat && ns != nd) || (flat && ns != 1)) {
        pcs_wrong(&c->n, "has %u shifts for %u dimensions", ns, nd);
        return;
    }
    for (uint32_t i = 0; i < ns && x >= 0; i++) {
        const uint32_t rank = pcs_of(&c->n, x)->dims, a = flat ? 0 : pcs_axis(dims[i], rank);
        const int64_t d = a < rank ? pcs_of(&c->n, x)->shape[a] : 0;
        if (a == rank || pcs_dim_is_id(d)) {
            pcs_refuse(&c->n, "rolls a dimension that is not there, or has no size yet");
            return;
        }
        const int64_t cut = d ? ((d - by[i]) % d + d) % d : 0;
        if (cut)
            x = pcs_joined(&c->n, 2,
                           (const precis_value[]){ pcs_part(&c->n, x, a, cut, d - cut), pcs_part(&c->n, x, a, 0, cut) },
                           a);
    }
    c->n.out[0] = flat ? pcs_shaped(&c->n, x, v.dims, v.shape) : x;
}

/* ---- edges -------------------------------------------------------------------------------------- */

/* Pairs of pads from the last dimension on. "with": the mode, or "mode" where
 * it is an argument. */
void pcs_aten_pad(pcs_aten *c)
{
    uint32_t count;
    int64_t pads[2 * PCS_GRAPH_DIMS] = { 0 };
    const char *mode = c->row->with;
    const bool asked = !strcmp(mode, "mode");
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t *by = pcs_arg_ints(c, strcmp(mode, "mode") && strcmp(mode, "constant") ? "padding" : "pad", &count);
    if (asked) mode = pcs_arg_text(c, "mode");
    pcs_scalar fill = { PCS_INTEGER, 0, 0 };
    if (asked || !strcmp(mode, "constant")) fill = pcs_arg_given(c, "value") ? pcs_arg_number(c, "value") : fill;
    if (x < 0 || !by || pcs_failed(&c->n)) return;
    const char *own = !strcmp(mode, "replicate") ? "edge" : !strcmp(mode, "circular") ? "wrap" : mode;
    const pcs_value v = *pcs_of(&c->n, x);
    if (count % 2 || count / 2 > v.dims) {
        pcs_wrong(&c->n, "has %u pads for %u dimensions", count, v.dims);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (pcs_dim_is_id(by[i])) pcs_refuse(&c->n, "pads by a size that is not known yet");
        pads[(i % 2 ? v.dims : 0) + v.dims - 1 - i / 2] = by[i];
    }
    c->n.out[0] =
        pcs_make2(&c->n, "pad", PRECIS_ATTRS(precis_attr_list("pads", 2 * v.dims, pads), precis_attr_text("mode", own)),
                  x, pcs_scalar_value(c, v.dtype, fill));
}

/* Above or below a diagonal. */
void pcs_aten_tri(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const int64_t k = pcs_arg_size(c, "diagonal");
    const precis_attr attrs[] = { precis_attr_int("upper", c->row->with[0] == 'u'), { 0 } };
    const precis_value in[] = { x, pcs_failed(&c->n) ? -1 : pcs_data(&c->n, PCS_I64, 0, NULL, &k) };
    c->n.out[0] = PCS_BORROW(c, .raise = pcs_raise_tri, .attrs = attrs, .n_in = 2, .in = in);
}

/* Windows of a dimension, as the last one. */
void pcs_aten_unfold(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self");
    const uint32_t axis = pcs_arg_axis(c, "dimension", x);
    const int64_t size = pcs_arg_size(c, "size"), step = pcs_arg_size(c, "step");
    int64_t shape[PCS_GRAPH_DIMS + 1], perm[PCS_GRAPH_DIMS + 1];
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    const int64_t d = v.dims ? v.shape[axis] : 0, n = step > 0 && size >= 0 && d >= size ? (d - size) / step + 1 : -1;
    if (pcs_dim_is_id(d) || n < 0 || v.dims == PCS_GRAPH_DIMS || n * (size + 1) > PCS_LIMIT_NET_ELEMENTS) {
        pcs_refuse(&c->n, "takes windows of %lld of a dimension of %lld", (long long)size, (long long)d);
        return;
    }
    int64_t *at = pcs_room(&c->n, (size_t)(n * size), sizeof *at);
    for (int64_t i = 0; at && i < n * size; i++) at[i] = i / size * step + i % size;
    if (!at) return;
    const precis_value y = pcs_make2(&c->n, "take", PRECIS_ATTRS(precis_attr_int("axis", axis)), x,
                                     pcs_whole(&c->n, (uint32_t)(n * size), at));
    for (uint32_t i = 0, k = 0; i < v.dims; i++) {
        shape[k++] = i == axis ? n : v.shape[i];
        if (i == axis) shape[k++] = size;
    }
    uint32_t m = 0;
    for (uint32_t i = 0; i <= v.dims; i++)
        if (i != axis + 1) perm[m++] = i;
    perm[m] = axis + 1;
    c->n.out[0] = pcs_permuted(&c->n, pcs_shaped(&c->n, y, v.dims + 1, shape), v.dims + 1, perm);
}

void pcs_aten_pixels(pcs_aten *c)
{
    const bool shuffle = c->row->with[0] == 's';
    precis_value x = pcs_arg_tensor(c, "self");
    const int64_t by = pcs_arg_size(c, shuffle ? "upscale_factor" : "downscale_factor");
    int64_t front = 1, shape[PCS_GRAPH_DIMS];
    if (x < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x);
    if (v.dims < 3) {
        pcs_wrong(&c->n, "takes pictures");
        return;
    }
    for (uint32_t i = 0; i + 3 < v.dims; i++) front = pcs_dim_product(c->n.im->g, front, v.shape[i]);
    const int64_t four[] = { front, v.shape[v.dims - 3], v.shape[v.dims - 2], v.shape[v.dims - 1] };
    x = pcs_shaped(&c->n, x, 4, four);
    if (shuffle) {
        const precis_attr attrs[] = { precis_attr_int("blocksize", by), precis_attr_text("mode", "CRD"), { 0 } };
        x = PCS_BORROW(c, .raise = pcs_raise_depth, .with = "space", .attrs = attrs, .n_in = 1, .in = &x);
    } else {
        if (by < 1 || pcs_dim_is_id(four[2]) || pcs_dim_is_id(four[3]) || four[2] % by || four[3] % by) {
            pcs_wrong(&c->n, "takes pictures that %lld divides", (long long)by);
            return;
        }
        const int64_t in[] = { front, four[1], four[2] / by, by, four[3] / by, by }, perm[] = { 0, 1, 3, 5, 2, 4 },
                      out[] = { front, four[1] * by * by, four[2] / by, four[3] / by };
        x = pcs_shaped(&c->n, pcs_permuted(&c->n, pcs_shaped(&c->n, x, 6, in), 6, perm), 4, out);
    }
    if (x < 0) return;
    memcpy(shape, v.shape, sizeof shape);
    for (uint32_t i = 0; i < 3; i++) shape[v.dims - 3 + i] = pcs_of(&c->n, x)->shape[1 + i];
    c->n.out[0] = pcs_shaped(&c->n, x, v.dims, shape);
}

/* ---- by index ----------------------------------------------------------------------------------- */

static precis_value by_index(pcs_aten *c, const char *op, uint32_t axis, precis_value x, precis_value at)
{
    return pcs_make2(&c->n, op, PRECIS_ATTRS(precis_attr_int("axis", axis)), x, at);
}

static precis_value indices(pcs_aten *c, const char *name)
{
    const precis_value v = pcs_arg_tensor(c, name);
    return v < 0 || pcs_of(&c->n, v)->dtype == PCS_I32 ? v : pcs_as(&c->n, v, PCS_I64);
}

void pcs_aten_index_select(pcs_aten *c)
{
    const precis_value x = pcs_arg_tensor(c, "self"), at = indices(c, "index");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (at >= 0 && !pcs_failed(&c->n))
        c->n.out[0] = by_index(c, "take", axis, x,
                               pcs_of(&c->n, at)->dims ? at : pcs_shaped(&c->n, at, 1, (const int64_t[]){ 1 }));
}

void pcs_aten_embedding(pcs_aten *c)
{
    const precis_value w = pcs_arg_tensor(c, "weight"), at = indices(c, "indices");
    pcs_arg_int(c, "padding_idx"); /* of gradients */
    if (w >= 0 && at >= 0) c->n.out[0] = by_index(c, "take", 0, w, at);
}

/* An index may be smaller than x in other dimensions, too. */
void pcs_aten_gather(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const precis_value at = indices(c, "index");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    if (x < 0 || at < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x), i = *pcs_of(&c->n, at);
    if (!v.dims) {
        c->n.out[0] = pcs_spread_to(c, x, i.dims, i.shape);
        return;
    }
    for (uint32_t k = 0; k < v.dims && k < i.dims; k++)
        if (k != axis && v.shape[k] != i.shape[k] && !pcs_dim_is_id(i.shape[k]))
            x = pcs_part(&c->n, x, k, 0, i.shape[k]);
    c->n.out[0] = by_index(c, "take_each", axis, x, at);
}

/* scatter: of a tensor or a number; scatter_add, scatter_reduce. "with": the
 * reduction, "" where it is an argument. */
void pcs_aten_scatter(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "self");
    const precis_value at = indices(c, "index");
    const uint32_t axis = pcs_arg_axis(c, "dim", x);
    const bool number = pcs_str_is(c->args[3].name, "value");
    const char *how = *c->row->with ? c->row->with : pcs_arg_text(c, "reduce");
    if (x < 0 || at < 0 || pcs_failed(&c->n)) return;
    const pcs_value v = *pcs_of(&c->n, x), i = *pcs_of(&c->n, at);
    precis_value src =
        number ? pcs_filled(c, v.dtype, i.dims, i.shape, pcs_arg_number(c, "value")) : pcs_arg_tensor(c, "src");
    if (src < 0) return;
    for (uint32_t k = 0; k < i.dims && k < pcs_of(&c->n, src)->dims; k++) /* src may fail on the way */
        if (pcs_of(&c->n, src)->shape[k] != i.shape[k] && !pcs_dim_is_id(i.shape[k]))
            src = pcs_part(&c->n, src, k, 0, i.shape[k]);
    static const char *const names[][2] = { { "none", "none" }, { "sum", "add" },      { "add", "add" },
                                            { "prod", "mul" },  { "multiply", "mul" }, { "amax", "max" },
                                            { "amin", "min" } };
    size_t k = 0;
    while (k < 7 && strcmp(names[k][0], how)) k++;
    if (k == 7 || (c->n_args > 5 && !pcs_arg_flag(c, "include_self"))) {
        pcs_refuse(&c->n, "puts by %s, or without what was there", how);
        return;
    }
    c->n.out[0] =
        pcs_make3(&c->n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_text("how", names[k][1])),
                  x, at, pcs_as(&c->n, src, v.dtype));
}
