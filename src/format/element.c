/* element.c - floating-point elements and the formats made of them.
 *
 * E4M3 and E5M2: Micikevicius et al. 2022 (OCP 8-bit floating point 1.0); MX blocks: OCP Microscaling 1.0; NF4:
 * Dettmers et al. 2023, appendix E. */
#include "format/element.h"
#include "base/fmath_more.h"
#include "base/f16.h"
#include "format/number.h"

float pcs_element_value(const pcs_element *e, unsigned code) { return e->values[code]; }

static unsigned table_code(const pcs_element *e, float x)
{
    unsigned best = 0;
    float least = 3e38f;
    for (unsigned c = 0; c < 1u << e->bits; c++) {
        const float d = x > e->values[c] ? x - e->values[c] : e->values[c] - x;
        if (d < least) least = d, best = c;
    }
    return best;
}

unsigned pcs_element_code(const pcs_element *e, float x)
{
    if (!e->exponent_bits) return table_code(e, x);
    const int m = e->mantissa_bits;
    const uint32_t u = pcs_f32_bits(x);
    const unsigned sign = (u >> 31) << (e->bits - 1);
    float a = pcs_bits_f32(u & 0x7fffffff);
    if (!(a == a)) return e->infinities || e->nan ? sign | ((1u << (e->bits - 1)) - 1) : sign;
    if (a > e->largest) a = e->largest;
    int exp = (int)(pcs_f32_bits(a) >> 23) - 127;
    if (exp < 1 - e->bias) exp = 1 - e->bias; /* subnormals share its step */
    const float step = pcs_bits_f32((uint32_t)(exp - m + 127) << 23);
    unsigned n = (unsigned)pcs_round(a / step); /* at most 2^(m + 1) */
    unsigned field = (unsigned)(exp + e->bias) << m;
    if (n < 1u << m) return sign | n; /* subnormal: the exponent field is 0 */
    n -= 1u << m;
    return sign | (field + n); /* n == 2^m carries into the exponent */
}

static unsigned code_at(const uint8_t *src, int bits, size_t i)
{
    if (bits == 8) return src[i];
    const size_t at = i * (size_t)bits;
    const unsigned two = src[at / 8] | (at % 8 + (size_t)bits > 8 ? (unsigned)src[at / 8 + 1] << 8 : 0u);
    return two >> (at % 8) & ((1u << bits) - 1);
}

static void put_code(uint8_t *dst, int bits, size_t i, unsigned code)
{
    const size_t at = i * (size_t)bits;
    dst[at / 8] |= (uint8_t)(code << (at % 8));
    if (at % 8 + (size_t)bits > 8) dst[at / 8 + 1] |= (uint8_t)(code >> (8 - at % 8));
}

static float e8m0(uint8_t b)
{
    return b == 255 ? pcs_bits_f32(0x7fc00000) : b ? pcs_bits_f32((uint32_t)b << 23) : 0x1p-127f;
}

/* Bytes of a block's scale, and its value. */
static size_t scale_of(const pcs_element *e, const uint8_t *src, float *s)
{
    switch (e->place) {
    case PCS_AT_BLOCK_F32: *s = pcs_bits_f32(pcs_load32(src)); return 4;
    case PCS_AT_BLOCK_F16: *s = pcs_f16_to_f32(pcs_load16(src)); return 2;
    case PCS_AT_BLOCK_E8M0: *s = e8m0(src[0]); return 1;
    default: return 0;
    }
}

const uint8_t *pcs_element_codes(const pcs_format *f, const uint8_t *row, size_t at, float *scale)
{
    *scale = f->head ? pcs_bits_f32(pcs_load32(row)) : 1.0f;
    const uint8_t *block = row + f->head + at / f->block * f->bytes;
    return block + scale_of(f->element, block, scale) + at % f->block;
}

void pcs_element_decode(const pcs_format *f, size_t n, const uint8_t *src, float *dst)
{
    const pcs_element *e = f->element;
    const float *value = e->values;
    float s = 1.0f;
    const size_t step = f->block > 1 ? f->block : n; /* without blocks: all at once */
    if (f->head) s = pcs_bits_f32(pcs_load32(src));
    src += f->head;
    for (size_t at = 0; at < n; at += step, src += f->bytes) {
        const size_t k = n - at < step ? n - at : step, skip = scale_of(e, src, &s);
        const uint8_t *codes = src + skip;
        float *to = dst + at;
        if (e->bits == 8)
            for (size_t i = 0; i < k; i++) to[i] = s * value[codes[i]];
        else if (e->bits == 4) {
            for (size_t i = 0; i < k / 2; i++) {
                to[2 * i] = s * value[codes[i] & 15];
                to[2 * i + 1] = s * value[codes[i] >> 4];
            }
            if (k % 2) to[k - 1] = s * value[codes[k / 2] & 15];
        } else
            for (size_t i = 0; i < k; i++) to[i] = s * value[code_at(codes, e->bits, i)];
    }
}

