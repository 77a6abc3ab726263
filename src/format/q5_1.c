/* q5_1.c - 32 weights: f16 scale and f16 minimum, 5-bit codes. w = d * q + min. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    m[0] = m[1] = -pcs_f16_to_f32(pcs_load16(src + 2));
    pcs_nibbles_get(src + 8, q, 0);
    const uint32_t high = pcs_load32(src + 4);
    for (int i = 0; i < 32; i++) q[i] = (int8_t)(q[i] + (int)(high >> i & 1) * 16);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    uint32_t high = 0;
    for (int i = 0; i < 32; i++) high |= (uint32_t)(q[i] >> 4) << i;
    pcs_store16(dst, p->d);
    pcs_store16(dst + 2, p->m);
    memcpy(dst + 4, &high, 4);
    pcs_nibbles_put(q, 0, dst + 8);
}

static const pcs_field fields[] = {
    { 0, 2, 2, false }, { 2, 2, 2, false }, { 4, 4, 4, false }, { 8, 16, 4, false }, { 0 }
};

const pcs_format pcs_format_q5_1 = {
    .name = "Q5_1", .id = 7, .block = 32, .bytes = 24, .kind = PCS_QUANT, .group = 32, .has_min = true, .code_hi = 31,
    .bound = 1.0 / 31 + 0.003, .substitute = "F16", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0), PCS_F16_AT(2)), .largest = 65504.0f
};
