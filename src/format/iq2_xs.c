/* iq2_xs.c - 256 weights in groups of 16: 9-bit grid index and 7-bit sign word in 16 bits, 4-bit scales. */
#include "format/iq.h"
#include "format/iq2.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    for (int s = 0; s < 16; s++) {
        d[s] = d0 * (0.5f + (float)(src[66 + s / 2] >> (s % 2 * 4) & 15)) * 0.25f;
        for (int k = 0; k < 2; k++) {
            const uint16_t v = pcs_load16(src + 2 + 4 * s + 2 * k);
            pcs_grid8_put(pcs_grid_iq2_xs[v & 511], pcs_sign7(v >> 9), q + 16 * s + 8 * k);
        }
    }
}

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    pcs_store16(dst, b->d);
    for (int k = 0; k < 32; k++) pcs_store16(dst + 2 + 2 * k, (uint16_t)(b->index[k] | (b->sign[k] & 127) << 9));
    for (int s = 0; s < 8; s++) dst[66 + s] = (uint8_t)(b->sc[2 * s] | b->sc[2 * s + 1] << 4);
}

static const pcs_iq table = {
    .vec = 8, .bits = 2, .group = 16, .entries = 512, .grid = pcs_grid_iq2_xs, .value = { 8, 25, 43, 0 }, .even = true,
    .mul = 0.25f, .sc_hi = 15, .bytes = 74, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

static void to(const uint8_t *block, uint8_t *form)
{
    uint16_t entry[32];
    uint8_t sign[32];
    memcpy(form, block, 2);
    memcpy(form + PCS_IQ2_SCALES, block + 66, 8);
    for (int k = 0; k < 32; k++) {
        const uint16_t v = pcs_load16(block + 2 + 2 * k);
        entry[k] = pcs_grid_iq2_xs[v & 511];
        sign[k] = pcs_sign7(v >> 9);
    }
    pcs_iq2_put(entry, sign, form);
}

static void back(const uint8_t *form, uint8_t *block)
{
    uint16_t entry[32];
    uint8_t sign[32];
    memcpy(block, form, 2);
    memcpy(block + 66, form + PCS_IQ2_SCALES, 8);
    pcs_iq2_get(form, entry, sign);
    for (int k = 0; k < 32; k++) {
        const size_t index = pcs_grid_find(pcs_grid_iq2_xs, 512, entry[k]);
        pcs_store16(block + 2 + 2 * k, (uint16_t)(index | (sign[k] & 127u) << 9));
    }
}

static const pcs_form form = { PCS_IQ2_BYTES, to, back };

const pcs_format pcs_format_iq2_xs = {
    .name = "IQ2_XS", .id = 17, .block = 256, .bytes = 74, .kind = PCS_QUANT, .group = 16, .code_lo = -43,
    .code_hi = 43, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = pcs_iq2_fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
