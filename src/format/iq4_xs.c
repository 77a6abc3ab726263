/* iq4_xs.c - 256 weights in 8 groups of 32: signed 6-bit scales of one f16, indices into IQ4's book. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    const float d0 = pcs_f16_to_f32(pcs_load16(src));
    const uint16_t high = pcs_load16(src + 2);
    for (int g = 0; g < 8; g++) {
        const int sc = ((src[4 + g / 2] >> (g % 2 * 4) & 15) | (high >> (2 * g) & 3) << 4) - 32;
        d[2 * g] = d[2 * g + 1] = d0 * (float)sc;
        pcs_nibbles_get(src + 8 + 16 * g, q + 32 * g, 0);
    }
    for (int i = 0; i < 256; i++) q[i] = pcs_book_iq4[q[i]];
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    int8_t i4[256];
    uint16_t high = 0;
    memset(dst, 0, 8);
    pcs_book_index(pcs_book_iq4, q, 256, i4);
    for (int g = 0; g < 8; g++) {
        const int v = p->sc[g] + 32;
        dst[4 + g / 2] |= (uint8_t)((v & 15) << (g % 2 * 4));
        high = (uint16_t)(high | (v >> 4) << (2 * g));
        pcs_nibbles_put(i4 + 32 * g, 0, dst + 8 + 16 * g);
    }
    pcs_store16(dst, p->d);
    pcs_store16(dst + 2, high);
}

static const pcs_field fields[] = {
    { 0, 2, 2, false }, { 2, 2, 2, false }, { 4, 4, 1, false }, { 8, 128, 4, false }, { 0 }
};

const pcs_format pcs_format_iq4_xs = {
    .name = "IQ4_XS", .id = 23, .block = 256, .bytes = 136, .kind = PCS_QUANT, .group = 32, .code_lo = -127,
    .code_hi = 113,
    .book = pcs_book_iq4, .scale = PCS_SCALE_SUPER, .sc_lo = -32, .sc_hi = 31, .bound = 0.13, .substitute = "IQ4_NL",
    .unpack = unpack, .pack = pack, .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f * 31 * 113
};
