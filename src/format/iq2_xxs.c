/* iq2_xxs.c - 256 weights in groups of 32: four 8-bit grid indices, four 7-bit sign words and a 4-bit
 * scale in 8 bytes. */
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    for (int g = 0; g < 8; g++, src += 8, q += 32) {
        const uint32_t word = pcs_load32(src + 6);
        d[2 * g] = d[2 * g + 1] = d0 * (0.5f + (float)(word >> 28)) * 0.25f;
        for (int k = 0; k < 4; k++)
            pcs_grid8_put(pcs_grid_iq2_xxs[src[2 + k]], pcs_sign7(word >> (7 * k) & 127), q + 8 * k);
    }
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    for (int g = 0; g < 8; g++, dst += 8) {
        uint32_t word = (uint32_t)b->sc[g] << 28;
        for (int k = 0; k < 4; k++) {
            dst[2 + k] = (uint8_t)b->index[4 * g + k];
            word |= (uint32_t)(b->sign[4 * g + k] & 127) << (7 * k);
        }
        memcpy(dst + 6, &word, 4);
    }
}

static const pcs_iq table = {
    .vec = 8, .bits = 2, .group = 32, .entries = 256, .grid = pcs_grid_iq2_xxs, .value = { 8, 25, 43, 0 }, .even = true,
    .mul = 0.25f, .sc_hi = 15, .bytes = 66, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 64, 4, false }, { 0 } };

const pcs_format pcs_format_iq2_xxs = {
    .name = "IQ2_XXS", .id = 16, .block = 256, .bytes = 66, .kind = PCS_QUANT, .group = 32, .code_lo = -43,
    .code_hi = 43, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
