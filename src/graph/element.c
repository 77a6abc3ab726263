/* element.c - elements of every type, and spreading. */
#include "graph/element.h"
#include "base/builtins.h"
#include "base/f16.h"
#include "base/fmath_more.h"

/* exponent bits, mantissa bits, bias, and what the codes at the top are. */
typedef enum { IEEE, FINITE, UNSIGNED_ZERO, NOTHING } special;
typedef struct {
    int e, m, bias;
    special s;
} layout;

static layout layout_of(pcs_dtype d)
{
    switch (d) {
    case PCS_F8E4M3FN: return (layout){ 4, 3, 7, FINITE };
    case PCS_F8E4M3FNUZ: return (layout){ 4, 3, 8, UNSIGNED_ZERO };
    case PCS_F8E5M2: return (layout){ 5, 2, 15, IEEE };
    case PCS_F8E5M2FNUZ: return (layout){ 5, 2, 16, UNSIGNED_ZERO };
    default: return (layout){ 2, 1, 1, NOTHING };
    }
}

static float power_of_two(int e)
{
    return (float)(e < -126 ? pcs_bits_f32((uint32_t)(e + 126 + 127) << 23) * 0x1p-126f
                            : pcs_bits_f32((uint32_t)(e + 127) << 23));
}

float pcs_small_decode(pcs_dtype d, uint8_t code)
{
    if (d == PCS_F8E8M0) return code == 255 ? (float)PCS_NAN : power_of_two((int)code - 127);
    const layout l = layout_of(d);
    const int top = 1 << (l.e + l.m), mag = code & (top - 1), e = mag >> l.m, f = mag & ((1 << l.m) - 1);
    const float sign = code & top ? -1.0f : 1.0f;
    if (l.s == UNSIGNED_ZERO && code == 0x80) return (float)PCS_NAN;
    if (l.s == FINITE && mag == 0x7f) return (float)PCS_NAN;
    if (l.s == IEEE && e == (1 << l.e) - 1) return f ? (float)PCS_NAN : sign * (float)PCS_INFINITY;
    if (!e) return sign * (float)f * power_of_two(1 - l.bias - l.m);
    return sign * (float)((1 << l.m) + f) * power_of_two(e - l.bias - l.m);
}

/* The largest magnitude's code. */
static int largest(const layout *l)
{
    const int all = (1 << (l->e + l->m)) - 1;
    return l->s == FINITE ? all - 1 : l->s == IEEE ? (((1 << l->e) - 1) << l->m) - 1 : all;
}

static uint8_t encode_power(float x)
{
    if (!(x >= 0) || x > 0x1p127f) return 255;
    int e = (int)(pcs_f32_bits(x) >> 23) - 127;
    if (pcs_f32_bits(x) & 0x7fffff && e > -127) e++; /* up */
    return (uint8_t)(e < -127 ? 0 : e + 127);
}

uint8_t pcs_small_encode(pcs_dtype d, float x, bool saturate)
{
    if (d == PCS_F8E8M0) return encode_power(x);
    const layout l = layout_of(d);
    const int top = 1 << (l.e + l.m), most = largest(&l), sign = pcs_f32_bits(x) >> 31 ? top : 0;
    const int nan = l.s == UNSIGNED_ZERO ? 0x80
                    : l.s == FINITE      ? 0x7f | sign
                    : l.s == IEEE        ? 0x7e | sign
                                         : top; /* of F4E2M1, which has none, -0, as elsewhere */
    const float a = pcs_absf(x);
    if (x != x) return (uint8_t)nan;
    int e = (int)(pcs_f32_bits(a) >> 23) - 127;
    if (e < 1 - l.bias) e = 1 - l.bias;
    int code = most + 1;
    if (a < 0x1p20f) {
        const int q = (int)pcs_m_round((double)a * (double)power_of_two(l.m - e)); /* below 2^(m + 1), or it */
        code = ((e + l.bias - 1) << l.m) + q;                                      /* a carry goes into the exponent */
    }
    if (code > most) {
        if (saturate || l.s == NOTHING) code = most;
        else return (uint8_t)(l.s == IEEE ? 0x7c | sign : nan);
    }
    return (uint8_t)(l.s == UNSIGNED_ZERO && !code ? 0 : code | sign);
}

pcs_domain pcs_domain_of(pcs_dtype d)
{
    switch (d) {
    case PCS_F64: return PCS_IN_F64;
    case PCS_I8:
    case PCS_I16:
    case PCS_I32:
    case PCS_I64:
    case PCS_BOOL:
    case PCS_I4:
    case PCS_I2: return PCS_IN_I64;
    case PCS_U8:
    case PCS_U16:
    case PCS_U32:
    case PCS_U64:
    case PCS_U4:
    case PCS_U2: return PCS_IN_U64;
    default: return PCS_IN_F32;
    }
}

