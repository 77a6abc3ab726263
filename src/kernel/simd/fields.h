/* fields.h - rows of the integer schemes (format/scheme.h) as codes: fields of 2 to 8 bits, one after the other. A
 * scheme has no panels, so each call reads its rows this way, and one token waits for nothing else. */
#ifndef PCS_FIELDS_H
#define PCS_FIELDS_H

#include "format/scheme.h"
#include "kernel/rows.h"
#include "kernel/simd/vec.h"

#ifdef __x86_64__
#include <immintrin.h>

/* 16 codes. A field of up to 8 bits lies in two bytes: each lane of 16 bits takes the two that its field begins in, and
 * a product with a power of two moves the field to the upper byte. */
typedef struct { __m256i bytes, powers, mask; int bits; } fields_of_bits;

PCS_INLINE fields_of_bits fields_open(int bits)
{
    _Alignas(32) uint8_t bytes[32];
    _Alignas(32) uint16_t powers[16];
    for (int i = 0; i < 8; i++) {
        const int at = i * bits;
        bytes[2 * i] = bytes[16 + 2 * i] = (uint8_t)(at / 8);
        bytes[2 * i + 1] = bytes[17 + 2 * i] = (uint8_t)(at / 8 + 1);
        powers[i] = powers[8 + i] = (uint16_t)(1 << (8 - at % 8));
    }
    return (fields_of_bits){ _mm256_load_si256((const __m256i *)bytes), _mm256_load_si256((const __m256i *)powers),
                             _mm256_set1_epi16((short)((1 << bits) - 1)), bits };
}

PCS_INLINE __m256i sixteen_fields(const fields_of_bits *o, const uint8_t *src)
{
    const __m128i low = _mm_loadu_si128((const __m128i *)src),
                  high = _mm_loadu_si128((const __m128i *)(src + o->bits));
    const __m256i two = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), o->bytes);
    return _mm256_and_si256(_mm256_srli_epi16(_mm256_mullo_epi16(two, o->powers), 8), o->mask);
}

enum { FIELDS_BEHIND = 16 };
/* 32 codes. Up to FIELDS_BEHIND bytes behind theirs are read. */
PCS_INLINE __m256i thirty_two_fields(const fields_of_bits *o, const uint8_t *src)
{
    if (o->bits == 8) return _mm256_loadu_si256((const __m256i *)src);
    if (o->bits == 4) {
        const __m128i v = _mm_loadu_si128((const __m128i *)src), m = _mm_set1_epi8(15);
        const __m128i low = _mm_and_si128(v, m), high = _mm_and_si128(_mm_srli_epi16(v, 4), m);
        return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi8(low, high)),
                                       _mm_unpackhi_epi8(low, high), 1);
    }
    const __m256i a = sixteen_fields(o, src), b = sixteen_fields(o, src + 2 * o->bits);
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8);
}

/* A row of k weights, as pcs_unpack has it. */
PCS_INLINE void row_of_fields(const pcs_format *f, const uint8_t *w, size_t k, const pcs_row *r)
{
    const int bits = f->field_bits;
    const size_t n = f->block, codes = n * (size_t)bits / 8, skip = f->bytes - codes;
    const fields_of_bits o = fields_open(bits);
    const __m256i low = _mm256_set1_epi8(f->code_lo);
    if (f->head) pcs_head_get(w, f->has_min, r->d, r->m);
    for (size_t i = 1; f->head && i < (k + n - 1) / n * n / 16; i++) r->d[i] = r->d[0], r->m[i] = r->m[0];
    const uint8_t *const end = w + pcs_row_bytes(f, k);
    w += f->head;
    for (size_t at = 0; at < k; at += n, w += f->bytes) {
        _Alignas(32) uint8_t last[PCS_BLOCK_MAX / 2 + 2 * FIELDS_BEHIND]; /* what lies after a row may be nobody's */
        const uint8_t *src = w + skip;
        if (!f->head) pcs_group_scale(w, f->has_min, PCS_SHIFT(bits, true), (int)n, r->d + at / 16, r->m + at / 16);
        if (end - (src + codes) < FIELDS_BEHIND) src = memcpy(last, src, codes);
        for (size_t i = 0; i < n; i += 32)
            _mm256_storeu_si256((__m256i *)(r->q + at + i),
                                _mm256_add_epi8(thirty_two_fields(&o, src + i * (size_t)bits / 8), low));
    }
}

/* ---- a few tokens ------------------------------------------------------------------------------------------------ */

enum { FIELDS_FEW = 4, FIELDS_ROWS = 8 };

/* Products of 32 codes without a sign and 32 activations, in eight sums. Without VNNI pairs are added in 16 bits, which
 * hold two products of 7 bits: the eighth goes alone. */
PCS_INLINE __m256i fields_dot(__m256i codes, __m256i x, int bits)
{
#if defined __AVX512VNNI__ && defined __AVX512VL__
    (void)bits;
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), codes, x);
#elif defined __AVXVNNI__
    (void)bits;
    return _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), codes, x);
#else
    const __m256i ones = _mm256_set1_epi16(1), seven = _mm256_set1_epi8(127);
    if (bits < 8) return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, x), ones);
    const __m256i low = _mm256_maddubs_epi16(_mm256_and_si256(codes, seven), x),
                  high = _mm256_maddubs_epi16(_mm256_andnot_si256(seven, codes), x);
    return _mm256_add_epi32(_mm256_madd_epi16(low, ones), _mm256_madd_epi16(high, ones));
#endif
}

