/* to_codes - numbers as codes: nearest-even(x / scale) + zero, held within the type; of floating-point codes x / scale
 * rounded (saturate=0: what is too large becomes infinity or NaN): ONNX's QuantizeLinear. Scale and zero (inputs of one
 * shape) spread over x; where an axis has one of each block of elements, `block` says how many. requantize is to_codes
 * of sums times a factor. */
#include "base/fmath_more.h"
#include "graph/element.h"

enum { TO, SATURATE, AXIS, BLOCK };

static precis_status infer(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *s = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    const int64_t to = n->attr[TO].integer, block = n->attr[BLOCK].integer;
    if (block < 0 || block > (int64_t)1 << 40) return pcs_op_fail(g, n, "has blocks of %lld", (long long)block);
    if (to < 0 || to >= PCS_DTYPES || !pcs_dtype_bytes((pcs_dtype)to) || pcs_dtype_bytes((pcs_dtype)to) > 2 ||
        z->dtype != to)
        return pcs_op_fail(g, n, "gives no such codes");
    if (pcs_dtype_whole(s->dtype) || s->dims != z->dims || memcmp(s->shape, z->shape, s->dims * sizeof s->shape[0]))
        return pcs_op_fail(g, n, "takes scales that are numbers, and as many zero points");
    if (s->dims > x->dims || (block && s->dims != x->dims))
        return pcs_op_fail(g, n, "has scales of more dimensions than x");
    for (uint32_t i = 0; i < s->dims; i++) {
        const int64_t d = x->shape[i + x->dims - s->dims];
        const bool blocks = block && i == pcs_axis(n->attr[AXIS].integer, x->dims);
        if (blocks ? pcs_dim_is_id(d) || s->shape[i] != (d + block - 1) / block : s->shape[i] != 1 && s->shape[i] != d)
            return pcs_op_fail(g, n, "has %lld scales along dimension %u", (long long)s->shape[i], i);
    }
    out->dtype = (pcs_dtype)to;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static void limits(pcs_dtype d, double *lo, double *hi)
{
    const double all = (double)((uint64_t)1 << pcs_dtype_bits(d));
    *lo = pcs_domain_of(d) == PCS_IN_U64 ? 0 : -all / 2;
    *hi = *lo + all - 1;
}

/* Where the scale of element i stands. */
static size_t scale_at(const pcs_call *c, size_t i)
{
    const pcs_arg *x = &c->in[0], *s = &c->in[1];
    size_t at = 0, each = 1;
    for (uint32_t k = x->dims; k-- > x->dims - s->dims; i /= (size_t)x->shape[k]) {
        const uint32_t own = k - (x->dims - s->dims);
        const size_t index = i % (size_t)x->shape[k];
        const bool blocks = c->attr[BLOCK].integer && k == pcs_axis(c->attr[AXIS].integer, x->dims);
        at += (s->shape[own] == 1 ? 0 : blocks ? index / (size_t)c->attr[BLOCK].integer : index) * each;
        each *= (size_t)s->shape[own];
    }
    return at;
}

static bool bytes(const pcs_arg *a) { return a->dtype == PCS_U8 || a->dtype == PCS_I8; }

/* The one scale and zero point of codes of 8 bits and f32, the latter as that of codes without a sign; false: there is
 * none, or it is no scale. */
static bool one_scale(const pcs_call *c, const pcs_arg *codes, const pcs_arg *numbers, float *scale, int32_t *zero)
{
    if (!bytes(codes) || numbers->dtype != PCS_F32 || c->in[1].dtype != PCS_F32 || pcs_arg_count(&c->in[1]) != 1 ||
        c->in[2].dtype != codes->dtype)
        return false;
    *scale = *(const float *)c->in[1].data;
    *zero = (int32_t)pcs_int_at(&c->in[2], 0) + (codes->dtype == PCS_I8 ? 128 : 0);
    return *scale > 0 && *scale < PCS_INFINITY;
}

/* By the kernel, which gives codes without a sign. */
static bool by_kernel(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    float scale;
    int32_t zero;
    uint64_t begin, end;
    if (!one_scale(c, &c->out[0], &c->in[0], &scale, &zero)) return false;
    uint8_t *y = c->out[0].data;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    c->kernels->codes_encode(&(pcs_codes_encode_args){ (const float *)c->in[0].data + begin, end - begin, scale,
                                                       { zero, 0, 255 }, y + begin });
    for (uint64_t i = begin; i < end && c->out[0].dtype == PCS_I8; i++) y[i] ^= 0x80;
    return true;
}

static void eval(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    if (by_kernel(c, ith, nth)) return;
    const bool whole = pcs_dtype_whole(y->dtype), one = pcs_arg_count(&c->in[1]) == 1;
    uint64_t begin, end;
    double lo = 0, hi = 0;
    if (whole) limits(y->dtype, &lo, &hi);
    pcs_share((uint64_t)pcs_arg_count(y), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const size_t at = one ? 0 : scale_at(c, i);
        const double scale = pcs_real_at(&c->in[1], at), v = pcs_real_at(x, i);
        if (!(scale > 0 && scale < PCS_INFINITY)) pcs_outside(c);
        const double q = x->dtype == PCS_F64 ? v / scale : (double)((float)v / (float)scale);
        if (whole) {
            double r = pcs_m_round(q) + (double)pcs_int_at(&c->in[2], at);
            r = r >= lo ? (r > hi ? hi : r) : lo; /* NaN is the least */
            pcs_set_real(y, i, r);
        } else {
            const float sum = (float)q + (float)pcs_real_at(&c->in[2], at);
            ((uint8_t *)y->data)[i] = pcs_small_encode(y->dtype, sum, c->attr[SATURATE].integer != 0);
        }
    }
}

const pcs_op pcs_op_to_codes = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "to_codes",
    .min_in = 3,
    .max_in = 3,
    .attrs = PCS_ATTR_TABLE(PCS_INT("to", -1), PCS_INT("saturate", 1), PCS_INT("axis", 0), PCS_INT("block", 0)),
    .infer = infer,
    .eval = eval,
};