uint32_t pcs_dtype_bits(pcs_dtype d)
{
    if (d == PCS_I4 || d == PCS_U4 || d == PCS_F4E2M1) return 4;
    return d == PCS_I2 || d == PCS_U2 ? 2 : (uint32_t)pcs_dtype_bytes(d) * 8;
}

#define LOAD(D, T, OUT, expr) \
    case D: \
        for (size_t k = 0; k < n; k++) { \
            const T v = ((const T *)src)[(int64_t)k * stride]; \
            ((OUT *)out)[k] = (OUT)(expr); \
        } \
        return;

void pcs_elements_load(pcs_dtype d, const void *src, int64_t stride, size_t n, void *out)
{
    switch (d) {
        LOAD(PCS_F32, float, float, v)
        LOAD(PCS_F64, double, double, v)
        LOAD(PCS_F16, uint16_t, float, pcs_f16_to_f32(v))
        LOAD(PCS_BF16, uint16_t, float, pcs_bf16_to_f32(v))
        LOAD(PCS_I8, int8_t, int64_t, v)
        LOAD(PCS_I16, int16_t, int64_t, v)
        LOAD(PCS_I32, int32_t, int64_t, v)
        LOAD(PCS_I64, int64_t, int64_t, v)
        LOAD(PCS_I4, int8_t, int64_t, v)
        LOAD(PCS_I2, int8_t, int64_t, v)
        LOAD(PCS_BOOL, uint8_t, int64_t, v != 0)
        LOAD(PCS_U8, uint8_t, uint64_t, v)
        LOAD(PCS_U16, uint16_t, uint64_t, v)
        LOAD(PCS_U32, uint32_t, uint64_t, v)
        LOAD(PCS_U64, uint64_t, uint64_t, v)
        LOAD(PCS_U4, uint8_t, uint64_t, v)
        LOAD(PCS_U2, uint8_t, uint64_t, v)
    default:
        for (size_t k = 0; k < n; k++)
            ((float *)out)[k] = pcs_small_decode(d, ((const uint8_t *)src)[(int64_t)k * stride]);
    }
}

#define STORE(D, T, IN, expr) \
    case D: \
        for (size_t k = 0; k < n; k++) { \
            const IN v = ((const IN *)numbers)[k]; \
            ((T *)out)[k] = (T)(expr); \
        } \
        return;

void pcs_elements_store(pcs_dtype d, const void *numbers, size_t n, void *out)
{
    switch (d) {
        STORE(PCS_F32, float, float, v)
        STORE(PCS_F64, double, double, v)
        STORE(PCS_F16, uint16_t, float, pcs_f32_to_f16(v))
        STORE(PCS_BF16, uint16_t, float, pcs_f32_to_bf16(v))
        STORE(PCS_I8, int8_t, int64_t, v)
        STORE(PCS_I16, int16_t, int64_t, v)
        STORE(PCS_I32, int32_t, int64_t, v)
        STORE(PCS_I64, int64_t, int64_t, v)
        STORE(PCS_I4, int8_t, int64_t, ((v & 15) ^ 8) - 8)
        STORE(PCS_I2, int8_t, int64_t, ((v & 3) ^ 2) - 2)
        STORE(PCS_BOOL, uint8_t, int64_t, v != 0)
        STORE(PCS_U8, uint8_t, uint64_t, v)
        STORE(PCS_U16, uint16_t, uint64_t, v)
        STORE(PCS_U32, uint32_t, uint64_t, v)
        STORE(PCS_U64, uint64_t, uint64_t, v)
        STORE(PCS_U4, uint8_t, uint64_t, v & 15)
        STORE(PCS_U2, uint8_t, uint64_t, v & 3)
    default:
        for (size_t k = 0; k < n; k++) ((uint8_t *)out)[k] = pcs_small_encode(d, ((const float *)numbers)[k], true);
    }
}

static int64_t to_signed(double v) { return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 || v != v ? INT64_MIN : (int64_t)v; }
static uint64_t to_unsigned(double v)
{
    return v >= 0x1p64 ? UINT64_MAX : v >= 0 ? (uint64_t)v : (uint64_t)to_signed(v);
}

#define CONVERT(F, FT, T, TT, expr) \
    if (from == F && to == T) { \
        for (size_t k = 0; k < n; k++) { \
            const FT v = ((const FT *)in)[k]; \
            ((TT *)out)[k] = (TT)(expr); \
        } \
        return; \
    }

