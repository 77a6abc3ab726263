/* iq2_xs.c - 256 weights in groups of 16: 9-bit grid index and 7-bit sign word in 16 bits, 4-bit scales. */
#include "format/format.h"
#include "format/iq.h"
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

/* In panels: d, scales, and of each 32 weights the low bytes of four indices, and their signs with the ninth bit. */
enum { SCALES = 2, REST = 10 };

static void to(const uint8_t *block, uint8_t *form)
{
    memcpy(form, block, 2);
    memcpy(form + SCALES, block + 66, 8);
    for (int k = 0; k < 32; k++) {
        const uint16_t v = pcs_load16(block + 2 + 2 * k);
        uint8_t *at = form + REST + k / 4 * 8 + k % 4;
        at[0] = (uint8_t)v;
        at[4] = (uint8_t)(v >> 9 | (v >> 8 & 1) << 7);
    }
}

static void back(const uint8_t *form, uint8_t *block)
{
    memcpy(block, form, 2);
    memcpy(block + 66, form + SCALES, 8);
    for (int k = 0; k < 32; k++) {
        const uint8_t *at = form + REST + k / 4 * 8 + k % 4;
        pcs_store16(block + 2 + 2 * k, (uint16_t)(at[0] | (at[4] >> 7) << 8 | (at[4] & 127) << 9));
    }
}

static const pcs_form form = { 74, to, back };
static const pcs_field fields[] = { { 0, 2, 2, false }, { SCALES, 8, 1, false }, { REST, 64, 4, false }, { 0 } };

const pcs_format pcs_format_iq2_xs = {
    .name = "IQ2_XS", .id = 17, .block = 256, .bytes = 74, .kind = PCS_QUANT, .group = 16, .code_lo = -43,
    .code_hi = 43, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
