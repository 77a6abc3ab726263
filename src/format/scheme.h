/* scheme.h - integer schemes: INTb (symmetric) and UINTb (with a whole zero point) of 1 to 8 bits, with one scale per
 * group of 32, 64 or 128 weights, per row (C: output channel) or per tensor (T). Any row length.
 *
 * Bytes of a group: f16 scale, for UINT the zero point, codes in little-endian bit order. Rows of C and T begin with
 * an f32 scale and, for UINT, the zero point in four bytes; then blocks of 32 codes. w = scale * (code - zero). The
 * codes of INT are stored with 2^(b-1) added. */
#ifndef PCS_SCHEME_H
#define PCS_SCHEME_H

#include "format/format.h"
#include "base/f16.h"
#include "format/number.h"

/* Eight codes of `bits` bits as eight bytes: halves of what is left part three times. */
PCS_INLINE uint64_t pcs_bits_apart(uint64_t v, int bits)
{
    const uint64_t byte = 0x0101010101010101u * ((1u << bits) - 1), four = (uint64_t)1 << (4 * bits);
    const uint64_t two = (((uint64_t)1 << (2 * bits)) - 1) * 0x0000000100000001u;
    const uint64_t one = (((uint64_t)1 << bits) - 1) * 0x0001000100010001u;
    if (bits == 8) return v;
    v = (v & (four - 1)) | (v >> (4 * bits)) << 32;
    v = (v & two) | (v >> (2 * bits) & two) << 16;
    return ((v & one) | (v >> bits & one) << 8) & byte;
}

/* n codes of `bits` bits, n a multiple of 8; loops that vectors are made of where codes end with bytes. */
PCS_INLINE void pcs_bits_get(const uint8_t *src, int bits, int n, int offset, int8_t *q)
{
    if (bits == 8)
        for (int i = 0; i < n; i++) q[i] = (int8_t)(src[i] - offset);
    else if (bits == 4)
        for (int i = 0; i < n / 2; i++) {
            q[2 * i] = (int8_t)((src[i] & 15) - offset);
            q[2 * i + 1] = (int8_t)((src[i] >> 4) - offset);
        }
    else
        for (int i = 0; i < n; i += 8, src += bits) {
            uint64_t v = 0;
            for (int b = 0; b < bits; b++) v |= (uint64_t)src[b] << (8 * b);
            /* bytes are subtracted one by one: no borrow leaves one whose top bit was set */
            const uint64_t tops = 0x8080808080808080u, off = 0x0101010101010101u * (unsigned)offset;
            v = ((pcs_bits_apart(v, bits) | tops) - off) ^ tops;
            memcpy(q + i, &v, 8);
        }
}

PCS_INLINE void pcs_bits_put(const int8_t *q, int bits, int n, int offset, uint8_t *dst)
{
    for (int i = 0; i < n; i += 8, dst += bits) {
        uint64_t v = 0;
        for (int k = 0; k < 8; k++) v |= (uint64_t)((unsigned)(q[i + k] + offset) & ((1u << bits) - 1)) << (bits * k);
        for (int b = 0; b < bits; b++) dst[b] = (uint8_t)(v >> (8 * b));
    }
}

/* Codes of UINT8 leave int8: they are stored less 128, and so is their zero point. */
#define PCS_SHIFT(bits, affine) ((affine) ? ((bits) == 8 ? 128 : 0) : 1 << ((bits) - 1))

/* d, and m where there is a zero point, of a group of n. */
PCS_INLINE void pcs_group_scale(const uint8_t *src, bool affine, int zero, int n, float *d, float *m)
{
    const float s = pcs_f16_to_f32(pcs_load16(src));
    for (int i = 0; i < n / 16; i++) {
        d[i] = s;
        if (affine) m[i] = s * (float)((int)src[2] - zero);
    }
}

