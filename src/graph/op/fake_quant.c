/* fake_quant - activations rounded to a scheme and back: what a kernel that computes in those elements would see.
 *
 * scheme: 0: integers of `bits` bits, symmetric; 1: affine; 2: E4M3; 3: E5M2; 4: E2M1 with E4M3 scales per 16 (NVFP4, times a
 * scale of the row); 5: E2M1 and 6: E4M3 with E8M0 scales per 32 (MX). group 0: one scale per token; scale > 0: given (static).
 * The fast lowering computes in int8 per 32 anyway and lets 8-bit integers pass; weights behind
 * other elements run in the reference lowering. */
#include "base/f16.h"
#include "format/element.h"
#include "graph/graph.h"

enum { SCHEME, BITS, GROUP, SCALE, ZERO };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    if (n->attr[SCHEME].integer < 0 || n->attr[SCHEME].integer > 6 || n->attr[BITS].integer < 2 || n->attr[BITS].integer > 8 || n->attr[GROUP].integer < 0) return pcs_op_fail(g, n, "no such scheme");
    return pcs_infer_like(g, n, 0, out);
}

static float largest(const float *x, size_t n)
{
    float top = 0;
    for (size_t i = 0; i < n; i++) top = x[i] > top ? x[i] : -x[i] > top ? -x[i] : top;
    return top;
}

static float whole(float x) { return x > 4e6f || x < -4e6f ? x : (float)pcs_round(x); }

static void integers(const float *x, float *y, size_t n, int bits, bool affine, float scale, float zero)
{
    const float top = (float)((1 << (bits - 1)) - 1), low = affine ? 0 : -top - 1, high = affine ? (float)((1 << bits) - 1) : top;
    float s = scale, z = zero;
    if (!(scale > 0) && !affine) s = largest(x, n) / top;
    if (!(scale > 0) && affine) {
        float lo = 0, hi = 0;
        for (size_t i = 0; i < n; i++) lo = x[i] < lo ? x[i] : lo, hi = x[i] > hi ? x[i] : hi;
        s = (hi - lo) / high;
        z = s > 0 ? whole(-lo / s) : 0;
    }
    for (size_t i = 0; i < n; i++) {
        float q = s > 0 ? whole(x[i] / s) + z : 0;
        q = q < low ? low : q > high ? high : q;
        y[i] = s > 0 ? s * (q - z) : 0.0f;
    }
}

static void elements(const pcs_element *e, const float *x, float *y, size_t n, float s)
{
    for (size_t i = 0; i < n; i++) y[i] = s > 0 ? s * pcs_element_value(e, pcs_element_code(e, x[i] / s)) : 0.0f;
}

static float e2m1(float x)
{
    static const float edge[7] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f }, value[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    const float a = x < 0 ? -x : x;
    int c = 0;
    for (int i = 0; i < 7; i++) c += i % 2 ? a >= edge[i] : a > edge[i];
    return x < 0 ? -value[c] : value[c];
}

static void four_bits(const float *x, float *y, size_t n, float s)
{
    for (size_t i = 0; i < n; i++) y[i] = s > 0 ? s * e2m1(x[i] / s) : 0.0f;
}

static float power_of_two(float top, int exponent)
{
    const int e = pcs_e8m0_scale(top, exponent, 0, 0, PCS_FIT_FLOOR);
    return e ? pcs_bits_f32((uint32_t)e << 23) : 0x1p-127f;
}

static void round_row(const precis_attr *attr, const float *x, float *y, size_t n)
{
    const int scheme = (int)attr[SCHEME].integer, bits = (int)attr[BITS].integer;
    const float given = (float)attr[SCALE].real;
    size_t group = scheme == 4 ? 16 : scheme >= 5 ? 32 : (size_t)attr[GROUP].integer ? (size_t)attr[GROUP].integer : n;
    const float global = scheme == 4 ? (given > 0 ? given : largest(x, n) / (448.0f * 6.0f)) : 1.0f;
    for (size_t at = 0; at < n; at += group) {
        const size_t k = n - at < group ? n - at : group;
        if (scheme <= 1) integers(x + at, y + at, k, bits, scheme == 1, given, (float)attr[ZERO].real);
        else if (scheme <= 3) {
            const pcs_element *e = scheme == 2 ? &pcs_e4m3 : &pcs_e5m2;
            elements(e, x + at, y + at, k, given > 0 ? given : largest(x + at, k) / e->largest);
        } else if (scheme == 4) {
            const float s = global > 0 ? global * pcs_element_value(&pcs_e4m3, pcs_element_code(&pcs_e4m3, largest(x + at, k) / 6.0f / global)) : 0.0f;
            four_bits(x + at, y + at, k, s);
        } else if (scheme == 5) four_bits(x + at, y + at, k, power_of_two(largest(x + at, k), 2));
        else elements(&pcs_e4m3, x + at, y + at, k, power_of_two(largest(x + at, k), 8));
    }
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const size_t n = (size_t)pcs_arg_width(&c->in[0]), rows = (size_t)pcs_arg_rows(&c->in[0]);
    for (size_t r = rows * ith / nth; r < rows * (ith + 1) / nth; r++) round_row(c->attr, (const float *)c->in[0].data + r * n, (float *)c->out[0].data + r * n, n);
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

const pcs_op pcs_op_fake_quant = {
    .name = "fake_quant", .min_in = 1, .max_in = 1,
    .attrs = PCS_ATTR_TABLE(PCS_INT("scheme", 0), PCS_INT("bits", 8), PCS_INT("group", 0), PCS_REAL("scale", 0), PCS_REAL("zero", 0)),
    .emulates = true, .has_kernel = is_int8, .infer = infer, .eval = eval, .fast = fast,
};
