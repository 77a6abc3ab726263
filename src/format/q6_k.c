/* q6_k.c - 256 weights in 16 groups of 16: signed 8-bit scales of one f16, codes -32..31 in 4 + 2 bits. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const uint8_t *low = src, *high = src + 128;
    const float d0 = pcs_f16_to_f32(pcs_load16(src + 208));
    for (int s = 0; s < 16; s++) d[s] = d0 * (float)(int8_t)src[192 + s];
    for (int i = 0; i < 256; i++)
        q[i] = (int8_t)(((low[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15) |
                         (high[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3) << 4) - 32);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    uint8_t *low = dst, *high = dst + 128;
    memset(dst, 0, 192);
    for (int i = 0; i < 256; i++) {
        const int v = q[i] + 32;
        low[i / 128 * 64 + i % 64] |= (uint8_t)((v & 15) << (i / 64 % 2 * 4));
        high[i / 128 * 32 + i % 32] |= (uint8_t)((v >> 4) << (i / 32 % 4 * 2));
    }
    memcpy(dst + 192, p->sc, 16);
    pcs_store16(dst + 208, p->d);
}

static const pcs_field fields[] = {
    { 208, 2, 2, false }, { 192, 16, 1, false }, { 128, 32, 4, true }, { 0, 32, 4, false }, { 32, 32, 4, false },
    { 160, 32, 4, true }, { 64, 32, 4, false }, { 96, 32, 4, false }
};

const pcs_format pcs_format_q6_k = {
    .name = "Q6_K", .id = 14, .block = 256, .bytes = 210, .kind = PCS_QUANT, .group = 16, .code_lo = -32, .code_hi = 31,
    .scale = PCS_SCALE_SUPER, .sc_lo = -128, .sc_hi = 127, .bound = 0.04, .substitute = "Q8_0", .unpack = unpack,
    .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(208)), .largest = 65504.0f * 127 * 31
};
