/* iq2_s.c - 256 weights in groups of 16: 10-bit grid indices, plain sign bytes, 4-bit scales. */
#include "format/iq.h"
#include "format/iq2.h"
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

static void to(const uint8_t *block, uint8_t *form)
{
    uint16_t entry[32];
    memcpy(form, block, 2);
    memcpy(form + PCS_IQ2_SCALES, block + 74, 8);
    for (int k = 0; k < 32; k++)
        entry[k] = pcs_grid_iq2_s[block[2 + k] | (block[66 + k / 4] >> (k % 4 * 2) & 3) << 8];
    pcs_iq2_put(entry, block + 34, form);
}

static void back(const uint8_t *form, uint8_t *block)
{
    uint16_t entry[32];
    memcpy(block, form, 2);
    memcpy(block + 74, form + PCS_IQ2_SCALES, 8);
    memset(block + 66, 0, 8);
    pcs_iq2_get(form, entry, block + 34);
    for (int k = 0; k < 32; k++) {
        const size_t index = pcs_grid_find(pcs_grid_iq2_s, 1024, entry[k]);
        block[2 + k] = (uint8_t)index;
        block[66 + k / 4] |= (uint8_t)(index >> 8 << (k % 4 * 2));
    }
}

static const pcs_form form = { PCS_IQ2_BYTES, to, back };

const pcs_format pcs_format_iq2_s = {
    .name = "IQ2_S", .id = 22, .block = 256, .bytes = 82, .kind = PCS_QUANT, .group = 16, .code_lo = -43,
    .code_hi = 43, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .fields = pcs_iq2_fields, .form = &form,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
