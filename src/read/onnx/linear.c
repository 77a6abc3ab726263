/* linear.c - products of matrices, in numbers and in codes. */
#include "read/onnx/functions.h"

/* A vector is a row on the left and a column on the right; its dimension goes again. op: its operands are a and b, and
 * what stands after them in `in`. */
static precis_value of_matrices(pcs_onnx_node *n, const char *op, uint32_t count, precis_value *in)
{
    static const int64_t first = 0, last = -1;
    for (uint32_t i = 0; i < 2; i++)
        if (in[i] < 0) return -1;
    const bool row = pcs_of(n, in[0])->dims == 1, column = pcs_of(n, in[1])->dims == 1;
    if (row) in[0] = pcs_unsqueezed(n, in[0], 1, &first);
    if (column) in[1] = pcs_unsqueezed(n, in[1], 1, &last);
    precis_value y = pcs_make(n, op, NULL, count, in);
    if (y < 0 || !(row || column)) return y;
    const pcs_value v = *pcs_of(n, y);
    int64_t shape[PCS_GRAPH_DIMS];
    uint32_t dims = 0;
    for (uint32_t i = 0; i < v.dims; i++)
        if (!(row && i == v.dims - 2) && !(column && i == v.dims - 1)) shape[dims++] = v.shape[i];
    return pcs_shaped(n, y, dims, shape);
}

static precis_value product(pcs_onnx_node *n, precis_value a, precis_value b)
{
    return of_matrices(n, "product", 2, (precis_value[]){ a, b });
}

void pcs_raise_matmul(pcs_onnx_node *n)
{
    precis_value a = pcs_weight_in(n, 0), b = pcs_weight_in(n, 1);
    if (a < 0 || b < 0) return;
    const pcs_dtype d = pcs_of(n, a)->dtype;
    if (d == PCS_F16 || d == PCS_BF16) a = pcs_f32(n, a), b = pcs_f32(n, b);
    n->out[0] = pcs_as(n, product(n, a, b), d);
}

void pcs_raise_gemm(pcs_onnx_node *n)
{
    precis_value a = pcs_in(n, 0), b = pcs_weight_in(n, 1), c = pcs_has(n, 2) ? pcs_weight_in(n, 2) : -1;
    const double alpha = pcs_attr_real(n, "alpha", 1), beta = pcs_attr_real(n, "beta", 1);
    const bool ta = pcs_attr_int(n, "transA", 0) != 0, tb = pcs_attr_int(n, "transB", 0) != 0;
    pcs_has_attr(n, "broadcast");
    if (a < 0 || b < 0) return;
    const pcs_dtype d = pcs_of(n, a)->dtype;
    if (pcs_of(n, a)->dims != 2 || pcs_of(n, b)->dims != 2) {
        pcs_wrong(n, "takes matrices");
        return;
    }
    if (d == PCS_F16 || d == PCS_BF16) a = pcs_f32(n, a), b = pcs_f32(n, b), c = pcs_f32(n, c);
    if (pcs_failed(n)) return;
    if (ta) a = pcs_swapped(n, a);
    const bool bias = c < 0 || (pcs_of(n, c)->dims == 1 && pcs_of(n, c)->shape[0] == pcs_of(n, b)->shape[tb ? 0 : 1]);
    if (alpha == 1 && (beta == 1 || c < 0) && bias && pcs_of(n, a)->dtype == PCS_F32 &&
        (tb || pcs_value_is_known(pcs_of(n, b)))) { /* rows of weights, as matmul has them */
        const precis_value in[] = { a, tb ? b : pcs_swapped(n, b), c };
        n->out[0] = pcs_as(n, pcs_make(n, "matmul", NULL, c < 0 ? 2 : 3, in), d);
        return;
    }
    precis_value y = product(n, a, tb ? pcs_swapped(n, b) : b);
    if (y < 0) return;
    const pcs_dtype in = pcs_of(n, y)->dtype;
    if (alpha != 1) y = pcs_make2(n, "mul", NULL, y, pcs_numbers(n, in, alpha));
    if (c >= 0 && beta != 1) c = pcs_make2(n, "mul", NULL, c, pcs_numbers(n, in, beta));
    n->out[0] = pcs_as(n, c >= 0 ? pcs_make2(n, "add", NULL, y, c) : y, d);
}

