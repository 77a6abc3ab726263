/* iq3_s.c - 256 weights in groups of 32: 9-bit indices of 4 weights, plain sign bytes, 4-bit scales. */
#include "format/format.h"
#include "format/grids.h"
#include "base/f16.h"

static const int8_t value[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    const uint8_t *low = src + 2, *high = src + 66, *sign = src + 74, *sc = src + 106;
    for (int g = 0; g < 8; g++) d[2 * g] = d[2 * g + 1] = d0 * (float)(1 + 2 * (sc[g / 2] >> (g % 2 * 4) & 15));
    for (int k = 0; k < 64; k++)
        pcs_grid4_put(value, pcs_grid_iq3_s[low[k] | (high[k / 8] >> (k % 8) & 1) << 8], (uint8_t)(sign[k / 2] >> (k % 2 * 4)), q + 4 * k);
}

const pcs_format pcs_format_iq3_s = {
    .name = "IQ3_S", .id = 21, .block = 256, .bytes = 110, .kind = PCS_QUANT, .group = 32, .code_lo = -15, .code_hi = 15, .unpack = unpack
};