static double error_at(const pcs_element *e, size_t n, const float *x, const float *w, float s)
{
    double err = 0;
    for (size_t i = 0; i < n; i++) {
        const unsigned code = pcs_element_code(e, s > 0 ? x[i] / s : 0.0f);
        const double d = (double)x[i] - (double)(s * pcs_element_value(e, code));
        err += (w ? (double)w[i] : 1.0) * d * d;
    }
    return err;
}

static float storable(const pcs_element *e, float s)
{
    if (e->place == PCS_AT_BLOCK_F16) return pcs_f16_to_f32(pcs_f32_to_f16(s > 65504.0f ? 65504.0f : s));
    return s;
}

/* The scale of one block or row. */
static float fit_scale(const pcs_element *e, size_t n, const float *x, const float *w, pcs_fit_effort effort, float top)
{
    if (e->place == PCS_AT_BLOCK_E8M0) {
        int exponent = 0;
        while (exponent < 15 && (float)(2u << exponent) <= e->largest) exponent++;
        const int first = pcs_e8m0_scale(top, exponent, e->largest, e->mantissa_bits, effort);
        if (effort != PCS_FIT_SEARCH) return e8m0((uint8_t)first);
        float best = e8m0((uint8_t)first);
        double least = error_at(e, n, x, w, best);
        for (int c = first > 0 ? first - 1 : 1; c <= first + 1 && c <= 254; c++) {
            const double err = error_at(e, n, x, w, e8m0((uint8_t)c));
            if (err < least) least = err, best = e8m0((uint8_t)c);
        }
        return best;
    }
    float best = storable(e, top / e->largest);
    if (effort != PCS_FIT_SEARCH || !(best > 0)) return best;
    double least = error_at(e, n, x, w, best);
    for (int k = 1; k <= 12; k++) {
        const float s = storable(e, top / e->largest * (1.0f - 0.03f * (float)k));
        const double err = error_at(e, n, x, w, s);
        if (err < least) least = err, best = s;
    }
    return best;
}

static float largest_in(size_t n, const float *x)
{
    float top = 0;
    for (size_t i = 0; i < n; i++) {
        const float a = x[i] < 0 ? -x[i] : x[i];
        top = a > top ? a : top;
    }
    return top;
}

void pcs_element_encode(const pcs_encode_args *a)
{
    const pcs_format *f = a->f;
    const pcs_element *e = f->element;
    const size_t n = a->n;
    const float *x = a->x, *w = a->w;
    uint8_t *dst = a->dst;
    float s = 1.0f;
    if (e->place == PCS_AT_ROW && f->head) {
        const pcs_shared *all = f->tensor ? a->shared : NULL;
        if (all) s = (-all->lo > all->hi ? -all->lo : all->hi) / e->largest;
        else s = fit_scale(e, n, x, w, a->effort, largest_in(n, x));
        const uint32_t u = pcs_f32_bits(s);
        memcpy(dst, &u, 4);
    }
    dst += f->head;
    const size_t step = f->block > 1 ? f->block : n;
    for (size_t at = 0; at < n; at += step, dst += f->bytes) {
        const size_t k = n - at < step ? n - at : step;
        size_t skip = 0;
        memset(dst, 0, f->block > 1 ? f->bytes : n);
        if (e->place != PCS_AT_ROW) {
            s = fit_scale(e, k, x + at, w ? w + at : NULL, a->effort, largest_in(k, x + at));
            const uint32_t u = pcs_f32_bits(s);
            if (e->place == PCS_AT_BLOCK_F32) memcpy(dst, &u, skip = 4);
            else if (e->place == PCS_AT_BLOCK_F16) pcs_store16(dst, pcs_f32_to_f16(s)), skip = 2;
            else dst[0] = (uint8_t)(u >> 23), skip = 1;
        }
        for (size_t i = 0; i < step; i++)
            put_code(dst + skip, e->bits, i, pcs_element_code(e, i < k && s > 0 ? x[at + i] / s : 0.0f));
    }
}

