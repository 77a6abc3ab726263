/* q5_k.c - 256 weights in 8 groups of 32: 6-bit scales and mins of two f16, 4 + 1-bit codes. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    const float d0 = pcs_f16_to_f32(pcs_load16(src)), m0 = pcs_f16_to_f32(pcs_load16(src + 2));
    uint8_t sc[8], mn[8];
    pcs_k4_scales_get(src + 4, sc, mn);
    for (int s = 0; s < 16; s++) {
        d[s] = d0 * (float)sc[s / 2];
        m[s] = m0 * (float)mn[s / 2];
    }
    const uint8_t *high = src + 16, *low = src + 48;
    for (int i = 0; i < 256; i++)
        q[i] = (int8_t)((low[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15) | (high[i % 32] >> (i / 32) & 1) << 4);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    uint8_t *high = dst + 16, *low = dst + 48;
    memset(dst, 0, 176);
    pcs_store16(dst, p->d);
    pcs_store16(dst + 2, p->m);
    pcs_k4_scales_put((const uint8_t *)p->sc, p->mn, dst + 4);
    for (int i = 0; i < 256; i++) {
        low[i / 64 * 32 + i % 32] |= (uint8_t)((q[i] & 15) << (i / 32 % 2 * 4));
        high[i % 32] |= (uint8_t)((q[i] >> 4) << (i / 32));
    }
}

static const pcs_field fields[] = {
    { 0, 2, 2, false }, { 2, 2, 2, false }, { 4, 12, 1, false }, { 16, 32, 4, true }, { 48, 32, 4, false },
    { 80, 96, 4, false }, { 0 }
};

const pcs_format pcs_format_q5_k = {
    .name = "Q5_K", .id = 13, .block = 256, .bytes = 176, .kind = PCS_QUANT, .group = 32, .has_min = true,
    .code_hi = 31,
    .scale = PCS_SCALE_SUPER, .sc_hi = 63, .mn_hi = 63, .bound = 0.08, .substitute = "Q5_1", .unpack = unpack,
    .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0), PCS_F16_AT(2)), .largest = 65504.0f * 63
};