PCS_INLINE void pcs_group_put(const int8_t *q, const pcs_params *p, int bits, bool affine, int n, uint8_t *dst)
{
    pcs_store16(dst, p->d);
    if (affine) dst[2] = (uint8_t)((int)(int8_t)p->mn[0] + PCS_SHIFT(bits, true));
    pcs_bits_put(q, bits, n, PCS_SHIFT(bits, affine), dst + 2 + affine);
}

PCS_INLINE void pcs_head_get(const uint8_t *src, bool affine, float *d, float *m)
{
    *d = pcs_bits_f32(pcs_load32(src));
    *m = affine ? *d * (float)(int32_t)pcs_load32(src + 4) : 0.0f;
}

PCS_INLINE void pcs_head_put(float d, int zero, bool affine, uint8_t *dst)
{
    const uint32_t u = pcs_f32_bits(d);
    const int32_t z = zero;
    memcpy(dst, &u, 4);
    if (affine) memcpy(dst + 4, &z, 4);
}

#define PCS_CODE_LO(bits, affine) ((affine) ? -((bits) == 8 ? 128 : 0) : (bits) == 1 ? -1 : -(1 << ((bits) - 1)))
#define PCS_CODE_HI(bits, affine) ((affine) ? PCS_HI_AFFINE(bits) : (bits) == 1 ? 1 : (1 << ((bits) - 1)) - 1)
#define PCS_HI_AFFINE(bits) ((bits) == 8 ? 127 : (1 << (bits)) - 1)
#define PCS_SCHEME_BOUND(bits, affine) ((affine) ? 1.01 / ((1 << (bits)) - 1) * 2 : 1.01 / (1 << ((bits) - 1)))

#define PCS_SCHEME_GROUP(ID, NAME, ident, bits, affine, n)                                                   \
    static void unpack_##ident(const uint8_t *src, int8_t *q, float *d, float *m)                            \
    {                                                                                                        \
        pcs_group_scale(src, affine, PCS_SHIFT(bits, true), n, d, m);                                        \
        pcs_bits_get(src + 2 + affine, bits, n, PCS_SHIFT(bits, affine), q);                                 \
    }                                                                                                        \
    static void pack_##ident(const int8_t *q, const pcs_params *p, uint8_t *dst)                             \
    {                                                                                                        \
        pcs_group_put(q, p, bits, affine, n, dst);                                                           \
    }                                                                                                        \
    const pcs_format pcs_format_##ident = {                                                                  \
        .name = NAME, .id = ID, .block = n, .bytes = 2 + affine + n * bits / 8, .kind = PCS_QUANT,           \
        .group = n, .has_min = affine, .code_lo = PCS_CODE_LO(bits, affine),                                 \
        .code_hi = PCS_CODE_HI(bits, affine), .scale = affine ? PCS_SCALE_ZERO : PCS_SCALE_F16,              \
        .padded = true, .bound = PCS_SCHEME_BOUND(bits, affine), .unpack = unpack_##ident,                   \
        .pack = pack_##ident, .numbers = PCS_NUMBERS(PCS_F16_AT(0)), .field_bits = bits,                     \
        .largest = 65504.0f * ((affine) ? (float)((1 << (bits)) - 1) / 2 : (float)PCS_CODE_HI(bits, affine)) \
    };

/* codes_row of symmetric rows of C and T. */
PCS_INLINE bool pcs_row_of_codes(const uint8_t *src, size_t n, int bits, int offset, int8_t *c, float *s)
{
    float none;
    pcs_head_get(src, false, s, &none);
    for (size_t i = 0; i < n && c; i += 32) pcs_bits_get(src + 4 + i / 8 * (size_t)bits, bits, 32, offset, c + i);
    return true;
}