void pcs_numbers_convert(pcs_domain from, pcs_domain to, size_t n, const void *in, void *out)
{
    CONVERT(PCS_IN_F32, float, PCS_IN_F64, double, v)
    CONVERT(PCS_IN_F32, float, PCS_IN_I64, int64_t, to_signed((double)v))
    CONVERT(PCS_IN_F32, float, PCS_IN_U64, uint64_t, to_unsigned((double)v))
    CONVERT(PCS_IN_F64, double, PCS_IN_F32, float, v)
    CONVERT(PCS_IN_F64, double, PCS_IN_I64, int64_t, to_signed(v))
    CONVERT(PCS_IN_F64, double, PCS_IN_U64, uint64_t, to_unsigned(v))
    CONVERT(PCS_IN_I64, int64_t, PCS_IN_F32, float, v)
    CONVERT(PCS_IN_I64, int64_t, PCS_IN_F64, double, v)
    CONVERT(PCS_IN_I64, int64_t, PCS_IN_U64, uint64_t, v)
    CONVERT(PCS_IN_U64, uint64_t, PCS_IN_F32, float, v)
    CONVERT(PCS_IN_U64, uint64_t, PCS_IN_F64, double, v)
    CONVERT(PCS_IN_U64, uint64_t, PCS_IN_I64, int64_t, v)
    memmove(out, in, n * (from == PCS_IN_F32 ? 4 : 8));
}

/* A number of any domain. */
typedef union {
    float f;
    double d;
    int64_t i;
    uint64_t u;
} number;

double pcs_real_at(const pcs_arg *a, size_t i)
{
    if (a->dtype == PCS_F32) return (double)((const float *)a->data)[i];
    number v;
    pcs_elements_load(a->dtype, (const char *)a->data + i * pcs_dtype_bytes(a->dtype), 1, 1, &v);
    const pcs_domain m = pcs_domain_of(a->dtype);
    return m == PCS_IN_F32 ? (double)v.f : m == PCS_IN_F64 ? v.d : m == PCS_IN_I64 ? (double)v.i : (double)v.u;
}

int64_t pcs_int_at(const pcs_arg *a, size_t i)
{
    number v, w;
    pcs_elements_load(a->dtype, (const char *)a->data + i * pcs_dtype_bytes(a->dtype), 1, 1, &v);
    pcs_numbers_convert(pcs_domain_of(a->dtype), PCS_IN_I64, 1, &v, &w);
    return w.i;
}

void pcs_set_real(const pcs_arg *a, size_t i, double x)
{
    number v;
    pcs_numbers_convert(PCS_IN_F64, pcs_domain_of(a->dtype), 1, &x, &v);
    pcs_elements_store(a->dtype, &v, 1, (char *)a->data + i * pcs_dtype_bytes(a->dtype));
}

/* ---- spreading -------------------------------------------------------------------------------- */

void pcs_dense(uint32_t dims, const int64_t *shape, int64_t *strides)
{
    int64_t n = 1;
    for (uint32_t k = dims; k-- > 0;) {
        strides[k] = n;
        n *= shape[k];
    }
}

/* Neighbouring dimensions that every operand walks through as one become one. */
static void join(pcs_spread *s)
{
    uint32_t at = 0;
    for (uint32_t k = 1; k < s->dims; k++) {
        bool one = true;
        for (uint32_t i = 0; i < s->n; i++) one = one && s->stride[i][at] == s->stride[i][k] * s->shape[k];
        if (one) s->shape[at] *= s->shape[k];
        else s->shape[++at] = s->shape[k];
        for (uint32_t i = 0; i < s->n; i++) s->stride[i][at] = s->stride[i][k];
    }
    s->dims = at + 1;
}

static void finish(pcs_spread *s)
{
    if (s->dims) join(s);
    else {
        s->dims = 1;
        s->shape[0] = 1;
        for (uint32_t i = 0; i < s->n; i++) s->stride[i][0] = 0;
    }
    s->outer = 1;
    s->inner = s->shape[s->dims - 1];
    for (uint32_t k = 0; k + 1 < s->dims; k++) s->outer *= s->shape[k];
}

void pcs_spread_over(pcs_spread *s, const pcs_arg *out, uint32_t n, const pcs_arg *const *in)
{
    s->dims = out->dims;
    s->n = n;
    memcpy(s->shape, out->shape, out->dims * sizeof s->shape[0]);
    for (uint32_t i = 0; i < n; i++) {
        int64_t dense[PCS_GRAPH_DIMS];
        const uint32_t skip = out->dims - in[i]->dims;
        pcs_dense(in[i]->dims, in[i]->shape, dense);
        for (uint32_t k = 0; k < out->dims; k++)
            s->stride[i][k] = k < skip || in[i]->shape[k - skip] == 1 ? 0 : dense[k - skip];
    }
    finish(s);
}