void pcs_raise_det(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    if (x < 0) return;
    const pcs_dtype d = pcs_of(n, x)->dtype;
    n->out[0] = pcs_as(n, pcs_make1(n, "det", NULL, d == PCS_F64 ? x : pcs_f32(n, x)), d);
}

/* Zero points of rows and columns spread; a vector on either side gets its second dimension first. */
static precis_value whole(pcs_onnx_node *n, precis_value a, precis_value b, precis_value za, precis_value zb)
{
    return of_matrices(n, "product_whole", 4, (precis_value[]){ a, b, za, zb });
}

static precis_value zero_of(pcs_onnx_node *n, uint32_t i, precis_value like)
{
    return pcs_has(n, i) ? n->in[i] : like < 0 ? -1 : pcs_numbers(n, pcs_of(n, like)->dtype, 0);
}

void pcs_raise_matmul_whole(pcs_onnx_node *n)
{
    const precis_value a = pcs_in(n, 0), b = pcs_in(n, 1);
    n->out[0] = whole(n, a, b, zero_of(n, 2, a), zero_of(n, 3, b));
}

/* A scale of a constant must be one: above zero, finite. */
precis_value pcs_scale_of(pcs_onnx_node *n, uint32_t i)
{
    const precis_value v = pcs_in(n, i);
    if (v < 0 || !pcs_value_host(pcs_of(n, v))) return v;
    const pcs_value *x = pcs_of(n, v);
    const pcs_arg a = pcs_value_arg(x);
    const int64_t count = pcs_arg_count(&a);
    for (int64_t k = 0; k < count; k++) {
        const double s = pcs_real_at(&a, (size_t)k);
        if (!(s > 0) || s > 1.7e308)
            return pcs_wrong(n, "scale %lld of %s is %g; scales are above zero and finite", (long long)k, x->name, s);
    }
    return v;
}

void pcs_raise_qlinear_matmul(pcs_onnx_node *n)
{
    const precis_value a = pcs_in(n, 0), sa = pcs_f32(n, pcs_scale_of(n, 1)), za = zero_of(n, 2, a), b = pcs_in(n, 3),
                       sb = pcs_f32(n, pcs_scale_of(n, 4)), zb = zero_of(n, 5, b), sy = pcs_f32(n, pcs_scale_of(n, 6)),
                       zy = zero_of(n, 7, a);
    const precis_value factor = pcs_make2(n, "div", NULL, pcs_make2(n, "mul", NULL, sa, sb), sy);
    n->out[0] = pcs_make3(n, "requantize", NULL, whole(n, a, b, za, zb), factor, zy);
}

void pcs_raise_qlinear_conv(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0), sx = pcs_scale_of(n, 1), xz = zero_of(n, 2, x), w = pcs_in(n, 3),
                       sw = pcs_scale_of(n, 4), wz = zero_of(n, 5, w), sy = pcs_scale_of(n, 6), zy = zero_of(n, 7, x);
    pcs_sliding o;
    const int64_t groups = pcs_attr_int(n, "group", 1);
    if (w < 0 || xz < 0 || wz < 0 || zy < 0 || sw < 0 || !pcs_read_windows(n, x, w, false, &o)) return;
    const precis_attr attrs[] = { precis_attr_list("strides", o.dims, o.strides),
                                  precis_attr_list("pads", 2 * o.dims, o.pads),
                                  precis_attr_list("dilations", o.dims, o.dilations),
                                  precis_attr_int("groups", groups),
                                  { 0 } };
    precis_value y = pcs_make(n, "conv_whole", attrs, 4, (const precis_value[]){ x, w, xz, wz });
    int64_t per[PCS_GRAPH_DIMS], one[PCS_GRAPH_DIMS];
    if (y < 0) return;
    const uint32_t dims = pcs_of(n, y)->dims;
    for (uint32_t i = 0; i < dims; i++) per[i] = i == 1 ? pcs_of(n, w)->shape[0] : 1, one[i] = 1;
    if (pcs_has(n, 8)) {
        if (pcs_of(n, n->in[8])->dims != 1) {
            pcs_wrong(n, "its bias has %u dimensions, not one number for each channel", pcs_of(n, n->in[8])->dims);
            return;
        }
        y = pcs_make2(n, "add", NULL, y, pcs_shaped(n, n->in[8], dims, per));
    }
    precis_value factor = pcs_make2(n, "div", NULL, pcs_make2(n, "mul", NULL, sx, sw), sy);
    if (factor < 0) return;
    int64_t count = 1;
    for (uint32_t i = 0; i < pcs_of(n, factor)->dims; i++)
        count = pcs_dim_is_id(pcs_of(n, factor)->shape[i]) ? -1 : count * pcs_of(n, factor)->shape[i];
    factor = pcs_shaped(n, factor, dims, count == 1 ? one : per);
    n->out[0] = pcs_make3(n, "requantize", NULL, y, factor, zy);
}

