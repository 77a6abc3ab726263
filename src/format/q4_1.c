/* q4_1.c - 32 weights: f16 scale and f16 minimum, 4-bit codes. w = d * q + min. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    m[0] = m[1] = -pcs_f16_to_f32(pcs_load16(src + 2));
    pcs_nibbles_get(src + 4, q, 0);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    pcs_store16(dst, p->d);
    pcs_store16(dst + 2, p->m);
    pcs_nibbles_put(q, 0, dst + 4);
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 2, 2, false }, { 4, 16, 4, false }, { 0 } };

const pcs_format pcs_format_q4_1 = {
    .name = "Q4_1", .id = 3, .block = 32, .bytes = 20, .kind = PCS_QUANT, .group = 32, .has_min = true, .code_hi = 15,
    .bound = 1.0 / 15 + 0.003, .substitute = "F16", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0), PCS_F16_AT(2)), .largest = 65504.0f
};
