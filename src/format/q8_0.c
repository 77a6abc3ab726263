/* q8_0.c - 32 weights: f16 scale, signed bytes. w = d * q. Encoding uses -127..127 only. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    memcpy(q, src + 2, 32);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    pcs_store16(dst, p->d);
    memcpy(dst + 2, q, 32);
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 32, 4, false }, { 0 } };

const pcs_format pcs_format_q8_0 = {
    .name = "Q8_0", .id = 8, .block = 32, .bytes = 34, .kind = PCS_QUANT, .group = 32, .code_lo = -127, .code_hi = 127,
    .bound = 0.5 / 127 + 0.0006, .substitute = "F16", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f * 127
};
