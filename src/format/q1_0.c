/* q1_0.c - 128 binary weights: f16 scale, one sign bit each (1 is plus). */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_fill(d, 8, pcs_f16_to_f32(pcs_load16(src)));
    for (int i = 0; i < 128; i++) q[i] = src[2 + i / 8] >> (i % 8) & 1 ? 1 : -1;
}

static void encode(const pcs_encode_args *a)
{
    const float *x = a->x, *w = a->effort == PCS_FIT_SEARCH ? a->w : NULL;
    uint8_t *dst = a->dst;
    for (size_t at = 0; at < a->n; at += 128, dst += a->f->bytes) {
        double sum = 0, weight = 0;
        memset(dst, 0, a->f->bytes);
        for (size_t i = 0; i < 128; i++) { /* least squares for the signs: the mean of |w| */
            const double wi = w ? (double)w[at + i] + 1e-30 : 1.0;
            sum += wi * (x[at + i] < 0 ? -(double)x[at + i] : (double)x[at + i]);
            weight += wi;
            if (x[at + i] >= 0) dst[2 + i / 8] |= (uint8_t)(1 << (i % 8));
        }
        const double d = sum / weight;
        pcs_store16(dst, pcs_f32_to_f16(d > 65504.0 ? 65504.0f : (float)d));
    }
}

const pcs_format pcs_format_q1_0 = {
    .name = "Q1_0", .id = 41, .block = 128, .bytes = 18, .kind = PCS_QUANT, .group = 128, .code_lo = -1,
    .code_hi = 1, .bound = 1.01, .substitute = "BINARY", .unpack = unpack, .encode = encode,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