void pcs_spread_row(const pcs_spread *s, int64_t r, int64_t *at)
{
    for (uint32_t i = 0; i < s->n; i++) at[i] = 0;
    for (uint32_t k = s->dims - 1; k-- > 0;) {
        const int64_t index = r % s->shape[k];
        r /= s->shape[k];
        for (uint32_t i = 0; i < s->n; i++) at[i] += index * s->stride[i][k];
    }
}

/* The row after one: its indices, and where each operand's part of it begins, without a division. */
static void next_row(const pcs_spread *s, int64_t *index, int64_t *at)
{
    for (uint32_t k = s->dims - 1; k-- > 0;) {
        for (uint32_t i = 0; i < s->n; i++) at[i] += s->stride[i][k];
        if (++index[k] < s->shape[k]) return;
        for (uint32_t i = 0; i < s->n; i++) at[i] -= s->stride[i][k] * s->shape[k];
        index[k] = 0;
    }
}

static void begin_row(const pcs_spread *s, int64_t r, int64_t *index, int64_t *at)
{
    pcs_spread_row(s, r, at);
    for (uint32_t k = s->dims - 1; k-- > 0; r /= s->shape[k]) index[k] = r % s->shape[k];
}

/* A number of such an element is the element itself. */
static bool is_number(pcs_dtype d) { return d == PCS_F32 || d == PCS_F64 || d == PCS_I64 || d == PCS_U64; }

/* A block of results, from operands whose parts begin at `at`. */
static void block(const pcs_call *c, const pcs_spread *s, pcs_block_fn *fn, const int64_t *at, int64_t to, size_t n)
{
    pcs_block_room rooms[PCS_SPREAD], made;
    const void *in[PCS_SPREAD];
    const pcs_arg *out = &c->out[0];
    for (uint32_t i = 0; i < c->n_in; i++) {
        const pcs_arg *a = &c->in[i];
        const int64_t stride = s->stride[i][s->dims - 1];
        const char *src = (const char *)a->data + (size_t)at[i] * pcs_dtype_bytes(a->dtype);
        const bool direct = stride == 1 && is_number(a->dtype);
        if (!direct) pcs_elements_load(a->dtype, src, stride, n, &rooms[i]);
        in[i] = direct ? (const void *)src : &rooms[i];
    }
    fn(c->attr, n, in, &made);
    pcs_elements_store(out->dtype, &made, n, (char *)out->data + (size_t)to * pcs_dtype_bytes(out->dtype));
}

/* Nothing is spread and nothing converted: one loop over all that a thread has. */
static bool is_plain(const pcs_call *c)
{
    const pcs_arg *out = &c->out[0];
    bool plain = is_number(out->dtype);
    for (uint32_t i = 0; i < c->n_in && plain; i++) {
        const pcs_arg *a = &c->in[i];
        plain = a->dtype == out->dtype && a->dims == out->dims &&
                !memcmp(a->shape, out->shape, out->dims * sizeof *out->shape);
    }
    return plain;
}

void pcs_elementwise(const pcs_call *c, uint32_t ith, uint32_t nth, pcs_block_fn *fn)
{
    const pcs_arg *in[PCS_SPREAD], *out = &c->out[0];
    const bool plain = is_plain(c);
    pcs_spread s;
    uint64_t begin, end;
    if (out->dims == 2) pcs_share_numbers(out, ith, nth, &begin, &end);
    else pcs_share((uint64_t)pcs_arg_count(out), PCS_BLOCK, ith, nth, &begin, &end);
    if (begin == end) return;
    for (uint32_t i = 0; i < c->n_in; i++) in[i] = &c->in[i];
    if (plain) {
        const size_t skip = begin * pcs_dtype_bytes(out->dtype);
        const void *from[PCS_SPREAD];
        for (uint32_t i = 0; i < c->n_in; i++) from[i] = (const char *)in[i]->data + skip;
        fn(c->attr, end - begin, from, (char *)out->data + skip);
        return;
    }
    pcs_spread_over(&s, out, c->n_in, in);
    for (int64_t e = (int64_t)begin, n; e < (int64_t)end; e += n) {
        int64_t at[PCS_SPREAD];
        const int64_t first = e % s.inner,
                      left = s.inner - first < (int64_t)end - e ? s.inner - first : (int64_t)end - e;
        n = left < PCS_BLOCK ? left : PCS_BLOCK;
        pcs_spread_row(&s, e / s.inner, at);
        for (uint32_t i = 0; i < c->n_in; i++) at[i] += first * s.stride[i][s.dims - 1];
        block(c, &s, fn, at, e, (size_t)n);
    }
}

