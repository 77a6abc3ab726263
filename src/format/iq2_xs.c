/* iq2_xs.c - 256 weights in groups of 16: 9-bit grid index and 7-bit sign word in 16 bits, 4-bit scales. */
#include "format/format.h"
#include "format/grids.h"
#include "base/f16.h"

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

const pcs_format pcs_format_iq2_xs = {
    .name = "IQ2_XS", .id = 17, .block = 256, .bytes = 74, .kind = PCS_QUANT, .group = 16, .code_lo = -43, .code_hi = 43, .unpack = unpack
};
