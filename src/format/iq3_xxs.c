/* iq3_xxs.c - 256 weights in groups of 32: 8-bit indices of 4 weights, 7-bit sign words, 4-bit scales. */
#include "format/format.h"
#include "format/grids.h"
#include "base/f16.h"

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
            pcs_grid4_put(value, pcs_grid_iq3_xxs[src[2 + 8 * g + k]], (uint8_t)(sign >> (k % 2 * 4)), q + 32 * g + 4 * k);
        }
    }
}

const pcs_format pcs_format_iq3_xxs = {
    .name = "IQ3_XXS", .id = 18, .block = 256, .bytes = 98, .kind = PCS_QUANT, .group = 32, .code_lo = -62, .code_hi = 62, .unpack = unpack
};
