/* q8_1.c - 32 weights: f32 scale, f32 sum, signed bytes; the 40-byte block of the gguf package. An activation format,
 * never seen in model files: read only. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    d[0] = d[1] = pcs_bits_f32(pcs_load32(src));
    memcpy(q, src + 8, 32);
}

const pcs_format pcs_format_q8_1 = {
    .name = "Q8_1", .id = 9, .block = 32, .bytes = 40, .kind = PCS_QUANT, .group = 32, .code_lo = -127,
    .code_hi = 127, .bound = 0.5 / 127, .substitute = "Q8_0",
    .unpack = unpack,
    .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, false))
};