/* The sums of eight registers, each of eight numbers. */
PCS_INLINE __m256i eight_sums(const __m256i v[8])
{
    const __m256i a = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3])),
                  b = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]), _mm256_hadd_epi32(v[6], v[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(a, b, 0x20), _mm256_permute2x128_si256(a, b, 0x31));
}

/* Eight rows side by side: where the next block of each lies, its codes, and its scale and minimum. */
typedef struct {
    const uint8_t *row[FIELDS_ROWS], *codes[FIELDS_ROWS], *end; /* of all rows */
    uint64_t ahead; /* bytes to the eight rows behind these */
    _Alignas(32) float d[FIELDS_ROWS], m[FIELDS_ROWS];
    _Alignas(32) uint8_t last[FIELDS_ROWS][PCS_BLOCK_MAX / 2 + 2 * FIELDS_BEHIND];
} eight_rows;

PCS_INLINE void eight_rows_open(const pcs_mp_args *a, size_t n, eight_rows *e)
{
    e->end = a->w + a->n1 * a->row_bytes;
    e->ahead = FIELDS_ROWS * a->row_bytes;
    for (size_t r = 0; r < FIELDS_ROWS; r++) {
        const uint8_t *row = a->w + (n + r < a->n1 ? n + r : a->n1 - 1) * a->row_bytes;
        if (a->f->head) pcs_head_get(row, a->f->has_min, &e->d[r], &e->m[r]);
        e->row[r] = row + a->f->head;
    }
}

PCS_INLINE void eight_rows_next(const pcs_format *f, eight_rows *e, int bits, bool has_min)
{
    const size_t codes = f->block * (size_t)bits / 8, skip = f->bytes - codes;
    for (size_t r = 0; r < FIELDS_ROWS; r++) {
        for (size_t i = 0; i < f->bytes; i += 64) PCS_AHEAD_L2(e->row[r] + e->ahead + i);
        if (!f->head) pcs_group_scale(e->row[r], has_min, PCS_SHIFT(bits, true), 16, &e->d[r], &e->m[r]);
        e->codes[r] = e->row[r] + skip;
        if (e->end - (e->codes[r] + codes) < FIELDS_BEHIND) e->codes[r] = memcpy(e->last[r], e->codes[r], codes);
        e->row[r] += f->bytes;
    }
}

/* Rows n and on of all tokens, in the order of sums of the reference (mp_scalar.c). */
PCS_INLINE void few_of_fields(const pcs_mp_args *a, const fields_of_bits *o, size_t n, int tokens, bool has_min)
{
    const pcs_format *f = a->f;
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(f, a->k), each = f->block / 32;
    __m256 acc[FIELDS_FEW];
    eight_rows e;
    eight_rows_open(a, n, &e);
    for (int t = 0; t < tokens; t++) acc[t] = _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g++) {
        if (g % each == 0) eight_rows_next(f, &e, o->bits, has_min);
        const __m256 d = _mm256_load_ps(e.d), m = _mm256_load_ps(e.m);
        __m256i codes[FIELDS_ROWS];
        for (int r = 0; r < FIELDS_ROWS; r++)
            codes[r] = thirty_two_fields(o, e.codes[r] + g % each * 4 * (size_t)o->bits);
        for (int t = 0; t < tokens; t++) {
            const size_t at = (size_t)t * chunks;
            const __m256i x = _mm256_loadu_si256((const __m256i *)(a->act.q + at * PCS_CHUNK + 32 * g));
            const int32_t *z = a->act.z + at * 16 + 2 * g;
            const float *s = a->act.s + at * 16 + 2 * g;
            __m256i sums[FIELDS_ROWS];
            for (int r = 0; r < FIELDS_ROWS; r++) sums[r] = fields_dot(codes[r], x, o->bits);
            const __m256i dot = _mm256_add_epi32(eight_sums(sums), _mm256_set1_epi32(f->code_lo * (z[0] + z[1])));
            acc[t] = _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(a->act.d[at * 8 + g])), _mm256_cvtepi32_ps(dot),
                                     acc[t]);
            if (has_min) acc[t] = _mm256_fnmadd_ps(m, _mm256_set1_ps(s[0] + s[1]), acc[t]);
        }
    }
    for (int t = 0; t < tokens; t++) {
        _Alignas(32) float y[FIELDS_ROWS];
        _mm256_store_ps(y, acc[t]);
        for (size_t r = 0; r < FIELDS_ROWS && n + r < a->n1; r++)
            a->y[(size_t)t * a->ldy + n + r] = y[r] + (a->bias ? a->bias[n + r] : 0.0f);
    }
}

PCS_INLINE void few_rows(const pcs_mp_args *a, int tokens)
{
    const fields_of_bits o = fields_open(a->f->field_bits);
    for (size_t n = a->n0; n < a->n1; n += FIELDS_ROWS)
        if (a->f->has_min) few_of_fields(a, &o, n, tokens, true);
        else few_of_fields(a, &o, n, tokens, false);
}

/* A few tokens straight from the rows; false: there are too many, or the rows are no scheme's. */
PCS_INLINE bool fields_few(const pcs_mp_args *a)
{
    if (!a->f->field_bits || a->m > FIELDS_FEW || !a->m) return false;
    if (a->m == 1) few_rows(a, 1);
    else few_rows(a, (int)a->m);
    return true;
}
#else
PCS_INLINE bool fields_few(const pcs_mp_args *a)
{
    (void)a;
    return false;
}
PCS_INLINE void row_of_fields(const pcs_format *f, const uint8_t *w, size_t k, const pcs_row *r)
{
    pcs_row_unpack(f, w, k, r);
}
#endif

#endif
