/* tq1_0.c - 256 ternary weights: five to a byte as a base-3 fraction, one f16 scale. w = d * q.
 *
 * Panels have another byte for the same five digits (format/five.h). Where two bytes of rows have the same digits (13
 * do), rows out of panels have the one that quantizers write. */
#include "format/five.h"
#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

static const uint8_t power[5] = { 1, 3, 9, 27, 81 };

/* The n-th digit of a byte that stands for a fraction of 256: multiply by 3^n, drop what is above 1,
 * times 3. */
static int8_t digit(uint8_t byte, int n)
{
    const uint8_t b = (uint8_t)(byte * power[n]);
    return (int8_t)((b * 3 >> 8) - 1);
}

static void unpack(const uint8_t *src, int8_t *q, float *d, float *m)
{
    (void)m;
    pcs_fill(d, 16, pcs_f16_to_f32(pcs_load16(src + 52)));
    for (int i = 0; i < 160; i++) q[i] = digit(src[i % 32], i / 32);
    for (int i = 0; i < 80; i++) q[160 + i] = digit(src[32 + i % 16], i / 16);
    for (int i = 0; i < 16; i++) q[240 + i] = digit(src[48 + i % 4], i / 4);
}

/* n digits at stride `step`, as the smallest byte whose fraction is at least value / 3^5. */
static uint8_t byte_of(const int8_t *q, int step, int n)
{
    unsigned v = 0;
    for (int i = 0; i < 5; i++) v = v * 3 + (i < n ? (unsigned)(q[i * step] + 1) : 0);
    return (uint8_t)((v * 256 + 242) / 243);
}

static void pack(const int8_t *q, const pcs_params *p, uint8_t *dst)
{
    for (int i = 0; i < 32; i++) dst[i] = byte_of(q + i, 32, 5);
    for (int i = 0; i < 16; i++) dst[32 + i] = byte_of(q + 160 + i, 16, 5);
    for (int i = 0; i < 4; i++) dst[48 + i] = byte_of(q + 240 + i, 4, 4);
    pcs_store16(dst + 52, p->d);
}

/* To panels, by the digits' number below 243; and back. */
#define BYTE_OF(value) (uint8_t)(((value) * 256 + 242) / 243)
#define TO_PANEL(b) PCS_FIVE_CODE((b) * 243 / 256)
#define TO_ROW(c) BYTE_OF(PCS_FIVE_VALUE(c))
static const uint8_t recode[2][256] = { PCS_ALL_BYTES(TO_PANEL), PCS_ALL_BYTES(TO_ROW) };

extern const pcs_format pcs_format_tq1_0;
static bool codes_row(const uint8_t *src, size_t n, int8_t *c, float *s)
{
    return pcs_codes_of_one_scale(&pcs_format_tq1_0, src, n, c, s);
}

static const pcs_field fields[] = { { 52, 2, 2, false }, { 0, 48, 4, false }, { 48, 4, 4, false }, { 0 } };

const pcs_format pcs_format_tq1_0 = {
    .name = "TQ1_0", .id = 34, .block = 256, .bytes = 54, .kind = PCS_QUANT, .group = 256, .code_lo = -1, .code_hi = 1,
    .bound = 0.502, .substitute = "Q4_0", .unpack = unpack, .pack = pack, .fields = fields, .recode = recode,
    .numbers = PCS_NUMBERS(PCS_F16_AT(52)), .largest = 65504.0f, .codes_row = codes_row
};