#define PCS_SCHEME_ROW(ID, NAME, ident, bits, affine, whole)                                              \
    static void unpack_##ident(const uint8_t *src, int8_t *q, float *d, float *m)                         \
    {                                                                                                     \
        (void)d;                                                                                          \
        (void)m;                                                                                          \
        pcs_bits_get(src, bits, 32, PCS_SHIFT(bits, affine), q);                                          \
    }                                                                                                     \
    static void row_##ident(const uint8_t *src, size_t n, int8_t *q, float *d, float *m)                  \
    {                                                                                                     \
        pcs_head_get(src, affine, d, m);                                                                  \
        src += affine ? 8 : 4;                                                                            \
        for (size_t i = 1; i < (n + 31) / 32 * 2; i++) d[i] = d[0], m[i] = m[0];                          \
        for (size_t i = 0; i < n; i += 32, src += 4 * bits)                                               \
            pcs_bits_get(src, bits, 32, PCS_SHIFT(bits, affine), q + i);                                  \
    }                                                                                                     \
    static void pack_##ident(const int8_t *q, const pcs_params *p, uint8_t *dst)                          \
    {                                                                                                     \
        (void)p;                                                                                          \
        pcs_bits_put(q, bits, 32, PCS_SHIFT(bits, affine), dst);                                          \
    }                                                                                                     \
    static void pack_row_##ident(size_t n, const int8_t *q, float d, int zero, uint8_t *dst)              \
    {                                                                                                     \
        pcs_head_put(d, zero, affine, dst);                                                               \
        dst += affine ? 8 : 4;                                                                            \
        for (size_t i = 0; i < n; i += 32, dst += 4 * bits)                                               \
            pcs_bits_put(q + i, bits, 32, PCS_SHIFT(bits, affine), dst);                                  \
    }                                                                                                     \
    static bool codes_##ident(const uint8_t *src, size_t n, int8_t *c, float *s)                          \
    {                                                                                                     \
        return pcs_row_of_codes(src, n, bits, PCS_SHIFT(bits, affine), c, s);                             \
    }                                                                                                     \
    const pcs_format pcs_format_##ident = {                                                               \
        .name = NAME, .id = ID, .block = 32, .bytes = 4 * bits, .kind = PCS_QUANT, .group = 32,           \
        .has_min = affine, .code_lo = PCS_CODE_LO(bits, affine), .code_hi = PCS_CODE_HI(bits, affine),    \
        .head = affine ? 8 : 4, .padded = true, .tensor = whole, .bound = PCS_SCHEME_BOUND(bits, affine), \
        .unpack = unpack_##ident, .pack = pack_##ident, .unpack_row = row_##ident,                        \
        .pack_row = pack_row_##ident, .numbers = PCS_NUMBERS(PCS_F32_SCALE(0, true)),                     \
        .codes_row = affine ? NULL : codes_##ident, .row_bits = affine ? 0 : bits, .field_bits = bits     \
    };

#define PCS_SCHEMES(ID, bits)                                                         \
    PCS_SCHEME_ROW(ID, "INT" #bits "_T", int##bits##_t, bits, false, true)            \
    PCS_SCHEME_ROW(ID + 1, "INT" #bits "_C", int##bits##_c, bits, false, false)       \
    PCS_SCHEME_GROUP(ID + 2, "INT" #bits "_G32", int##bits##_g32, bits, false, 32)    \
    PCS_SCHEME_GROUP(ID + 3, "INT" #bits "_G64", int##bits##_g64, bits, false, 64)    \
    PCS_SCHEME_GROUP(ID + 4, "INT" #bits "_G128", int##bits##_g128, bits, false, 128) \
    PCS_SCHEME_ROW(ID + 5, "UINT" #bits "_T", uint##bits##_t, bits, true, true)       \
    PCS_SCHEME_ROW(ID + 6, "UINT" #bits "_C", uint##bits##_c, bits, true, false)      \
    PCS_SCHEME_GROUP(ID + 7, "UINT" #bits "_G32", uint##bits##_g32, bits, true, 32)   \
    PCS_SCHEME_GROUP(ID + 8, "UINT" #bits "_G64", uint##bits##_g64, bits, true, 64)   \
    PCS_SCHEME_GROUP(ID + 9, "UINT" #bits "_G128", uint##bits##_g128, bits, true, 128)

#endif
