/* iq1_s.c - 256 weights in groups of 32: 11-bit indices of 8 ternary weights, 3-bit scales, and a shift
 * of an eighth up or down per group. Codes are 8 * ternary +- 1, so the scale is an eighth. */
#include "format/five.h"
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    for (int g = 0; g < 8; g++) {
        const uint16_t h = pcs_load16(src + 34 + 2 * g);
        d[2 * g] = d[2 * g + 1] = d0 * (float)(2 * (h >> 12 & 7) + 1) * 0.125f;
        for (int k = 0; k < 4; k++) {
            const int entry = src[2 + 4 * g + k] | (h >> (3 * k) & 7) << 8;
            pcs_grid1_put(pcs_grid_iq1[entry], h & 0x8000 ? -1 : 1, q + 32 * g + 8 * k);
        }
    }
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    for (int g = 0; g < 8; g++) {
        uint32_t h = (uint32_t)b->sc[g] << 12 | (b->shift[4 * g] < 0 ? 0x8000u : 0u);
        for (int k = 0; k < 4; k++) {
            dst[2 + 4 * g + k] = (uint8_t)b->index[4 * g + k];
            h |= (uint32_t)(b->index[4 * g + k] >> 8) << (3 * k);
        }
        pcs_store16(dst + 34 + 2 * g, (uint16_t)h);
    }
}

static const pcs_iq table = {
    .vec = 8, .bits = 2, .group = 32, .entries = 2048, .grid = pcs_grid_iq1, .value = { -8, 0, 8, 0 },
    .shift_every = 32, .mul = 0.25f, .sc_hi = 7, .bytes = 50, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

/* In panels: d, of each 32 weights the scale and, as bit 3, the shift, and digits, since a book of 2048 is slower to
 * look up than to read 16 % more bytes. */
enum { SCALES = 2, DIGITS = 6 };

static void to(const uint8_t *block, uint8_t *form)
{
    uint16_t entry[32];
    memcpy(form, block, 2);
    memset(form + SCALES, 0, 4);
    for (int g = 0; g < 8; g++) {
        const uint16_t h = pcs_load16(block + 34 + 2 * g);
        form[SCALES + g / 2] |= (uint8_t)(h >> 12 << (g % 2 * 4));
        for (int k = 0; k < 4; k++) entry[4 * g + k] = pcs_grid_iq1[block[2 + 4 * g + k] | (h >> (3 * k) & 7) << 8];
    }
    pcs_five_put(entry, form + DIGITS);
}

static void back(const uint8_t *form, uint8_t *block)
{
    uint16_t entry[32];
    memcpy(block, form, 2);
    pcs_five_get(form + DIGITS, entry);
    for (int g = 0; g < 8; g++) {
        uint32_t h = (uint32_t)(form[SCALES + g / 2] >> (g % 2 * 4) & 15) << 12;
        for (int k = 0; k < 4; k++) {
            const uint32_t index = (uint32_t)pcs_grid_find(pcs_grid_iq1, 2048, entry[4 * g + k]);
            block[2 + 4 * g + k] = (uint8_t)index;
            h |= (index >> 8) << (3 * k);
        }
        pcs_store16(block + 34 + 2 * g, (uint16_t)h);
    }
}

static const pcs_form form = { DIGITS + PCS_FIVE_BYTES, to, back };
static const pcs_field fields[] = {
    { 0, 2, 2, false }, { SCALES, 4, 1, false }, { DIGITS, PCS_FIVE_BYTES, 4, false }, { 0 }
};

const pcs_format pcs_format_iq1_s = {
    .name = "IQ1_S", .id = 19, .block = 256, .bytes = 50, .kind = PCS_QUANT, .group = 32, .code_lo = -9,
    .code_hi = 9, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
