/* q8_k.c - 256 weights: f32 scale, signed bytes, 16 sums. llama.cpp's activation format, rarely in files. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_fill(d, 16, pcs_bits_f32(pcs_load32(src)));
    memcpy(q, src + 4, 256);
}

/* The scale is kept as f16 in pcs_params, which f32 holds exactly. */
static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    const float d = pcs_f16_to_f32(p->d);
    memcpy(dst, &d, 4);
    memcpy(dst + 4, q, 256);
    for (int s = 0; s < 16; s++) {
        int sum = 0;
        for (int i = 0; i < 16; i++) sum += q[16 * s + i];
        pcs_store16(dst + 260 + 2 * s, (uint16_t)(int16_t)sum);
    }
}

const pcs_format pcs_format_q8_k = {
    .name = "Q8_K", .id = 15, .block = 256, .bytes = 292, .kind = PCS_QUANT, .group = 256, .code_lo = -127,
    .code_hi = 127,
    .bound = 0.5 / 127 + 0.0006, .substitute = "Q8_0", .unpack = unpack, .pack = pack,
    .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, false)), .largest = 65504.0f * 127, .internal = true
};
