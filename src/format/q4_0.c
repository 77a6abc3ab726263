/* q4_0.c - 32 weights: f16 scale, 4-bit codes less 8. w = d * q, q in -8..7. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    pcs_nibbles_get(src + 2, q, 8);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    pcs_store16(dst, p->d);
    pcs_nibbles_put(q, 8, dst + 2);
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 16, 4, false }, { 0 } };

const pcs_format pcs_format_q4_0 = {
    .name = "Q4_0", .id = 2, .block = 32, .bytes = 18, .kind = PCS_QUANT, .group = 32, .code_lo = -8, .code_hi = 7,
    .bound = 1.0 / 8 * 1.002, .substitute = "F16", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f * 7
};
