/* iq3_xxs.c - 256 weights in groups of 32: 8-bit indices of 4 weights, 7-bit sign words, 4-bit scales. */
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

static const int8_t value[8] = { 4, 12, 20, 28, 36, 44, 52, 62 };

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    for (int g = 0; g < 8; g++) {
        const uint32_t word = pcs_load32(src + 66 + 4 * g);
        d[2 * g] = d[2 * g + 1] = d0 * (0.5f + (float)(word >> 28)) * 0.5f;
        for (int k = 0; k < 8; k++) {
            const uint8_t sign = pcs_sign7(word >> (k / 2 * 7) & 127);
            const uint16_t entry = pcs_grid_iq3_xxs[src[2 + 8 * g + k]];
            pcs_grid4_put(value, entry, (uint8_t)(sign >> (k % 2 * 4)), q + 32 * g + 4 * k);
        }
    }
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    for (int k = 0; k < 64; k++) dst[2 + k] = (uint8_t)b->index[k];
    for (int g = 0; g < 8; g++) {
        uint32_t word = (uint32_t)b->sc[g] << 28;
        for (int k = 0; k < 4; k++) word |= (uint32_t)(b->sign[4 * g + k] & 127) << (7 * k);
        memcpy(dst + 66 + 4 * g, &word, 4);
    }
}

static const pcs_iq table = {
    .vec = 4, .bits = 3, .group = 32, .entries = 256, .grid = pcs_grid_iq3_xxs,
    .value = { 4, 12, 20, 28, 36, 44, 52, 62 }, .even = true, .mul = 0.5f, .sc_hi = 15, .bytes = 98,
    .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

/* In panels: d, and of each 32 weights the indices of even vectors, of odd ones, and their signs and scale. */
static void to(const uint8_t *block, uint8_t *form)
{
    memcpy(form, block, 2);
    for (int g = 0; g < 8; g++) {
        uint8_t *at = form + 2 + 12 * g;
        for (int k = 0; k < 8; k++) at[k % 2 * 4 + k / 2] = block[2 + 8 * g + k];
        memcpy(at + 8, block + 66 + 4 * g, 4);
    }
}

static void back(const uint8_t *form, uint8_t *block)
{
    memcpy(block, form, 2);
    for (int g = 0; g < 8; g++) {
        const uint8_t *at = form + 2 + 12 * g;
        for (int k = 0; k < 8; k++) block[2 + 8 * g + k] = at[k % 2 * 4 + k / 2];
        memcpy(block + 66 + 4 * g, at + 8, 4);
    }
}

static const pcs_form form = { 98, to, back };
static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 96, 4, false }, { 0 } };

const pcs_format pcs_format_iq3_xxs = {
    .name = "IQ3_XXS", .id = 18, .block = 256, .bytes = 98, .kind = PCS_QUANT, .group = 32, .code_lo = -62,
    .code_hi = 62, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
