/* ternary.c - codes -1, 0, 1 in 2 bits times the tensor's mean of |w| (BitNet b1.58: Ma et al. 2024, equations 1 to
 * 3); and binary: the sign times the row's mean of |w|. Any row length; rows begin with the scale in f32. */
#include "format/number.h"
#include "format/scheme.h"

static void unpack_ternary(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)d;
    (void)m;
    pcs_bits_get(src, 2, 32, 1, q);
}
static void row_ternary(const uint8_t *src, size_t n, int8_t *q, float *d, float *m)
{
    pcs_head_get(src, false, d, m);
    for (size_t i = 1; i < (n + 31) / 32 * 2; i++) d[i] = d[0];
    for (size_t i = 0; i < n; i += 32) pcs_bits_get(src + 4 + i / 4, 2, 32, 1, q + i);
}
static void pack_ternary(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    (void)p;
    pcs_bits_put(q, 2, 32, 1, dst);
}
static void pack_row_ternary(size_t n, const int8_t *q, float d, int zero, uint8_t *dst)
{
    pcs_head_put(d, zero, false, dst);
    for (size_t i = 0; i < n; i += 32) pcs_bits_put(q + i, 2, 32, 1, dst + 4 + i / 4);
}

static bool codes_ternary(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    return pcs_row_of_codes(src, n, 2, 1, c, s);
}

const pcs_format pcs_format_ternary = {
    .name = "TERNARY", .id = 1300, .block = 32, .bytes = 8, .kind = PCS_QUANT, .group = 32, .code_lo = -1,
    .code_hi = 1, .head = 4, .padded = true,
    .tensor = true, .bound = 1.01, .twin = "TQ2_0", .unpack = unpack_ternary, .pack = pack_ternary,
    .unpack_row = row_ternary, .pack_row = pack_row_ternary,
    .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, true)), .codes_row = codes_ternary, .row_bits = 2
};

/* 1: plus, 0: minus. */
static void signs(const uint8_t *src, int8_t *q)
{
    for (int i = 0; i < 32; i++) q[i] = src[i / 8] >> (i % 8) & 1 ? 1 : -1;
}
static void unpack_binary(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)d;
    (void)m;
    signs(src, q);
}
static void row_binary(const uint8_t *src, size_t n, int8_t *q, float *d, float *m)
{
    pcs_head_get(src, false, d, m);
    for (size_t i = 1; i < (n + 31) / 32 * 2; i++) d[i] = d[0];
    for (size_t i = 0; i < n; i += 32) signs(src + 4 + i / 8, q + i);
}
static void pack_binary(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    (void)p;
    memset(dst, 0, 4);
    for (int i = 0; i < 32; i++) dst[i / 8] |= (uint8_t)((q[i] > 0) << (i % 8));
}
static void pack_row_binary(size_t n, const int8_t *q, float d, int zero, uint8_t *dst)
{
    pcs_head_put(d, zero, false, dst);
    for (size_t i = 0; i < n; i += 32) pack_binary(q + i, NULL, dst + 4 + i / 8);
}
static void encode_binary(const pcs_encode_args *a)
{
    const float *x = a->x, *w = a->effort == PCS_FIT_SEARCH ? a->w : NULL;
    const size_t n = a->n;
    uint8_t *dst = a->dst;
    double sum = 0, weight = 0;
    for (size_t i = 0; i < n; i++) { /* least squares for the signs */
        const double wi = w ? (double)w[i] : 1.0;
        sum += wi * (x[i] < 0 ? -(double)x[i] : (double)x[i]);
        weight += wi;
    }
    pcs_head_put(weight > 0 ? (float)(sum / weight) : 0.0f, 0, false, dst);
    for (size_t i = 0; i < n; i += 32) {
        int8_t q[32];
        for (size_t k = 0; k < 32; k++) q[k] = i + k < n && x[i + k] < 0 ? -1 : 1;
        pack_binary(q, NULL, dst + 4 + i / 8);
    }
}

static bool codes_binary(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    float none;
    pcs_head_get(src, false, s, &none);
    for (size_t i = 0; i < n && c; i += 32) signs(src + 4 + i / 8, c + i);
    return true;
}

const pcs_format pcs_format_binary = {
    .name = "BINARY", .id = 1301, .block = 32, .bytes = 4, .kind = PCS_QUANT, .group = 32, .code_lo = -1,
    .code_hi = 1, .head = 4, .padded = true, .bound = 1.01,
    .unpack = unpack_binary, .pack = pack_binary, .unpack_row = row_binary, .pack_row = pack_row_binary,
    .encode = encode_binary,
    .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, true)), .codes_row = codes_binary, .row_bits = 1
};
