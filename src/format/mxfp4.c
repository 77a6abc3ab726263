/* mxfp4.c - 32 weights: E8M0 scale, E2M1 codes (OCP Microscaling Formats 1.0). Codes are doubled to
 * be whole, so the scale is half of 2^(e-127). */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static const int8_t stored[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const pcs_params p = { .d = src[0] };
    d[0] = d[1] = pcs_bits_f32(p.d < 2 ? 0x00200000u << p.d : (uint32_t)(p.d - 1) << 23);
    pcs_nibbles_get(src + 1, q, 0);
    for (int i = 0; i < 32; i++) q[i] = stored[q[i]];
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    int8_t i4[32];
    pcs_book_index(pcs_book_e2m1, q, 32, i4); /* ascending: 0 to 6 are negative, 7 and 8 zero */
    for (int i = 0; i < 32; i++) i4[i] = (int8_t)(i4[i] < 7 ? 15 - i4[i] : i4[i] == 7 ? 0 : i4[i] - 8);
    dst[0] = (uint8_t)p->d;
    pcs_nibbles_put(i4, 0, dst + 1);
}

static const pcs_field fields[] = { { 0, 1, 1, false }, { 1, 16, 4, false }, { 0 } };

const pcs_format pcs_format_mxfp4 = {
    .name = "MXFP4", .id = 39, .block = 32, .bytes = 17, .kind = PCS_QUANT, .group = 32, .code_lo = -12, .code_hi = 12,
    .book = pcs_book_e2m1, .scale = PCS_SCALE_E8M0, .bound = 0.26, .substitute = "F16", .unpack = unpack,
    .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_E8M0_AT(0)), .largest = 0x1p127f
};