/* What code c of e exponent and m mantissa bits stands for, as a constant: an exponent of 0 is that of 1 without the
 * leading 1. */
#define POWER(n) ((n) < 0 ? 1.0f / (float)(1 << ((n) < 0 ? -(n) : 0)) : (float)(1 << ((n) < 0 ? 0 : (n))))
#define EXPONENT(e, m, c) ((c) >> (m) & ((1 << (e)) - 1))
#define FRACTION(m, c) ((float)((c) & ((1 << (m)) - 1)) / (float)(1 << (m)))
#define MAGNITUDE(e, m, bias, c)                                                                  \
    (EXPONENT(e, m, c) ? (1.0f + FRACTION(m, c)) * POWER(EXPONENT(e, m, c) - (bias))              \
                       : FRACTION(m, c) * POWER(1 - (bias)))
#define SIGNED(e, m, c, v) ((c) >> ((e) + (m)) ? -(v) : (v))
#define OF_E4M3(c) SIGNED(4, 3, c, ((c) & 127) == 127 ? (float)PCS_NAN : MAGNITUDE(4, 3, 7, c))
#define OF_E5M2(c) SIGNED(5, 2, c, ((c) & 127) > 124 ? (float)PCS_NAN : ((c) & 127) == 124 ? (float)PCS_INFINITY \
                                                                        : MAGNITUDE(5, 2, 15, c))
#define OF_E3M2(c) SIGNED(3, 2, c, MAGNITUDE(3, 2, 3, c))
#define OF_E2M3(c) SIGNED(2, 3, c, MAGNITUDE(2, 3, 1, c))
#define FOUR(of, c) of(c), of((c) + 1), of((c) + 2), of((c) + 3)
#define SIXTEEN(of, c) FOUR(of, c), FOUR(of, (c) + 4), FOUR(of, (c) + 8), FOUR(of, (c) + 12)
#define CODES_64(of, c) SIXTEEN(of, c), SIXTEEN(of, (c) + 16), SIXTEEN(of, (c) + 32), SIXTEEN(of, (c) + 48)
#define CODES_256(of) CODES_64(of, 0), CODES_64(of, 64), CODES_64(of, 128), CODES_64(of, 192)
static const float e4m3_values[256] = { CODES_256(OF_E4M3) }, e5m2_values[256] = { CODES_256(OF_E5M2) };
static const float e3m2_values[64] = { CODES_64(OF_E3M2, 0) }, e2m3_values[64] = { CODES_64(OF_E2M3, 0) };

#define E4M3 .bits = 8, .exponent_bits = 4, .mantissa_bits = 3, .bias = 7, .nan = true, .largest = 448.0f, \
             .values = e4m3_values
#define E5M2 .bits = 8, .exponent_bits = 5, .mantissa_bits = 2, .bias = 15, .infinities = true, .largest = 57344.0f, \
             .values = e5m2_values
#define E3M2 .bits = 6, .exponent_bits = 3, .mantissa_bits = 2, .bias = 3, .largest = 28.0f, .values = e3m2_values
#define E2M3 .bits = 6, .exponent_bits = 2, .mantissa_bits = 3, .bias = 1, .largest = 7.5f, .values = e2m3_values

const pcs_element pcs_e4m3 = { "E4M3", E4M3 }, pcs_e5m2 = { "E5M2", E5M2 };
const pcs_element pcs_e3m2 = { "E3M2", E3M2 }, pcs_e2m3 = { "E2M3", E2M3 };

