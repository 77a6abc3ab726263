/* iq1_m.c - as IQ1_S with scales per 16 weights, the shift per 8, and the f16 scale spread over the
 * high nibbles of the four scale words. */
#include "format/five.h"
#include "format/format.h"
#include "format/iq.h"
#include "base/f16.h"
#include "format/number.h"

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

static void pack_vectors(const pcs_iq_block *b, uint8_t *dst)
{
    memset(dst + 32, 0, 16);
    for (int k = 0; k < 32; k++) {
        dst[k] = (uint8_t)b->index[k];
        dst[32 + k / 2] |= (uint8_t)((b->index[k] >> 8 | (b->shift[k] < 0 ? 8 : 0)) << (k % 2 * 4));
    }
    for (int i = 0; i < 4; i++) {
        uint32_t word = (uint32_t)(b->d >> (4 * i) & 15) << 12;
        for (int s = 0; s < 4; s++) word |= (uint32_t)b->sc[4 * i + s] << (3 * s);
        pcs_store16(dst + 48 + 2 * i, (uint16_t)word);
    }
}

static const pcs_iq table = {
    .vec = 8, .bits = 2, .group = 16, .entries = 2048, .grid = pcs_grid_iq1, .value = { -8, 0, 8, 0 }, .shift_every = 8,
    .mul = 0.25f, .sc_hi = 7, .bytes = 56, .pack = pack_vectors
};
PCS_IQ_ENCODER(encode, table)

/* Four bits of the scale's exponent lie there: all ones are needed for what is not finite. */
#define SCALE_BITS { 55, 1, 1, false, 0x7f, 0x70 }
/* In panels: the scale words where rows have them, shifts, a bit for each eight weights, and digits (iq1_s.c). */
enum { WORDS = 48, SHIFTS = 56, DIGITS = 60 };

static void to(const uint8_t *block, uint8_t *form)
{
    uint16_t entry[32];
    memcpy(form + WORDS, block + WORDS, 8);
    memset(form + SHIFTS, 0, 4);
    for (int k = 0; k < 32; k++) {
        const int h = block[32 + k / 2] >> (k % 2 * 4) & 15;
        form[SHIFTS + k / 8] |= (uint8_t)(h >> 3 << (k % 8));
        entry[k] = pcs_grid_iq1[block[k] | (h & 7) << 8];
    }
    pcs_five_put(entry, form + DIGITS);
}

static void back(const uint8_t *form, uint8_t *block)
{
    uint16_t entry[32];
    memcpy(block + WORDS, form + WORDS, 8);
    memset(block + 32, 0, 16);
    pcs_five_get(form + DIGITS, entry);
    for (int k = 0; k < 32; k++) {
        const uint32_t index = (uint32_t)pcs_grid_find(pcs_grid_iq1, 2048, entry[k]);
        block[k] = (uint8_t)index;
        block[32 + k / 2] |= (uint8_t)((index >> 8 | (form[SHIFTS + k / 8] >> (k % 8) & 1u) << 3) << (k % 2 * 4));
    }
}

static const pcs_form form = { DIGITS + PCS_FIVE_BYTES, to, back };
static const pcs_field fields[] = {
    { WORDS, 8, 1, false }, { SHIFTS, 4, 4, false }, { DIGITS, PCS_FIVE_BYTES, 4, false }, { 0 }
};

const pcs_format pcs_format_iq1_m = {
    .name = "IQ1_M", .id = 29, .block = 256, .bytes = 56, .kind = PCS_QUANT, .group = 16, .code_lo = -9,
    .code_hi = 9, .bound = 1.0, .substitute = "IQ4_NL", .unpack = unpack,
    .encode = encode,
    .fields = fields, .form = &form,
    /* the half of the spread scale that has most of its exponent */
    .numbers = PCS_NUMBERS(SCALE_BITS), .largest = 65504.0f
};
