/* q3_k.c - 256 weights in 16 groups of 16: signed 6-bit scales of one f16, codes -4..3 in 2 + 1 bits. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const uint8_t *high = src, *low = src + 32, *sc = src + 96;
    const float d0 = pcs_f16_to_f32(pcs_load16(src + 108));
    for (int s = 0; s < 16; s++)
        d[s] = d0 * (float)((sc[s % 8] >> (s / 8 * 4) & 15) + ((sc[8 + s % 4] >> (s / 4 * 2) & 3) << 4) - 32);
    for (int i = 0; i < 256; i++) {
        const int two = low[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
        q[i] = (int8_t)(two - (high[i % 32] >> (i / 32) & 1 ? 0 : 4));
    }
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    uint8_t *high = dst, *low = dst + 32, *sc = dst + 96;
    memset(dst, 0, 108);
    for (int s = 0; s < 16; s++) {
        const int v = p->sc[s] + 32;
        sc[s % 8] |= (uint8_t)((v & 15) << (s / 8 * 4));
        sc[8 + s % 4] |= (uint8_t)((v >> 4) << (s / 4 * 2));
    }
    for (int i = 0; i < 256; i++) {
        const int v = q[i] + 4;
        low[i / 128 * 32 + i % 32] |= (uint8_t)((v & 3) << (i / 32 % 4 * 2));
        high[i % 32] |= (uint8_t)((v >> 2) << (i / 32));
    }
    pcs_store16(dst + 108, p->d);
}

static const pcs_field fields[] = {
    { 108, 2, 2, false }, { 96, 12, 1, false }, { 0, 32, 4, true }, { 32, 32, 4, false }, { 64, 32, 4, false }, { 0 }
};

const pcs_format pcs_format_q3_k = {
    .name = "Q3_K", .id = 11, .block = 256, .bytes = 110, .kind = PCS_QUANT, .group = 16, .code_lo = -4, .code_hi = 3,
    .scale = PCS_SCALE_SUPER, .sc_lo = -32, .sc_hi = 31, .bound = 0.32, .substitute = "IQ4_NL", .unpack = unpack,
    .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(108)), .largest = 65504.0f * 31 * 3
};