#define ELEMENT_FORMAT(ID, NAME, ident, BLOCK, BYTES, HEAD, TENSOR, BOUND, PLACE, NUMBERS, LARGEST, ...)       \
    static const pcs_element element_##ident = { .name = NAME, .place = PLACE, __VA_ARGS__ };                \
    static void decode_##ident(size_t n, const void *src, float *dst);                                       \
    static void from_##ident(size_t n, const float *src, void *dst);                                         \
    const pcs_format pcs_format_##ident = {                                                                  \
        .name = NAME, .id = ID, .block = BLOCK, .bytes = BYTES, .kind = PCS_FLOAT, .head = HEAD,             \
        .padded = BLOCK > 1 || HEAD > 0, .tensor = TENSOR, .bound = BOUND, .element = &element_##ident,      \
        .to_f32 = decode_##ident, .from_f32 = from_##ident, .numbers = NUMBERS, .largest = LARGEST,          \
        .encode = HEAD > 0 || BLOCK > 1 ? pcs_element_encode : NULL                                          \
    };                                                                                                       \
    static void decode_##ident(size_t n, const void *src, float *dst)                                        \
    {                                                                                                        \
        pcs_element_decode(&pcs_format_##ident, n, src, dst);                                                \
    }                                                                                                        \
    static void from_##ident(size_t n, const float *src, void *dst)                                          \
    {                                                                                                        \
        pcs_element_encode(&(pcs_encode_args){ .f = &pcs_format_##ident, .n = n, .x = src, .dst = dst });    \
    }

/* plain elements, as safetensors stores them */
ELEMENT_FORMAT(1400, "F8_E4M3", f8_e4m3, 1, 1, 0, false, 0, PCS_AT_ROW,
               PCS_NUMBERS(PCS_E4M3_AT(0, 1)), 448.0f, E4M3)
ELEMENT_FORMAT(1401, "F8_E5M2", f8_e5m2, 1, 1, 0, false, 0, PCS_AT_ROW,
               PCS_NUMBERS(PCS_E5M2_AT(0, 1)), 57344.0f, E5M2)
ELEMENT_FORMAT(1402, "FP8_E4M3_T", fp8_e4m3_t, 1, 1, 4, true, 0.07, PCS_AT_ROW,
               PCS_NUMBERS(PCS_F32_SCALE(0, true), PCS_E4M3_AT(0, 1)), 0, E4M3)
ELEMENT_FORMAT(1403, "FP8_E4M3_C", fp8_e4m3_c, 1, 1, 4, false, 0.07, PCS_AT_ROW,
               PCS_NUMBERS(PCS_F32_SCALE(0, true), PCS_E4M3_AT(0, 1)), 0, E4M3)
ELEMENT_FORMAT(1404, "FP8_E4M3_G128", fp8_e4m3_g128, 128, 132, 0, false, 0.07, PCS_AT_BLOCK_F32,
               PCS_NUMBERS(PCS_F32_SCALE(0, false), PCS_E4M3_AT(4, 128)), 0, E4M3)
ELEMENT_FORMAT(1405, "FP8_E5M2_T", fp8_e5m2_t, 1, 1, 4, true, 0.13, PCS_AT_ROW,
               PCS_NUMBERS(PCS_F32_SCALE(0, true), PCS_E5M2_AT(0, 1)), 0, E5M2)
ELEMENT_FORMAT(1406, "FP8_E5M2_C", fp8_e5m2_c, 1, 1, 4, false, 0.13, PCS_AT_ROW,
               PCS_NUMBERS(PCS_F32_SCALE(0, true), PCS_E5M2_AT(0, 1)), 0, E5M2)
ELEMENT_FORMAT(1407, "FP8_E5M2_G128", fp8_e5m2_g128, 128, 132, 0, false, 0.13, PCS_AT_BLOCK_F32,
               PCS_NUMBERS(PCS_F32_SCALE(0, false), PCS_E5M2_AT(4, 128)), 0, E5M2)
ELEMENT_FORMAT(1408, "MXFP8_E4M3", mxfp8_e4m3, 32, 33, 0, false, 0.13, PCS_AT_BLOCK_E8M0,
               PCS_NUMBERS(PCS_E8M0_AT(0), PCS_E4M3_AT(1, 32)), 0, E4M3)
ELEMENT_FORMAT(1409, "MXFP8_E5M2", mxfp8_e5m2, 32, 33, 0, false, 0.13, PCS_AT_BLOCK_E8M0,
               PCS_NUMBERS(PCS_E8M0_AT(0), PCS_E5M2_AT(1, 32)), 0, E5M2)
ELEMENT_FORMAT(1410, "MXFP6_E3M2", mxfp6_e3m2, 32, 25, 0, false, 0.13, PCS_AT_BLOCK_E8M0,
               PCS_NUMBERS(PCS_E8M0_AT(0)), 0, E3M2)
ELEMENT_FORMAT(1411, "MXFP6_E2M3", mxfp6_e2m3, 32, 25, 0, false, 0.13, PCS_AT_BLOCK_E8M0,
               PCS_NUMBERS(PCS_E8M0_AT(0)), 0, E2M3)

/* Quantiles of a normal distribution, as they are published. */
static const float nf4_values[16] = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f,
    -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f, 0.16093020141124725f,
    0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f
};
ELEMENT_FORMAT(1412, "NF4", nf4, 64, 34, 0, false, 0.16, PCS_AT_BLOCK_F16,
               PCS_NUMBERS(PCS_F16_AT(0)), 65504.0f, .bits = 4, .values = nf4_values, .largest = 1.0f)
