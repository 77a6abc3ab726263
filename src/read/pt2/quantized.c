/* quantized.c - quantize and dequantize as torch's quantizers write them
 * (quantized_decomposed): codes within bounds that may be narrower than their
 * type's, which is what to_codes and from_codes do, then a clamp. */
#include "read/pt2/aten.h"

#include "base/fmath_more.h"

typedef struct {
    precis_value x, scale, zero;
    int64_t axis, low, high;
    pcs_dtype type;
} coding;

static bool bounds_of(pcs_dtype d, int64_t *low, int64_t *high)
{
    const int bits = (int)pcs_dtype_bits(d);
    if (bits > 32 || !pcs_dtype_whole(d)) return false;
    const bool sign = pcs_domain_of(d) == PCS_IN_I64;
    *low = sign ? -((int64_t)1 << (bits - 1)) : 0;
    *high = sign ? ((int64_t)1 << (bits - 1)) - 1 : ((int64_t)1 << bits) - 1;
    return true;
}

/* Zero points that are known are codes of the type: another would be wrapped into one. */
static void check_zero(pcs_aten *c, precis_value v, pcs_dtype d)
{
    int64_t low = 0, high = 0;
    if (v < 0 || !pcs_value_host(pcs_of(&c->n, v)) || !bounds_of(d, &low, &high)) return;
    const pcs_value *x = pcs_of(&c->n, v);
    const pcs_arg a = pcs_value_arg(x);
    const int64_t count = pcs_arg_count(&a);
    for (int64_t i = 0; i < count && !pcs_failed(&c->n); i++) {
        const double z = pcs_dtype_whole(x->dtype) ? (double)pcs_int_at(&a, (size_t)i) : pcs_real_at(&a, (size_t)i);
        if (!(z >= (double)low && z <= (double)high))
            pcs_wrong(&c->n, "zero point %lld is %g, no code of %s", (long long)i, z, pcs_dtype_name(d));
    }
}

/* A scale or zero point: a number, or a tensor; along the axis when it is one
 * of each channel. */
static precis_value parameter(pcs_aten *c, const char *name, pcs_dtype d, precis_value x, int64_t axis)
{
    const pcs_operand p = pcs_arg_operand(c, name);
    check_zero(c, pcs_dtype_whole(d) ? p.v : -1, d);
    precis_value v = pcs_as(&c->n, p.v, d);
    int64_t shape[PCS_GRAPH_DIMS];
    if (v < 0 || x < 0) return -1;
    if (axis < 0) return pcs_shaped(&c->n, v, 0, NULL);
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    if (pcs_of(&c->n, v)->dims != 1) return pcs_wrong(&c->n, "%s is no vector", name);
    for (uint32_t i = 0; i < dims; i++) shape[i] = i == axis ? pcs_of(&c->n, v)->shape[0] : 1;
    return pcs_shaped(&c->n, v, dims, shape);
}

/* Constant scales are above zero and finite. */
static void check_scale(pcs_aten *c, precis_value v)
{
    if (v < 0 || !pcs_value_host(pcs_of(&c->n, v))) return;
    const pcs_value *x = pcs_of(&c->n, v);
    const pcs_arg a = pcs_value_arg(x);
    const int64_t count = pcs_arg_count(&a);
    for (int64_t i = 0; i < count; i++) {
        const double s = pcs_real_at(&a, (size_t)i);
        if (s > 0 && s < PCS_INFINITY) continue;
        pcs_wrong(&c->n, "scale %lld is %g; scales are above zero and finite", (long long)i, s);
        return;
    }
}

/* "with": p per tensor, c per channel. */
static bool read_coding(pcs_aten *c, coding *o)
{
    const bool channel = c->row->with[0] == 'c';
    o->x = pcs_arg_tensor(c, "input");
    o->axis = channel && o->x >= 0 ? (int64_t)pcs_arg_axis(c, "axis", o->x) : -1;
    o->low = pcs_arg_int(c, "quant_min");
    o->high = pcs_arg_int(c, "quant_max");
    o->type = pcs_arg_type(c, "dtype", PCS_I8);
    if (pcs_failed(&c->n)) return false;
    int64_t low, high;
    if (!bounds_of(o->type, &low, &high) || o->low < low || o->high > high || o->low >= o->high)
        return pcs_wrong(&c->n, "codes from %lld to %lld are none of %s", (long long)o->low, (long long)o->high,
                         pcs_dtype_name(o->type)),
               false;
    o->scale = parameter(c, channel ? "scales" : "scale", PCS_F32, o->x, o->axis);
    o->zero = channel && !pcs_arg_given(c, "zero_points")
                  ? -1
                  : parameter(c, channel ? "zero_points" : "zero_point", o->type, o->x, o->axis);
    if (o->zero < 0 && o->scale >= 0 && !pcs_failed(&c->n)) {
        const pcs_value v = *pcs_of(&c->n, o->scale);
        o->zero = pcs_spread_to(c, pcs_numbers(&c->n, o->type, 0), v.dims, v.shape);
    }
    check_scale(c, o->scale);
    return !pcs_failed(&c->n);
}

