/* shapes.c - ops that only move elements, and constants. */
#include "read/onnx/functions.h"
#include "base/overflow.h"

void pcs_raise_reshape(pcs_onnx_node *n)
{
    uint32_t count;
    int64_t shape[PCS_GRAPH_DIMS];
    const precis_value x = pcs_in(n, 0);
    const int64_t *to = pcs_axes(n, "shape", 1, &count);
    const bool zero = pcs_attr_int(n, "allowzero", 0) != 0;
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    if (count > PCS_GRAPH_DIMS) {
        pcs_refuse(n, "gives %u dimensions, at most %d", count, PCS_GRAPH_DIMS);
        return;
    }
    bool empty = false, open = false, known = true;
    for (uint32_t i = 0; i < v.dims; i++) empty = empty || v.shape[i] == 0;
    for (uint32_t i = 0; i < count; i++) {
        shape[i] = to[i] == 0 && !zero ? (i < v.dims ? v.shape[i] : -2) : to[i];
        if (shape[i] == -2) {
            pcs_wrong(n, "keeps dimension %u, which is not there", i);
            return;
        }
        open = open || shape[i] == -1;
        known = known && shape[i];
    }
    if (empty && open && known)
        for (uint32_t i = 0; i < count; i++) shape[i] = shape[i] == -1 ? 0 : shape[i];
    n->out[0] = pcs_shaped(n, x, count, shape);
}

void pcs_raise_flatten(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    const int64_t axis = pcs_attr_int(n, "axis", 1);
    int64_t shape[2] = { 1, 1 };
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    const int64_t a = axis < 0 ? axis + v.dims : axis;
    if (a < 0 || a > v.dims) {
        pcs_wrong(n, "has no axis %lld", (long long)axis);
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) shape[i >= a] = pcs_dim_product(n->im->g, shape[i >= a], v.shape[i]);
    n->out[0] = pcs_shaped(n, x, 2, shape);
}

void pcs_raise_squeeze(pcs_onnx_node *n)
{
    uint32_t count;
    const precis_value x = pcs_in(n, 0);
    const int64_t *axes = pcs_axes(n, "axes", 1, &count);
    bool gone[PCS_GRAPH_DIMS] = { false };
    int64_t shape[PCS_GRAPH_DIMS];
    uint32_t dims = 0;
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(axes[i], v.dims);
        if (a == v.dims || v.shape[a] != 1) {
            pcs_wrong(n, "dimension %lld is not one", (long long)axes[i]);
            return;
        }
        gone[a] = true;
    }
    for (uint32_t i = 0; i < v.dims; i++) {
        if (!count && pcs_dim_is_id(v.shape[i])) { /* it goes where its size is one, and stays elsewhere */
            pcs_refuse(n, "drops dimensions of one, and dimension %u has no size yet", i);
            return;
        }
        if (!(gone[i] || (!count && v.shape[i] == 1))) shape[dims++] = v.shape[i];
    }
    n->out[0] = pcs_shaped(n, x, dims, shape);
}

void pcs_raise_unsqueeze(pcs_onnx_node *n)
{
    uint32_t count;
    const precis_value x = pcs_in(n, 0);
    const int64_t *axes = pcs_axes(n, "axes", 1, &count);
    if (x >= 0 && !pcs_failed(n)) n->out[0] = pcs_unsqueezed(n, x, count, axes);
}

void pcs_raise_shape(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    const int64_t dims = v.dims;
    int64_t from = pcs_attr_int(n, "start", 0), to = pcs_attr_int(n, "end", dims);
    bool known = true;
    from = from < 0 ? from + dims : from;
    to = to < 0 ? to + dims : to;
    from = from < 0 ? 0 : from > dims ? dims : from;
    to = to < from ? from : to > dims ? dims : to;
    for (int64_t i = from; i < to; i++) known = known && !pcs_dim_is_id(v.shape[i]);
    if (known) n->out[0] = pcs_whole(n, (uint32_t)(to - from), v.shape + from);
    else n->out[0] = pcs_part(n, pcs_make1(n, "shape", NULL, x), 0, from, to - from);
}

