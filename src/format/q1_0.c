/* q1_0.c - 128 binary weights: f16 scale, one sign bit each (1 is plus). Read only. */
#include "format/format.h"
#include "base/f16.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_fill(d, 8, pcs_f16_to_f32(pcs_load16(src)));
    for (int i = 0; i < 128; i++) q[i] = src[2 + i / 8] >> (i % 8) & 1 ? 1 : -1;
}

const pcs_format pcs_format_q1_0 = {
    .name = "Q1_0", .id = 41, .block = 128, .bytes = 18, .kind = PCS_QUANT, .group = 128, .code_lo = -1, .code_hi = 1, .unpack = unpack
};
