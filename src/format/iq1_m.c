/* iq1_m.c - as IQ1_S with scales per 16 weights, the shift per 8, and the f16 scale spread over the
 * high nibbles of the four scale words. */
#include "format/format.h"
#include "format/grids.h"
#include "base/f16.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const uint8_t *high = src + 32, *sc = src + 48;
    uint16_t h16 = 0;
    for (int i = 0; i < 4; i++) h16 = (uint16_t)(h16 | (pcs_load16(sc + 2 * i) >> 12) << (4 * i));
    const float d0 = pcs_f16_to_f32(h16);
    for (int s = 0; s < 16; s++) d[s] = d0 * (float)(2 * (pcs_load16(sc + s / 4 * 2) >> (s % 4 * 3) & 7) + 1) * 0.125f;
    for (int k = 0; k < 32; k++) {
        const int h = high[k / 2] >> (k % 2 * 4) & 15;
        pcs_grid1_put(pcs_grid_iq1[src[k] | (h & 7) << 8], h & 8 ? -1 : 1, q + 8 * k);
    }
}

const pcs_format pcs_format_iq1_m = {
    .name = "IQ1_M", .id = 29, .block = 256, .bytes = 56, .kind = PCS_QUANT, .group = 16, .code_lo = -9, .code_hi = 9, .unpack = unpack
};