void pcs_raise_size(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    int64_t count = 1;
    if (x < 0) return;
    for (uint32_t i = 0; i < pcs_of(n, x)->dims; i++) {
        if (pcs_dim_is_id(pcs_of(n, x)->shape[i])) {
            pcs_refuse(n, "asks for the size of a shape that has none yet");
            return;
        }
        count *= pcs_of(n, x)->shape[i];
    }
    n->out[0] = pcs_data(n, PCS_I64, 0, NULL, &count);
}

void pcs_raise_transpose(pcs_onnx_node *n)
{
    uint32_t count;
    const precis_value x = pcs_in(n, 0);
    const int64_t *perm = pcs_attr_ints(n, "perm", &count);
    int64_t back[PCS_GRAPH_DIMS];
    if (x < 0 || pcs_failed(n)) return;
    const uint32_t dims = pcs_of(n, x)->dims;
    for (uint32_t i = 0; i < dims; i++) back[i] = dims - 1 - i;
    if (count && count != dims) {
        pcs_wrong(n, "has an order of %u dimensions, not %u", count, dims);
        return;
    }
    n->out[0] = pcs_permuted(n, x, dims, count ? perm : back);
}

/* What NumPy's start:end:step takes of d elements. */
static void clamp(int64_t d, int64_t start, int64_t end, int64_t step, int64_t *from, int64_t *size)
{
    start = start < 0 ? start + d : start;
    end = end < 0 ? (end < -d - 1 ? -1 : end + d) : end;
    if (step > 0) {
        start = start < 0 ? 0 : start > d ? d : start;
        end = end < 0 ? 0 : end > d ? d : end;
        *size = end > start ? (end - start - 1) / step + 1 : 0;
    } else {
        start = start < 0 ? (d ? -1 : 0) : start > d - 1 ? d - 1 : start;
        end = end < -1 ? -1 : end > d - 1 ? d - 1 : end;
        *size = start > end ? (start - end - 1) / (step == INT64_MIN ? INT64_MAX : -step) + 1 : 0;
    }
    *from = *size ? start : 0;
}

void pcs_raise_slice(pcs_onnx_node *n)
{
    uint32_t ns, ne, na, nt;
    const precis_value x = pcs_in(n, 0);
    const int64_t *starts = pcs_axes(n, "starts", 1, &ns), *ends = pcs_axes(n, "ends", 2, &ne),
                  *axes = pcs_axes(n, "axes", 3, &na), *steps = pcs_axes(n, "steps", 4, &nt);
    int64_t from[PCS_GRAPH_DIMS], size[PCS_GRAPH_DIMS], step[PCS_GRAPH_DIMS];
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    if (ns != ne || (na && na != ns) || (nt && nt != ns) || ns > v.dims) {
        pcs_wrong(n, "has %u starts and %u ends for %u dimensions", ns, ne, v.dims);
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++) from[i] = 0, size[i] = v.shape[i], step[i] = 1;
    for (uint32_t i = 0; i < ns; i++) {
        const uint32_t a = pcs_axis(na ? axes[i] : i, v.dims);
        if (a == v.dims || (nt && steps[i] == 0)) {
            pcs_wrong(n, "axis %lld is not there, or its step is zero", (long long)(na ? axes[i] : i));
            return;
        }
        step[a] = nt ? steps[i] : 1;
        const int64_t d = v.shape[a], open = 1000000000; /* exporters say "to the end" so, too */
        if (!pcs_dim_is_id(d) && !pcs_dim_is_id(starts[i]) && !pcs_dim_is_id(ends[i]))
            clamp(d, starts[i], ends[i], step[a], &from[a], &size[a]);
        else if (pcs_dim_is_id(starts[i]) || step[a] != 1 || starts[i] < 0) {
            pcs_refuse(n, "takes a part of dimension %u, which has no size yet", a);
            return;
        } else {
            from[a] = starts[i];
            if (ends[i] == d || ends[i] >= open) size[a] = pcs_dim_linear(n->im->g, d, 1, -starts[i], 1);
            else if (pcs_dim_is_id(ends[i])) size[a] = pcs_dim_linear(n->im->g, ends[i], 1, -starts[i], 1);
            else if (ends[i] < 0) size[a] = pcs_dim_linear(n->im->g, d, 1, ends[i] - starts[i], 1);
            else size[a] = pcs_dim_linear(n->im->g, pcs_dim_least(n->im->g, d, ends[i]), 1, -starts[i], 1);
        }
    }
    n->out[0] =
        pcs_make1(n, "slice",
                  PRECIS_ATTRS(precis_attr_list("starts", v.dims, from), precis_attr_list("sizes", v.dims, size),
                               precis_attr_list("steps", v.dims, step)),
                  x);
}

