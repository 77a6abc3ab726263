/* iq4_nl.c - 32 weights: f16 scale, 4-bit indices into a fixed uneven book. w = d * book[i]. */
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    d[0] = d[1] = pcs_f16_to_f32(pcs_load16(src));
    pcs_nibbles_get(src + 2, q, 0);
    for (int i = 0; i < 32; i++) q[i] = pcs_book_iq4[q[i]];
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    int8_t i4[32];
    pcs_book_index(pcs_book_iq4, q, 32, i4);
    pcs_store16(dst, p->d);
    pcs_nibbles_put(i4, 0, dst + 2);
}

static const pcs_field fields[] = { { 0, 2, 2, false }, { 2, 16, 4, false }, { 0 } };

const pcs_format pcs_format_iq4_nl = {
    .name = "IQ4_NL", .id = 20, .block = 32, .bytes = 18, .kind = PCS_QUANT, .group = 32, .code_lo = -127,
    .code_hi = 113,
    .book = pcs_book_iq4, .bound = 14.0 / 127 * 1.002, .substitute = "F16", .unpack = unpack, .pack = pack,
    .fields = fields,
    .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .largest = 65504.0f * 113
};
