/* fake_quant - activations rounded to a scheme and back: what a kernel that computes in those elements would see.
 *
 * scheme: 0: integers of `bits` bits, symmetric; 1: affine; 2: E4M3; 3: E5M2; 4: E2M1 with E4M3 scales per 16 (NVFP4,
 * times a scale of the row); 5: E2M1 and 6: E4M3 with E8M0 scales per 32 (MX). group 0: one scale per token; scale > 0:
 * given (static). by_mean=1: integers whose scale is the mean magnitude over the root of the largest code, not the
 * largest magnitude (BitNet a4.8, 2411.04965, equation 4). full=1: symmetric integers whose scale is the number of the
 * largest magnitude over -2^(bits - 1), as caches of keys and values in int4 have it (graph/kv.c). bits=1: the sign,
 * 1 for 0, times the mean magnitude (XNOR-Net, 1603.05279).
 *
 * Its gradient goes straight through: whole where the scale is of the numbers themselves, so that nothing is clipped
 * (or what is clipped is a part of the recipe); where the scale is given, to the numbers whose rounded code lies in the
 * range. The fast lowering computes in int8 per 32 anyway and lets 8-bit integers pass; products of activations in
 * other elements run in the reference lowering. */
#include "base/fmath.h"
#include "format/element.h"
#include "graph/graph.h"
#include "graph/op/round.h"

enum { SCHEME, BITS, GROUP, SCALE, ZERO, BY_MEAN, FULL };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const int64_t scheme = n->attr[SCHEME].integer, bits = n->attr[BITS].integer, group = n->attr[GROUP].integer;
    if (scheme < 0 || scheme > 6 || bits < 1 || bits > 8 || group < 0) return pcs_op_fail(g, n, "no such scheme");
    if (n->attr[FULL].integer && (scheme || n->attr[BY_MEAN].integer || n->attr[SCALE].real > 0))
        return pcs_op_fail(g, n, "full is for symmetric integers whose scale is their own");
    if (n->attr[BY_MEAN].integer && scheme != 0) return pcs_op_fail(g, n, "by_mean is for symmetric integers");
    if (bits == 1 && (scheme || n->attr[BY_MEAN].integer || n->attr[FULL].integer || n->attr[SCALE].real > 0))
        return pcs_op_fail(g, n, "signs are symmetric and have their own scale");
    return pcs_infer_like(g, n, 0, out);
}