void pcs_raise_split(pcs_onnx_node *n)
{
    uint32_t count;
    const precis_value x = pcs_in(n, 0);
    const int64_t *sizes = pcs_axes(n, "split", 1, &count), axis = pcs_attr_int(n, "axis", 0);
    const int64_t parts = pcs_attr_int(n, "num_outputs", n->n_out);
    int64_t at = 0;
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    const uint32_t a = pcs_axis(axis, v.dims);
    if (a == v.dims) {
        pcs_wrong(n, "has no axis %lld", (long long)axis);
        return;
    }
    if (count ? count != n->n_out : parts != n->n_out) {
        pcs_wrong(n, "has %u results, not %lld", n->n_out, (long long)(count ? count : parts));
        return;
    }
    const int64_t d = v.shape[a];
    if (pcs_dim_is_id(d)) {
        pcs_refuse(n, "splits dimension %u, which has no size yet", a);
        return;
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        const int64_t each = (d + parts - 1) / parts, size = count ? sizes[i] : d - at < each ? d - at : each;
        if (size < 0 || size > d - at) {
            pcs_wrong(n, "part %u has %lld of %lld elements", i, (long long)size, (long long)d);
            return;
        }
        n->out[i] = pcs_part(n, x, a, size ? at : 0, size);
        at += size;
    }
    if (at != d && !pcs_failed(n)) pcs_wrong(n, "its parts have %lld of %lld elements", (long long)at, (long long)d);
}

void pcs_raise_concat(pcs_onnx_node *n)
{
    precis_value *v = pcs_room(n, n->n_in, sizeof *v);
    const int64_t axis = pcs_attr_int(n, "axis", 1);
    uint32_t count = 0;
    for (uint32_t i = 0; v && i < n->n_in; i++)
        if ((v[count++] = pcs_in(n, i)) < 0) return;
    if (!v || !count) {
        pcs_wrong(n, "has no inputs");
        return;
    }
    if (pcs_axis(axis, pcs_of(n, v[0])->dims) == pcs_of(n, v[0])->dims) {
        pcs_wrong(n, "has no axis %lld", (long long)axis);
        return;
    }
    n->out[0] = pcs_joined(n, count, v, axis);
}

void pcs_raise_gather(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0), ids = pcs_in(n, 1);
    const int64_t axis = pcs_attr_int(n, "axis", 0);
    if (x < 0 || ids < 0) return;
    /* gather carries dimensions that have no size yet */
    const bool known = pcs_of(n, x)->known && !pcs_value_is_known(pcs_of(n, x));
    n->out[0] = known && axis == 0 ? pcs_make2(n, "gather", NULL, x, ids)
                                   : pcs_make2(n, n->row->with, PRECIS_ATTRS(precis_attr_int("axis", axis)), x, ids);
}

void pcs_raise_gather_nd(pcs_onnx_node *n)
{
    const int64_t batch = pcs_attr_int(n, "batch_dims", 0);
    n->out[0] = pcs_make2(n, "take_at", PRECIS_ATTRS(precis_attr_int("batch", batch)), pcs_in(n, 0), pcs_in(n, 1));
}

