/* nvfp4.c - 64 weights in 4 groups of 16: unsigned E4M3 scales, E2M1 codes (doubled, so scales are
 * halved). The tensor's global scale is a tensor of its own. Read only. */
#include "format/format.h"
#include "base/f16.h"

static const int8_t stored[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

static float half_e4m3(uint8_t b)
{
    const int e = b >> 3 & 15, mant = b & 7;
    if (b == 0x7f || b == 0) return 0.0f;
    const float v = e ? (1.0f + (float)mant / 8) * pcs_bits_f32((uint32_t)(e - 7 + 127) << 23) : (float)mant * 0x1p-9f;
    return v * 0.5f;
}

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    for (int s = 0; s < 4; s++) {
        d[s] = half_e4m3(src[s]);
        for (int i = 0; i < 8; i++) {
            q[16 * s + i] = stored[src[4 + 8 * s + i] & 15];
            q[16 * s + 8 + i] = stored[src[4 + 8 * s + i] >> 4];
        }
    }
}

const pcs_format pcs_format_nvfp4 = {
    .name = "NVFP4", .id = 40, .block = 64, .bytes = 36, .kind = PCS_QUANT, .group = 16, .code_lo = -12, .code_hi = 12,
    .book = pcs_book_e2m1, .unpack = unpack
};
