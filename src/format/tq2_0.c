/* tq2_0.c - 256 ternary weights in 2 bits each, one f16 scale. w = d * q, q in -1..1 (2 can be stored). */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_fill(d, 16, pcs_f16_to_f32(pcs_load16(src + 64)));
    for (int i = 0; i < 256; i++) q[i] = (int8_t)((src[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3) - 1);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    memset(dst, 0, 64);
    for (int i = 0; i < 256; i++) dst[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] + 1) << (i / 32 % 4 * 2));
    pcs_store16(dst + 64, p->d);
}

extern const pcs_format pcs_format_tq2_0;
static bool codes_row(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    return pcs_codes_of_one_scale(&pcs_format_tq2_0, src, n, c, s);
}

static const pcs_field fields[] = { { 64, 2, 2, false }, { 0, 64, 4, false }, { 0 } };

const pcs_format pcs_format_tq2_0 = {
    .name = "TQ2_0", .id = 35, .block = 256, .bytes = 66, .kind = PCS_QUANT, .group = 256, .code_lo = -1, .code_hi = 1,
    .bound = 0.502, .substitute = "Q4_0", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(64)), .largest = 65504.0f, .codes_row = codes_row
};