void pcs_raise_scatter(pcs_onnx_node *n)
{
    const int64_t axis = pcs_attr_int(n, "axis", 0);
    const char *how = pcs_attr_text(n, "reduction", "none");
    n->out[0] = pcs_make3(n, "put_each", PRECIS_ATTRS(precis_attr_int("axis", axis), precis_attr_text("how", how)),
                          pcs_in(n, 0), pcs_in(n, 1), pcs_in(n, 2));
}

void pcs_raise_scatter_nd(pcs_onnx_node *n)
{
    const char *how = pcs_attr_text(n, "reduction", "none");
    n->out[0] =
        pcs_make3(n, "put_at", PRECIS_ATTRS(precis_attr_text("how", how)), pcs_in(n, 0), pcs_in(n, 1), pcs_in(n, 2));
}

void pcs_raise_expand(pcs_onnx_node *n)
{
    uint32_t count;
    const int64_t *shape = pcs_axes(n, "shape", 1, &count);
    if (pcs_failed(n)) return;
    n->out[0] = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", count, shape)), pcs_in(n, 0));
}

static precis_value padded(pcs_onnx_node *n, precis_value x, const int64_t *pads, const char *mode, precis_value value)
{
    const uint32_t dims = pcs_of(n, x)->dims;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    return pcs_make2(n, "pad", PRECIS_ATTRS(precis_attr_list("pads", 2 * dims, pads), precis_attr_text("mode", mode)),
                     x, value < 0 ? pcs_numbers(n, d, 0) : value);
}

void pcs_raise_tile(pcs_onnx_node *n)
{
    uint32_t count;
    int64_t pads[2 * PCS_GRAPH_DIMS] = { 0 };
    bool empty = false;
    const precis_value x = pcs_in(n, 0);
    const int64_t *times = pcs_axes(n, "repeats", 1, &count);
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    if (count != v.dims) {
        pcs_wrong(n, "has %u repeats for %u dimensions", count, v.dims);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (times[i] < 0 || pcs_dim_is_id(times[i]) || (pcs_dim_is_id(v.shape[i]) && times[i] != 1)) {
            pcs_refuse(n, "repeats dimension %u, which has no size yet, or by a negative number", i);
            return;
        }
        if (times[i] == 1) continue;
        empty = empty || v.shape[i] == 0;
        if (!pcs_i64_mul(v.shape[i], times[i] - 1, &pads[count + i])) {
            pcs_wrong(n, "repeats dimension %u %lld times", i, (long long)times[i]);
            return;
        }
    }
    n->out[0] = padded(n, x, pads, empty ? "constant" : "wrap", -1);
}