/* ---- from_codes: (code - zero) * scale, in the scale's type or `to`: ONNX's DequantizeLinear ---- */

static precis_status infer_from(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]];
    pcs_node as_codes = *n;
    precis_attr attr[5];
    memcpy(attr, n->attr, 4 * sizeof *attr);
    const int64_t to = attr[TO].integer < 0 ? (int64_t)g->values[n->in[1]].dtype : attr[TO].integer;
    if (x->dtype != PCS_I32) {
        attr[TO].integer = x->dtype;
        as_codes.attr = attr;
        if (infer(g, &as_codes, out)) return g->error;
    }
    if (to >= PCS_DTYPES || !pcs_dtype_bytes((pcs_dtype)to) || pcs_dtype_whole((pcs_dtype)to))
        return pcs_op_fail(g, n, "gives no such numbers");
    out->dims = 0;
    out->dtype = (pcs_dtype)to;
    return pcs_infer_spread(g, n, 0, 1, out);
}

static bool from_by_kernel(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    enum { PART = 4096 };
    float scale;
    int32_t zero;
    uint64_t begin, end;
    uint8_t flipped[PART];
    if (!one_scale(c, &c->in[0], &c->out[0], &scale, &zero)) return false;
    const uint8_t *x = c->in[0].data;
    pcs_share((uint64_t)pcs_arg_count(&c->out[0]), 64, ith, nth, &begin, &end);
    for (uint64_t at = begin; at < end; at += PART) {
        const size_t n = end - at < PART ? end - at : PART;
        const bool flip = c->in[0].dtype == PCS_I8;
        for (size_t i = 0; i < n && flip; i++) flipped[i] = x[at + i] ^ 0x80;
        c->kernels->codes_decode(
            &(pcs_codes_decode_args){ flip ? flipped : x + at, n, scale, zero, (float *)c->out[0].data + at });
    }
    return true;
}

static void eval_from(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    const pcs_arg *x = &c->in[0], *y = &c->out[0];
    if (from_by_kernel(c, ith, nth)) return;
    const bool whole = pcs_dtype_whole(x->dtype), one = pcs_arg_count(&c->in[1]) == 1;
    uint64_t begin, end;
    pcs_share((uint64_t)pcs_arg_count(y), 64, ith, nth, &begin, &end);
    for (uint64_t i = begin; i < end; i++) {
        const size_t at = one ? 0 : scale_at(c, i);
        const double scale = pcs_real_at(&c->in[1], at);
        if (!(scale > 0 && scale < PCS_INFINITY)) pcs_outside(c);
        const float v = whole ? (float)(pcs_int_at(x, i) - pcs_int_at(&c->in[2], at))
                              : (float)pcs_real_at(x, i) - (float)pcs_real_at(&c->in[2], at);
        if (y->dtype == PCS_F64) pcs_set_real(y, i, (double)v * scale);
        else pcs_set_real(y, i, (double)(v * (float)scale));
    }
}

const pcs_op pcs_op_from_codes = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "from_codes",
    .min_in = 3,
    .max_in = 3,
    .decodes = true,
    .attrs = PCS_ATTR_TABLE(PCS_INT("to", -1), PCS_INT("saturate", 1), PCS_INT("axis", 0), PCS_INT("block", 0)),
    .infer = infer_from,
    .eval = eval_from,
};

/* ---- requantize: nearest-even(sum * factor) + zero in f32, as onnxruntime does it, held within zero's type; sums,
 * factors and zero points spread ---- */

static precis_status infer_sums(precis_graph *g, const pcs_node *n, pcs_value *out)
{
    const pcs_value *x = &g->values[n->in[0]], *f = &g->values[n->in[1]], *z = &g->values[n->in[2]];
    if (x->dtype != PCS_I32 || f->dtype != PCS_F32 || (z->dtype != PCS_I8 && z->dtype != PCS_U8))
        return pcs_op_fail(g, n, "takes sums in I32, factors in F32, and zero points");
    out->dtype = z->dtype;
    return pcs_infer_spread(g, n, 0, 3, out);
}

static void to_signed(const precis_attr *attr, size_t n, const void *const *in, void *out)
{
    (void)attr;
    for (size_t i = 0; i < n; i++) {
        const double r = pcs_m_round((double)((float)((const int64_t *)in[0])[i] * ((const float *)in[1])[i])) +
                         (double)((const int64_t *)in[2])[i];
        ((int64_t *)out)[i] = r >= -128 ? (r > 127 ? 127 : (int64_t)r) : -128;
    }
}

static void to_unsigned(const precis_attr *attr, size_t n, const void *const *in, void *out)
{
    (void)attr;
    for (size_t i = 0; i < n; i++) {
        const double r = pcs_m_round((double)((float)((const int64_t *)in[0])[i] * ((const float *)in[1])[i])) +
                         (double)((const uint64_t *)in[2])[i];
        ((uint64_t *)out)[i] = r > 255 ? 255 : r > 0 ? (uint64_t)r : 0;
    }
}

static void eval_sums(const pcs_call *c, uint32_t ith, uint32_t nth)
{
    pcs_elementwise(c, ith, nth, c->out[0].dtype == PCS_I8 ? to_signed : to_unsigned);
}

const pcs_op pcs_op_requantize = {
    .not_differentiable = PCS_NO_GRADIENT_OF_ARRAYS,
    .name = "requantize", .min_in = 3, .max_in = 3, .infer = infer_sums, .eval = eval_sums
};
