/* q2_k.c - 256 weights in 16 groups of 16: 4-bit scales and mins of two f16, 2-bit codes. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    const float d0 = pcs_f16_to_f32(pcs_load16(src + 80)), m0 = pcs_f16_to_f32(pcs_load16(src + 82));
    for (int s = 0; s < 16; s++) {
        d[s] = d0 * (float)(src[s] & 15);
        m[s] = m0 * (float)(src[s] >> 4);
    }
    for (int i = 0; i < 256; i++) q[i] = src[16 + i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    memset(dst, 0, 80);
    for (int s = 0; s < 16; s++) dst[s] = (uint8_t)(p->sc[s] | p->mn[s] << 4);
    for (int i = 0; i < 256; i++) dst[16 + i / 128 * 32 + i % 32] |= (uint8_t)(q[i] << (i / 32 % 4 * 2));
    pcs_store16(dst + 80, p->d);
    pcs_store16(dst + 82, p->m);
}

static const pcs_field fields[] = {
    { 80, 2, 2, false }, { 82, 2, 2, false }, { 0, 16, 1, false }, { 16, 64, 4, false }, { 0 }
};

const pcs_format pcs_format_q2_k = {
    .name = "Q2_K", .id = 10, .block = 256, .bytes = 84, .kind = PCS_QUANT, .group = 16, .has_min = true, .code_hi = 3,
    .scale = PCS_SCALE_SUPER, .sc_hi = 15, .mn_hi = 15, .bound = 0.5, .substitute = "IQ4_NL", .unpack = unpack,
    .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(80), PCS_F16_AT(82)), .largest = 65504.0f * 15
};