void pcs_raise_pad(pcs_onnx_node *n)
{
    uint32_t np, na;
    int64_t all[2 * PCS_GRAPH_DIMS] = { 0 };
    precis_value x = pcs_in(n, 0), value = pcs_has(n, 2) ? n->in[2] : -1;
    const int64_t *pads = pcs_axes(n, pcs_has_attr(n, "paddings") ? "paddings" : "pads", 1, &np),
                  *axes = pcs_axes(n, "axes", 3, &na);
    const char *mode = pcs_attr_text(n, "mode", "constant");
    if (x < 0 || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    const uint32_t count = na ? na : v.dims;
    if (np != 2 * count || count > v.dims) {
        pcs_wrong(n, "has %u pads for %u dimensions", np, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(na ? axes[i] : i, v.dims);
        if (a == v.dims || pcs_dim_is_id(pads[i]) || pcs_dim_is_id(pads[count + i])) {
            pcs_wrong(n, "pads axis %u, which is not there, or by sizes that are not known", i);
            return;
        }
        all[a] = pads[i];
        all[v.dims + a] = pads[count + i];
    }
    if (pcs_has_attr(n, "value")) value = pcs_numbers(n, v.dtype, pcs_attr_real(n, "value", 0));
    n->out[0] = padded(n, x, all, mode, value);
}

/* x[b, c, h, w] with channels shared out over blocks, or back. */
void pcs_raise_depth(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    const int64_t b = pcs_attr_int(n, "blocksize", 0);
    const bool to_space = n->row->with[0] == 's', crd = !strcmp(pcs_attr_text(n, "mode", "DCR"), "CRD");
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims != 4 || b < 1 || b > 1024 || pcs_dim_is_id(v.shape[1]) ||
        (to_space ? v.shape[1] % (b * b)
                  : pcs_dim_is_id(v.shape[2]) || pcs_dim_is_id(v.shape[3]) || v.shape[2] % b || v.shape[3] % b)) {
        pcs_wrong(n, "takes x[b, c, h, w] that its blocks of %lld divide", (long long)b);
        return;
    }
    const int64_t c = v.shape[1], h = v.shape[2], w = v.shape[3];
    if (to_space) {
        const int64_t dcr[] = { v.shape[0], b, b, c / (b * b), h, w }, own[] = { v.shape[0], c / (b * b), b, b, h, w };
        const int64_t dcr_perm[] = { 0, 3, 4, 1, 5, 2 }, own_perm[] = { 0, 1, 4, 2, 5, 3 };
        const int64_t out[] = { v.shape[0], c / (b * b), pcs_dim_linear(n->im->g, h, b, 0, 1),
                                pcs_dim_linear(n->im->g, w, b, 0, 1) };
        n->out[0] =
            pcs_shaped(n, pcs_permuted(n, pcs_shaped(n, x, 6, crd ? own : dcr), 6, crd ? own_perm : dcr_perm), 4, out);
        return;
    }
    const int64_t in[] = { v.shape[0], c, h / b, b, w / b, b }, perm[] = { 0, 3, 5, 1, 2, 4 },
                  out[] = { v.shape[0], c * b * b, h / b, w / b };
    n->out[0] = pcs_shaped(n, pcs_permuted(n, pcs_shaped(n, x, 6, in), 6, perm), 4, out);
}

/* ---- constants ---------------------------------------------------------------------------------- */

void pcs_raise_constant(pcs_onnx_node *n)
{
    uint32_t count;
    if (pcs_has_attr(n, "sparse_value")) {
        pcs_refuse(n, "is sparse");
        return;
    }
    if (pcs_has_attr(n, "value_string") || pcs_has_attr(n, "value_strings")) {
        pcs_refuse(n, "is text");
        return;
    }
    if (pcs_has_attr(n, "value")) n->out[0] = pcs_attr_value(n, "value");
    else if (pcs_has_attr(n, "value_int"))
        n->out[0] = pcs_data(n, PCS_I64, 0, NULL, (const int64_t[]){ pcs_attr_int(n, "value_int", 0) });
    else if (pcs_has_attr(n, "value_float"))
        n->out[0] = pcs_data(n, PCS_F32, 0, NULL, (const float[]){ (float)pcs_attr_real(n, "value_float", 0) });
    else if (pcs_has_attr(n, "value_ints")) {
        const int64_t *v = pcs_attr_ints(n, "value_ints", &count);
        n->out[0] = v ? pcs_whole(n, count, v) : -1;
    } else {
        const float *v = pcs_attr_reals(n, "value_floats", &count);
        n->out[0] = v ? pcs_data(n, PCS_F32, 1, (const int64_t[]){ count }, v) : pcs_wrong(n, "has no value");
    }
}

void pcs_raise_constant_of(pcs_onnx_node *n)
{
    int64_t count = 0;
    const int64_t *shape = pcs_contents(n, pcs_in(n, 0), &count);
    precis_value v = pcs_has_attr(n, "value") ? pcs_attr_value(n, "value") : pcs_numbers(n, PCS_F32, 0);
    if (!shape || v < 0 || pcs_failed(n)) return;
    if (count > PCS_GRAPH_DIMS) {
        pcs_refuse(n, "gives %lld dimensions, at most %d", (long long)count, PCS_GRAPH_DIMS);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        if (shape[i] < 0 && !pcs_dim_is_id(shape[i])) {
            pcs_wrong(n, "dimension %lld is %lld", (long long)i, (long long)shape[i]);
            return;
        }
    v = pcs_shaped(n, v, 0, NULL);
    n->out[0] = pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", (uint32_t)count, shape)), v);
}

static precis_value numbered(pcs_onnx_node *n, int64_t count)
{
    int64_t *v = pcs_room(n, (size_t)count, sizeof *v);
    for (int64_t i = 0; v && i < count; i++) v[i] = i;
    return v ? pcs_whole(n, (uint32_t)count, v) : -1;
}

/* Column minus row of a matrix, I64[rows, columns]. */
static precis_value diagonal(pcs_onnx_node *n, int64_t rows, int64_t columns)
{
    if (rows < 0 || columns < 0 || rows > (int64_t)1 << 31 || columns > (int64_t)1 << 31)
        return pcs_refuse(n, "takes matrices whose sizes are known");
    return pcs_make2(n, "sub", NULL, numbered(n, columns),
                     pcs_shaped(n, numbered(n, rows), 2, (const int64_t[]){ rows, 1 }));
}

void pcs_raise_eye(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    const int64_t k = pcs_attr_int(n, "k", 0);
    pcs_dtype d = x < 0 ? PCS_F32 : pcs_of(n, x)->dtype;
    if (x < 0 || pcs_of(n, x)->dims != 2) {
        pcs_wrong(n, "takes a matrix");
        return;
    }
    if (pcs_has_attr(n, "dtype") && !pcs_onnx_dtype(pcs_attr_int(n, "dtype", 1), &d)) {
        pcs_refuse(n, "has another type");
        return;
    }
    n->out[0] = pcs_as(n,
                       pcs_make2(n, "equal", NULL, diagonal(n, pcs_of(n, x)->shape[0], pcs_of(n, x)->shape[1]),
                                 pcs_data(n, PCS_I64, 0, NULL, &k)),
                       d);
}

void pcs_raise_tri(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    int64_t count = 1, k = 0;
    const int64_t *given = pcs_has(n, 1) ? pcs_contents(n, n->in[1], &count) : &k;
    const bool upper = pcs_attr_int(n, "upper", 1) != 0;
    if (x < 0 || !given || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims < 2 || count != 1) {
        pcs_wrong(n, "takes matrices");
        return;
    }
    k = *given;
    n->out[0] =
        pcs_make3(n, "where", NULL,
                  pcs_make2(n, upper ? "greater_equal" : "less_equal", NULL,
                            diagonal(n, v.shape[v.dims - 2], v.shape[v.dims - 1]), pcs_data(n, PCS_I64, 0, NULL, &k)),
                  x, pcs_numbers(n, v.dtype, 0));
}

void pcs_raise_one_hot(pcs_onnx_node *n)
{
    precis_value ids = pcs_in(n, 0);
    int64_t count = 0, axis = pcs_attr_int(n, "axis", -1), shape[PCS_GRAPH_DIMS];
    const int64_t *given = pcs_contents(n, pcs_in(n, 1), &count);
    if (ids < 0 || !given || pcs_in(n, 2) < 0) return;
    if (count != 1) {
        pcs_wrong(n, "has %lld depths", (long long)count);
        return;
    }
    const int64_t depth = *given;
    const uint32_t dims = pcs_of(n, ids)->dims + 1, a = pcs_axis(axis, dims);
    if (a == dims || dims > PCS_GRAPH_DIMS || depth < 0 || depth > (int64_t)1 << 31) {
        pcs_wrong(n, "has no axis %lld, or a depth of %lld", (long long)axis, (long long)depth);
        return;
    }
    ids = pcs_as(n, ids, PCS_I64);
    const precis_value zero = pcs_data(n, PCS_I64, 0, NULL, (const int64_t[]){ 0 }),
                       most = pcs_data(n, PCS_I64, 0, NULL, &depth);
    ids =
        pcs_make3(n, "where", NULL, pcs_make2(n, "less", NULL, ids, zero), pcs_make2(n, "add", NULL, ids, most), ids);
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == a ? depth : 1;
    const precis_value at =
        pcs_make2(n, "equal", NULL, pcs_unsqueezed(n, ids, 1, &axis), pcs_shaped(n, numbered(n, depth), dims, shape));
    n->out[0] = pcs_make3(n, "where", NULL, at, pcs_part(n, n->in[2], 0, 1, 1), pcs_part(n, n->in[2], 0, 0, 1));
}

void pcs_raise_top_k(pcs_onnx_node *n)
{
    uint32_t count = 1;
    const bool attr = pcs_has_attr(n, "k");
    const int64_t own = pcs_attr_int(n, "k", 0), *k = attr ? &own : pcs_axes(n, "k", 1, &count);
    const int64_t axis = pcs_attr_int(n, "axis", -1), largest = pcs_attr_int(n, "largest", 1);
    pcs_attr_int(n, "sorted", 1);
    if (pcs_failed(n) || count != 1 || !k) {
        pcs_wrong(n, "k is not one number");
        return;
    }
    n->out[0] = pcs_make1(
        n, "top_k",
        PRECIS_ATTRS(precis_attr_int("k", *k), precis_attr_int("axis", axis), precis_attr_int("least", !largest)),
        pcs_in(n, 0));
    if (n->n_out > 1) n->out[1] = pcs_second(n, n->out[0], 1);
}

/* Rows of each sequence turned around up to its length: indices made of lengths. */
void pcs_raise_reverse(pcs_onnx_node *n)
{
    precis_value x = pcs_in(n, 0), lengths = pcs_in(n, 1);
    const int64_t time = pcs_attr_int(n, "time_axis", 0), batch = pcs_attr_int(n, "batch_axis", 1);
    int64_t line[PCS_GRAPH_DIMS], across[PCS_GRAPH_DIMS], full[PCS_GRAPH_DIMS];
    if (x < 0 || lengths < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (v.dims < 2 || time == batch || (time | batch) < 0 || time > 1 || batch > 1) {
        pcs_wrong(n, "has no such axes");
        return;
    }
    if (pcs_dim_is_id(v.shape[time])) {
        pcs_refuse(n, "turns a dimension around that has no size yet");
        return;
    }
    for (uint32_t i = 0; i < v.dims; i++)
        line[i] = i == time ? v.shape[i] : 1, across[i] = i == batch ? v.shape[i] : 1, full[i] = v.shape[i];
    const precis_value t = pcs_shaped(n, numbered(n, v.shape[time]), v.dims, line),
                       l = pcs_shaped(n, pcs_as(n, lengths, PCS_I64), v.dims, across);
    const precis_value back = pcs_make2(n, "sub", NULL, pcs_make2(n, "sub", NULL, l, t),
                                        pcs_data(n, PCS_I64, 0, NULL, (const int64_t[]){ 1 }));
    const precis_value at = pcs_make3(n, "where", NULL, pcs_make2(n, "less", NULL, t, l), back, t);
    n->out[0] = pcs_make2(n, "take_each", PRECIS_ATTRS(precis_attr_int("axis", time)), x,
                          pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", v.dims, full)), at));
}

void pcs_raise_crop(pcs_onnx_node *n)
{
    uint32_t na;
    int64_t count = 0, pads[2 * PCS_GRAPH_DIMS] = { 0 };
    const precis_value x = pcs_in(n, 0);
    const int64_t *to = pcs_contents(n, pcs_in(n, 1), &count), *axes = pcs_attr_ints(n, "axes", &na);
    if (x < 0 || !to || pcs_failed(n)) return;
    const pcs_value v = *pcs_of(n, x);
    if (count != (na ? na : v.dims)) {
        pcs_wrong(n, "has %lld sizes", (long long)count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t a = pcs_axis(na ? axes[i] : i, v.dims);
        if (a == v.dims || pcs_dim_is_id(v.shape[a]) || to[i] < 0) {
            pcs_wrong(n, "has no axis %u of a known size", i);
            return;
        }
        const int64_t more = to[i] - v.shape[a],
                      before = more < 0 ? -(-more / 2)
                                        : more / 2; /* what is odd goes to the end, as it is cut there first */
        pads[a] = before;
        pads[v.dims + a] = more - before;
    }
    n->out[0] = padded(n, x, pads, "constant", -1);
}
