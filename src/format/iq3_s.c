/* iq3_s.c - 256 weights in groups of 32: 9-bit indices of 4 weights, plain sign bytes, 4-bit scales. */
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

static const int8_t value[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    const uint8_t *low = src + 2, *high = src + 66, *sign = src + 74, *sc = src + 106;
    for (int g = 0; g < 8; g++) d[2 * g] = d[2 * g + 1] = d0 * (float)(1 + 2 * (sc[g / 2] >> (g % 2 * 4) & 15));
    for (int k = 0; k < 64; k++) {
        const int entry = low[k] | (high[k / 8] >> (k % 8) & 1) << 8;
        pcs_grid4_put(value, pcs_grid_iq3_s[entry], (uint8_t)(sign[k / 2] >> (k % 2 * 4)), q + 4 * k);
    }
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    memset(dst + 66, 0, 8);
    for (int k = 0; k < 64; k++) {
        dst[2 + k] = (uint8_t)b->index[k];
        dst[66 + k / 8] |= (uint8_t)(b->index[k] >> 8 << (k % 8));
    }
    memcpy(dst + 74, b->sign, 32);
    for (int g = 0; g < 4; g++) dst[106 + g] = (uint8_t)(b->sc[2 * g] | b->sc[2 * g + 1] << 4);
}

static const pcs_iq table = {
    .vec = 4, .bits = 3, .group = 32, .entries = 512, .grid = pcs_grid_iq3_s, .value = { 1, 3, 5, 7, 9, 11, 13, 15 },
    .mul = 2.0f, .sc_hi = 15, .bytes = 110, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

/* In panels: d, scales, the indices' ninth bits, and of each 32 weights the low bytes of even vectors' indices, of odd
 * ones', and signs. Byte 4 n + j of the ninth bits has those of vectors 2 j and 2 j + 1 of groups 4 n on, two bits
 * each. */
enum { SCALES = 2, NINTH = 6, REST = 14 };

static void to(const uint8_t *block, uint8_t *form)
{
    memcpy(form, block, 2);
    memcpy(form + SCALES, block + 106, 4);
    memset(form + NINTH, 0, 8);
    for (int g = 0; g < 8; g++) {
        uint8_t *at = form + REST + 12 * g;
        for (int k = 0; k < 8; k++) at[k % 2 * 4 + k / 2] = block[2 + 8 * g + k];
        memcpy(at + 8, block + 74 + 4 * g, 4);
        for (int j = 0; j < 4; j++)
            form[NINTH + g / 4 * 4 + j] |= (uint8_t)((block[66 + g] >> (2 * j) & 3) << (g % 4 * 2));
    }
}

static void back(const uint8_t *form, uint8_t *block)
{
    memcpy(block, form, 2);
    memcpy(block + 106, form + SCALES, 4);
    for (int g = 0; g < 8; g++) {
        const uint8_t *at = form + REST + 12 * g;
        for (int k = 0; k < 8; k++) block[2 + 8 * g + k] = at[k % 2 * 4 + k / 2];
        memcpy(block + 74 + 4 * g, at + 8, 4);
        block[66 + g] = 0;
        for (int j = 0; j < 4; j++)
            block[66 + g] |= (uint8_t)((form[NINTH + g / 4 * 4 + j] >> (g % 4 * 2) & 3) << (2 * j));
    }
}

static const pcs_form form = { 110, to, back };
static const pcs_field fields[] = {
    { 0, 2, 2, false }, { SCALES, 4, 1, false }, { NINTH, 8, 4, false }, { REST, 96, 4, false }, { 0 }
};

const pcs_format pcs_format_iq3_s = {
    .name = "IQ3_S", .id = 21, .block = 256, .bytes = 110, .kind = PCS_QUANT, .group = 32, .code_lo = -15,
    .code_hi = 15, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
