/* iq2_s.c - 256 weights in groups of 16: 10-bit grid indices, plain sign bytes, 4-bit scales. */
#include "format/format.h"
#include "format/grids.h"
#include "base/f16.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    const uint8_t *low = src + 2, *sign = src + 34, *high = src + 66, *sc = src + 74;
    for (int s = 0; s < 16; s++) d[s] = d0 * (0.5f + (float)(sc[s / 2] >> (s % 2 * 4) & 15)) * 0.25f;
    for (int k = 0; k < 32; k++)
        pcs_grid8_put(pcs_grid_iq2_s[low[k] | (high[k / 4] >> (k % 4 * 2) & 3) << 8], sign[k], q + 8 * k);
}

const pcs_format pcs_format_iq2_s = {
    .name = "IQ2_S", .id = 22, .block = 256, .bytes = 82, .kind = PCS_QUANT, .group = 16, .code_lo = -43, .code_hi = 43, .unpack = unpack
};