/* Of 1 bit: the sign, 1 for 0, times the mean magnitude. */
static void signs(const float *x, float *y, size_t n)
{
    const float mean = (float)pcs_mean_magnitude(x, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? -mean : mean;
}

/* Codes of so many bits; affine: all of them are 0 and more. A scale of 0 is taken from the numbers. */
typedef struct { int bits; bool affine; float scale, zero; } whole_codes;
static void integers(const float *x, float *y, size_t n, whole_codes c)
{
    const int bits = c.bits;
    const bool affine = c.affine;
    const float scale = c.scale, zero = c.zero;
    const float top = (float)((1 << (bits - 1)) - 1), low = affine ? 0 : -top - 1,
                high = affine ? (float)((1 << bits) - 1) : top;
    float s = scale, z = zero;
    if (!(scale > 0) && !affine) s = pcs_largest(x, n) / top;
    if (!(scale > 0) && affine) {
        float lo = 0, hi = 0;
        for (size_t i = 0; i < n; i++) lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
        s = (hi - lo) / high;
        z = s > 0 ? pcs_nearest(-lo / s) : 0;
    }
    for (size_t i = 0; i < n; i++) {
        float q = s > 0 ? pcs_nearest(x[i] / s) + z : 0;
        q = q < low ? low : q > high ? high : q;
        y[i] = s > 0 ? s * (q - z) : 0.0f;
    }
}

/* All codes are used: the number of the largest magnitude is the lowest one, exactly. */
static void full_range(const float *x, float *y, size_t n, int bits)
{
    float top = 0;
    for (size_t i = 0; i < n; i++)
        if ((x[i] < 0 ? -x[i] : x[i]) > (top < 0 ? -top : top)) top = x[i];
    const float low = -(float)(1 << (bits - 1)), s = top / low;
    for (size_t i = 0; i < n; i++) y[i] = s != 0 ? s * pcs_clamp(pcs_nearest(x[i] / s), low, -low - 1) : 0.0f;
}

static void to_elements(const pcs_element *e, const float *x, float *y, size_t n, float s)
{
    for (size_t i = 0; i < n; i++) y[i] = s > 0 ? s * pcs_element_value(e, pcs_element_code(e, x[i] / s)) : 0.0f;
}

static void four_bits(const float *x, float *y, size_t n, float s)
{
    for (size_t i = 0; i < n; i++) y[i] = s > 0 ? s * pcs_e2m1_nearest(x[i] / s) : 0.0f;
}

static float power_of_two(float top, int exponent)
{
    const int e = pcs_e8m0_scale(top, exponent, 0, 0, PCS_FIT_FLOOR);
    return e ? pcs_bits_f32((uint32_t)e << 23) : 0x1p-127f;
}

static void round_row(const precis_attr *attr, const float *x, float *y, size_t n)
{
    const int scheme = (int)attr[SCHEME].integer, bits = (int)attr[BITS].integer;
    const float given = (float)attr[SCALE].real, root = pcs_sqrtf((float)((1 << (bits - 1)) - 1));
    size_t group = scheme == 4 ? 16 : scheme >= 5 ? 32 : (size_t)attr[GROUP].integer ? (size_t)attr[GROUP].integer : n;
    const float global = scheme == 4 ? (given > 0 ? given : pcs_largest(x, n) / (448.0f * 6.0f)) : 1.0f;
    for (size_t at = 0; at < n; at += group) {
        const size_t k = n - at < group ? n - at : group;
        const float mean = attr[BY_MEAN].integer && !(given > 0) ? (float)pcs_mean_magnitude(x + at, k) / root : given;
        if (bits == 1) signs(x + at, y + at, k);
        else if (attr[FULL].integer) full_range(x + at, y + at, k, bits);
        else if (scheme <= 1)
            integers(x + at, y + at, k, (whole_codes){ bits, scheme == 1, mean, (float)attr[ZERO].real });
        else if (scheme <= 3) {
            const pcs_element *e = scheme == 2 ? &pcs_e4m3 : &pcs_e5m2;
            to_elements(e, x + at, y + at, k, given > 0 ? given : pcs_largest(x + at, k) / e->largest);
        } else if (scheme == 4) {
            const float s =
                global > 0
                    ? global * pcs_element_value(&pcs_e4m3,
                                                 pcs_element_code(&pcs_e4m3, pcs_largest(x + at, k) / 6.0f / global))
                    : 0.0f;
            four_bits(x + at, y + at, k, s);
        } else if (scheme == 5) four_bits(x + at, y + at, k, power_of_two(pcs_largest(x + at, k), 2));
        else to_elements(&pcs_e4m3, x + at, y + at, k, power_of_two(pcs_largest(x + at, k), 8));
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++)
        round_row(c->attr, (const float *)c->in[0].data + r * n, (float *)c->out[0].data + r * n, n);
}

static bool is_int8(const precis_attr *attr) { return attr[SCHEME].integer <= 1 && attr[BITS].integer == 8; }

static void fast(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    if (!is_int8(c->attr)) {
        eval(c, ith, nth);
        return;
    }
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    const size_t b = rows * ith / nth * n, e = rows * (ith + 1) / nth * n;
    memcpy((float *)c->out[0].data + b, (const float *)c->in[0].data + b, (e - b) * sizeof(float));
}

/* Is there a range that numbers may lie outside of? That of a scale that is given; NVFP4 and MX have none such. */
static bool clips(const precis_attr *attr) { return attr[SCHEME].integer < 4 && (float)attr[SCALE].real > 0; }

/* Does the rounded code of x lie in it? */
static bool is_inside(const precis_attr *attr, float x)
{
    const int scheme = (int)attr[SCHEME].integer, bits = (int)attr[BITS].integer;
    const float top = (float)((1 << (bits - 1)) - 1), s = (float)attr[SCALE].real;
    if (scheme >= 2) return (x < 0 ? -x : x) / s <= (scheme == 2 ? &pcs_e4m3 : &pcs_e5m2)->largest;
    const float q = pcs_nearest(x / s) + (scheme == 1 ? (float)attr[ZERO].real : 0.0f);
    return scheme == 1 ? q >= 0 && q <= (float)((1 << bits) - 1) : q >= -top - 1 && q <= top;
}

static void backward(const pcs_call *c, const pcs_grads *g, uint32_t ith, uint32_t nth)
{
    const float *x = c->in[0].data;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    const bool all = !clips(c->attr);
    for (uint64_t i = begin; g->in[0] && i < end; i++)
        g->in[0][i] += all || is_inside(c->attr, x[i]) ? g->out[0][i] : 0.0f;
}

const pcs_op pcs_op_fake_quant = {
    .name = "fake_quant",
    .min_in = 1,
    .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("scheme", 0), PCS_INT("bits", 8), PCS_INT("group", 0), PCS_REAL("scale", 0),
                            PCS_REAL("zero", 0), PCS_INT("by_mean", 0), PCS_INT("full", 0)),
    .emulates = true,
    .has_kernel = is_int8,
    .infer = infer,
    .eval = eval,
    .fast = fast,
    .backward = backward,
    .straight_through = true,
};