/* ---- codes -------------------------------------------------------------------------------------- */

/* Scales of one axis as they spread over x; zeros of the same shape. */
static precis_value along(pcs_onnx_node *n, precis_value s, const pcs_value *x, int64_t axis, int64_t block)
{
    int64_t shape[PCS_GRAPH_DIMS];
    if (s < 0 || pcs_of(n, s)->dims != 1 || block || (pcs_of(n, s)->shape[0] == 1)) {
        return s >= 0 && pcs_of(n, s)->dims == 1 && !block ? pcs_shaped(n, s, 0, NULL) : s;
    }
    const uint32_t a = pcs_axis(axis, x->dims);
    if (a == x->dims) return pcs_wrong(n, "has no axis %lld", (long long)axis);
    for (uint32_t i = 0; i < x->dims; i++) shape[i] = i == a ? pcs_of(n, s)->shape[0] : 1;
    return pcs_shaped(n, s, x->dims, shape);
}

/* Zero points that are left out: as many as scales. */
static precis_value zeros(pcs_onnx_node *n, precis_value s, pcs_dtype d)
{
    if (s < 0) return -1;
    const pcs_value v = *pcs_of(n, s);
    return v.dims == 0
               ? pcs_numbers(n, d, 0)
               : pcs_make1(n, "expand", PRECIS_ATTRS(precis_attr_list("shape", v.dims, v.shape)), pcs_numbers(n, d, 0));
}

void pcs_raise_to_codes(pcs_onnx_node *n)
{
    const precis_value x = pcs_in(n, 0);
    precis_value s = pcs_scale_of(n, 1), z = pcs_has(n, 2) ? n->in[2] : -1;
    const int64_t axis = pcs_attr_int(n, "axis", 1), block = pcs_attr_int(n, "block_size", 0),
                  saturate = pcs_attr_int(n, "saturate", 1), type = pcs_attr_int(n, "output_dtype", 0),
                  precision = pcs_attr_int(n, "precision", 0);
    pcs_dtype to = PCS_U8, in = PCS_F32;
    if (x < 0 || s < 0 || block < 0) {
        pcs_wrong(n, "has blocks of %lld", (long long)block);
        return;
    }
    if (type && !pcs_onnx_dtype(type, &to)) {
        pcs_refuse(n, "gives data type %lld", (long long)type);
        return;
    }
    if (z >= 0) to = pcs_of(n, z)->dtype;
    if (precision && !pcs_onnx_dtype(precision, &in)) {
        pcs_refuse(n, "computes in data type %lld", (long long)precision);
        return;
    }
    const pcs_value v = *pcs_of(n, x);
    if (z < 0) z = zeros(n, s, to);
    s = along(n, s, &v, axis, block);
    z = along(n, z, &v, axis, block);
    const precis_value from = pcs_dtype_whole(v.dtype) ? pcs_as(n, x, PCS_F32) : x;
    n->out[0] = pcs_make3(n, "to_codes",
                          PRECIS_ATTRS(precis_attr_int("to", to),
                                       precis_attr_int("saturate", pcs_saturates(to, saturate)),
                                       precis_attr_int("axis", axis), precis_attr_int("block", block)),
                          from, s, z);
}