/* Neighbours along the last dimension are 0 or 1 apart in each operand, since operands are dense. */
void pcs_elements_of(const pcs_call *c, uint32_t ith, uint32_t nth, pcs_function f)
{
    const pcs_arg *out = &c->out[0], *in[2] = { &c->in[0], &c->in[c->n_in - 1] };
    pcs_elements_args a = { .f = f, .alpha = c->attr && c->n_in == 1 ? (float)c->attr[0].real : 0 };
    pcs_spread s;
    uint64_t begin, end;
    if (out->dims == 2) pcs_share_numbers(out, ith, nth, &begin, &end);
    else pcs_share((uint64_t)pcs_arg_count(out), PCS_BLOCK, ith, nth, &begin, &end);
    if (begin == end) return;
    pcs_spread_over(&s, out, 2, in);
    a.dx = (size_t)s.stride[0][s.dims - 1];
    a.dy = (size_t)s.stride[1][s.dims - 1];
    int64_t at[2], index[PCS_GRAPH_DIMS + 1], first = (int64_t)begin % s.inner;
    begin_row(&s, (int64_t)begin / s.inner, index, at);
    for (int64_t e = (int64_t)begin; e < (int64_t)end; e += (int64_t)a.n, first = 0, next_row(&s, index, at)) {
        const int64_t left = s.inner - first, all = (int64_t)end - e;
        a.x = (const float *)in[0]->data + at[0] + first * (int64_t)a.dx;
        a.y = (const float *)in[1]->data + at[1] + first * (int64_t)a.dy;
        a.to = (float *)out->data + e;
        a.n = (size_t)(left < all ? left : all);
        c->kernels->elements(&a);
    }
}

precis_status pcs_infer_spread(precis_graph *g, const pcs_node *n, uint32_t from, uint32_t to, pcs_value *out)
{
    out->dims = 0;
    for (uint32_t i = from; i < to; i++)
        if (g->values[n->in[i]].dims > out->dims) out->dims = g->values[n->in[i]].dims;
    for (uint32_t k = 0; k < out->dims; k++) out->shape[k] = 1;
    for (uint32_t i = from; i < to; i++) {
        const pcs_value *x = &g->values[n->in[i]];
        for (uint32_t k = 0; k < x->dims; k++) {
            int64_t *d = &out->shape[k + out->dims - x->dims];
            if (x->shape[k] == 1 || x->shape[k] == *d) continue;
            char a[96], b[96];
            pcs_dim_text(g, x->shape[k], a, sizeof a);
            pcs_dim_text(g, *d, b, sizeof b);
            if (*d != 1)
                return pcs_op_fail(g, n, "input %u has %s elements along dimension %u where another has %s", i, a, k,
                                   b);
            *d = x->shape[k];
        }
    }
    return PRECIS_OK;
}

static void move_row(char *to, const char *from, int64_t stride, size_t n, size_t bytes)
{
    if (stride == 1) memcpy(to, from, n * bytes);
    else if (bytes == 4)
        for (size_t k = 0; k < n; k++) memcpy(to + 4 * k, from + (int64_t)k * stride * 4, 4);
    else
        for (size_t k = 0; k < n; k++) memcpy(to + bytes * k, from + (int64_t)k * stride * (int64_t)bytes, bytes);
}

void pcs_move(const pcs_arg *out, const pcs_arg *in, int64_t offset, const int64_t *strides, uint32_t ith, uint32_t nth)
{
    pcs_spread s = { .dims = out->dims, .n = 1 };
    const size_t bytes = pcs_dtype_bytes(out->dtype);
    uint64_t begin, end;
    if (!pcs_arg_count(out)) return;
    memcpy(s.shape, out->shape, out->dims * sizeof s.shape[0]);
    memcpy(s.stride[0], strides, out->dims * sizeof s.shape[0]);
    finish(&s);
    pcs_share((uint64_t)s.outer, 1, ith, nth, &begin, &end);
    if (begin == end) return;
    int64_t at, index[PCS_GRAPH_DIMS + 1];
    begin_row(&s, (int64_t)begin, index, &at);
    for (int64_t r = (int64_t)begin; r < (int64_t)end; r++, next_row(&s, index, &at)) {
        move_row((char *)out->data + (size_t)(r * s.inner) * bytes,
                 (const char *)in->data + (offset + at) * (int64_t)bytes, s.stride[0][s.dims - 1], (size_t)s.inner,
                 bytes);
    }
}
