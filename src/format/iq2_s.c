/* iq2_s.c - 256 weights in groups of 16: 10-bit grid indices, plain sign bytes, 4-bit scales. */
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    const uint8_t *low = src + 2, *sign = src + 34, *high = src + 66, *sc = src + 74;
    for (int s = 0; s < 16; s++) d[s] = d0 * (0.5f + (float)(sc[s / 2] >> (s % 2 * 4) & 15)) * 0.25f;
    for (int k = 0; k < 32; k++)
        pcs_grid8_put(pcs_grid_iq2_s[low[k] | (high[k / 4] >> (k % 4 * 2) & 3) << 8], sign[k], q + 8 * k);
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    memset(dst + 66, 0, 8);
    for (int k = 0; k < 32; k++) {
        dst[2 + k] = (uint8_t)b->index[k];
        dst[34 + k] = b->sign[k];
        dst[66 + k / 4] |= (uint8_t)(b->index[k] >> 8 << (k % 4 * 2));
    }
    for (int s = 0; s < 8; s++) dst[74 + s] = (uint8_t)(b->sc[2 * s] | b->sc[2 * s + 1] << 4);
}

static const pcs_iq table = {
    .vec = 8, .bits = 2, .group = 16, .entries = 1024, .grid = pcs_grid_iq2_s, .value = { 8, 25, 43, 0 }, .mul = 0.25f,
    .sc_hi = 15, .bytes = 82, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

const pcs_format pcs_format_iq2_s = {
    .name = "IQ2_S", .id = 22, .block = 256, .bytes = 82, .kind = PCS_QUANT, .group = 16, .code_lo = -43,
    .code_hi = 43, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
