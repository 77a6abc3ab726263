/* iq1_s.c - 256 weights in groups of 32: 11-bit indices of 8 ternary weights, 3-bit scales, and a shift
 * of an eighth up or down per group. Codes are 8 * ternary +- 1, so the scale is an eighth. */
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

const pcs_format pcs_format_iq1_s = {
    .name = "IQ1_S", .id = 19, .block = 256, .bytes = 50, .kind = PCS_QUANT, .group = 32, .code_lo = -9,
    .code_hi = 9, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack, .encode = encode,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f
};
