/* q5_0.c - 32 weights: f16 scale, 32 fifth bits, 32 low nibbles. w = d * q, q in -16..15. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    pcs_nibbles_get(src + 6, q, 16);
    const uint32_t high = pcs_load32(src + 2);
    for (int i = 0; i < 32; i++) q[i] = (int8_t)(q[i] + (int)(high >> i & 1) * 16);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    uint32_t high = 0;
    for (int i = 0; i < 32; i++) high |= (uint32_t)(q[i] >= 0) << i; /* q + 16 >= 16 */
    pcs_store16(dst, p->d);
    memcpy(dst + 2, &high, 4);
    pcs_nibbles_put(q, 16, dst + 6);
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 4, 4, false }, { 6, 16, 4, false }, { 0 } };

const pcs_format pcs_format_q5_0 = {
    .name = "Q5_0", .id = 6, .block = 32, .bytes = 22, .kind = PCS_QUANT, .group = 32, .code_lo = -16, .code_hi = 15,
    .bound = 1.0 / 16 * 1.002, .substitute = "F16", .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f * 15
};