void pcs_aten_quantize(pcs_aten *c)
{
    coding o;
    int64_t low = 0, high = 0;
    if (!read_coding(c, &o)) return;
    if (pcs_dtype_bytes(o.type) > 2) {
        pcs_refuse(&c->n, "gives codes of %s; those of up to 16 bits can be given", pcs_dtype_name(o.type));
        return;
    }
    precis_value q =
        pcs_make3(&c->n, "to_codes",
                  PRECIS_ATTRS(precis_attr_int("to", o.type), precis_attr_int("axis", o.axis < 0 ? 1 : o.axis)),
                  pcs_f32(&c->n, o.x), o.scale, o.zero);
    bounds_of(o.type, &low, &high);
    if (o.low > low) q = pcs_make2(&c->n, "max", NULL, q, pcs_numbers(&c->n, o.type, (double)o.low));
    if (o.high < high) q = pcs_make2(&c->n, "min", NULL, q, pcs_numbers(&c->n, o.type, (double)o.high));
    c->n.out[0] = q;
}

void pcs_aten_dequantize(pcs_aten *c)
{
    coding o;
    if (!read_coding(c, &o)) return;
    if (pcs_of(&c->n, o.x)->dtype != o.type) {
        pcs_wrong(&c->n, "takes %s, is given %s", pcs_dtype_name(o.type), pcs_dtype_name(pcs_of(&c->n, o.x)->dtype));
        return;
    }
    const pcs_dtype to = pcs_arg_type(c, "out_dtype", PCS_F32);
    const precis_value y = pcs_make3(
        &c->n, "from_codes", PRECIS_ATTRS(precis_attr_int("to", -1), precis_attr_int("axis", o.axis < 0 ? 1 : o.axis)),
        o.x, o.scale, o.zero);
    c->n.out[0] = pcs_as(&c->n, y, to);
}

/* Scale and zero point of what comes (torch/ao/quantization/fx/_decomposed.py:
 * determine_qparams). "with": a affine, s symmetric. */
void pcs_aten_choose(pcs_aten *c)
{
    precis_value x = pcs_arg_tensor(c, "input");
    const double low = pcs_arg_real(c, "quant_min"), high = pcs_arg_real(c, "quant_max"), eps = pcs_arg_real(c, "eps");
    pcs_arg_type(c, "dtype", PCS_I8);
    int64_t axes[PCS_GRAPH_DIMS];
    if (x < 0 || pcs_failed(&c->n)) return;
    x = pcs_f32(&c->n, x);
    if (x < 0) return;
    const uint32_t dims = pcs_of(&c->n, x)->dims;
    for (uint32_t i = 0; i < dims; i++) axes[i] = i;
    const precis_value zero = pcs_numbers(&c->n, PCS_F32, 0), least = pcs_numbers(&c->n, PCS_F32, eps);
    precis_value lo = pcs_make2(&c->n, "min", NULL, pcs_reduced(&c->n, x, "min", dims, axes, false), zero),
                 hi = pcs_make2(&c->n, "max", NULL, pcs_reduced(&c->n, x, "max", dims, axes, false), zero), scale, at;
    if (c->row->with[0] == 's') {
        const precis_value most = pcs_make2(&c->n, "max", NULL, pcs_make1(&c->n, "neg", NULL, lo), hi);
        scale = pcs_make2(&c->n, "div", NULL, most, pcs_numbers(&c->n, PCS_F32, (high - low) / 2));
        scale = pcs_make2(&c->n, "max", NULL, scale, least);
        at = zero;
    } else {
        scale = pcs_make2(&c->n, "div", NULL, pcs_make2(&c->n, "sub", NULL, hi, lo),
                          pcs_numbers(&c->n, PCS_F32, high - low));
        scale = pcs_make2(&c->n, "max", NULL, scale, least);
        const precis_value first =
            pcs_make1(&c->n, "round", NULL, pcs_make2(&c->n, "div", NULL, lo, scale)); /* nearest even */
        at = pcs_make2(&c->n, "sub", NULL, pcs_numbers(&c->n, PCS_F32, low), first);
        at = pcs_make2(&c->n, "min", NULL, pcs_make2(&c->n, "max", NULL, at, pcs_numbers(&c->n, PCS_F32, low)),
                       pcs_numbers(&c->n, PCS_F32, high));
    }
    static const int64_t one = 1;
    c->n.out[0] = pcs_shaped(&c->n, pcs_as(&c->n, scale, PCS_F64), 1, &one);
    if (c->n.n_out > 1) c->n.out[1] = pcs_shaped(&c->n, pcs_as(&c->n, at, PCS_I64), 1, &one);
}