/* Are constant codes of 32 bits such of 8? Those are what engines must not take for codes of a net in integers
 * (write/onnx/codes.c). Sums of a bias, which are a vector, are none. */
static bool is_wide(pcs_onnx_node *n, precis_value x)
{
    const pcs_value *v = pcs_of(n, x);
    uint64_t count = 1;
    for (uint32_t i = 0; i < v->dims; i++) count *= (uint64_t)v->shape[i];
    const int32_t *codes = v->dtype == PCS_I32 && v->dims > 1 ? pcs_value_elements(v, PCS_I32, count) : NULL;
    uint64_t fit = 0;
    while (codes && fit < count && codes[fit] >= -128 && codes[fit] <= 127) fit++;
    return codes && count && fit == count;
}

void pcs_raise_from_codes(pcs_onnx_node *n)
{
    precis_value x = pcs_in(n, 0);
    precis_value s = pcs_scale_of(n, 1), z = pcs_has(n, 2) ? n->in[2] : -1;
    const int64_t axis = pcs_attr_int(n, "axis", 1), block = pcs_attr_int(n, "block_size", 0),
                  type = pcs_attr_int(n, "output_dtype", 0);
    pcs_dtype to = PCS_F32;
    if (x < 0 || s < 0 || block < 0) {
        pcs_wrong(n, "has blocks of %lld", (long long)block);
        return;
    }
    if (type && !pcs_onnx_dtype(type, &to)) {
        pcs_refuse(n, "gives data type %lld", (long long)type);
        return;
    }
    if (z < 0 && is_wide(n, x)) x = pcs_as(n, x, PCS_I8);
    if (x < 0) return;
    const pcs_value v = *pcs_of(n, x);
    if (z < 0) z = zeros(n, s, v.dtype);
    s = along(n, s, &v, axis, block);
    z = along(n, z, &v, axis, block);
    n->out[0] = pcs_make3(n, "from_codes",
                          PRECIS_ATTRS(precis_attr_int("to", type ? (int64_t)to : -1), precis_attr_int("axis", axis),
                                       precis_attr_int("block", block)),
                          x, s, z);
}

/* u8 codes, scale and zero point of whatever comes: from the pieces that ONNX defines them by. */
void pcs_dynamic_codes(pcs_onnx_node *n, precis_value x, precis_value *out)
{
    int64_t axes[PCS_GRAPH_DIMS];
    out[0] = out[1] = out[2] = -1;
    if (x < 0) return;
    const uint32_t dims = pcs_of(n, x)->dims;
    for (uint32_t i = 0; i < dims; i++) axes[i] = i;
    const precis_value zero = pcs_numbers(n, PCS_F32, 0), full = pcs_numbers(n, PCS_F32, 255);
    const precis_value hi = pcs_make2(n, "max", NULL, pcs_reduced(n, x, "max", dims, axes, false), zero),
                       lo = pcs_make2(n, "min", NULL, pcs_reduced(n, x, "min", dims, axes, false), zero);
    const precis_value range = pcs_make2(n, "sub", NULL, hi, lo);
    const precis_value some =
        pcs_make3(n, "where", NULL, pcs_make2(n, "equal", NULL, range, zero), pcs_numbers(n, PCS_F32, 1), range);
    const precis_value scale = pcs_make2(n, "div", NULL, some, full);
    const precis_value at = pcs_make2(n, "sub", NULL, zero, pcs_make2(n, "div", NULL, lo, scale));
    out[1] = scale;
    out[2] = pcs_as(
        n, pcs_make1(n, "round", NULL, pcs_make2(n, "min", NULL, pcs_make2(n, "max", NULL, at, zero), full)), PCS_U8);
    out[0] = pcs_make3(n, "to_codes", PRECIS_ATTRS(precis_attr_int("to", PCS_U8)), x, scale, out[2]);
}

void pcs_raise_dynamic(pcs_onnx_node *n)
{
    precis_value q[3];
    pcs_dynamic_codes(n, pcs_in(n, 0), q);
    for (uint32_t i = 0; i < n->n_out && i < 3; i++) n->out[i] = q[i];
}
