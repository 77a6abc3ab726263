/* pack_256.h - pack: codes by squares of four dwords; what is of one or two bytes, as the reference. */
#ifndef PCS_PACK_256_H
#define PCS_PACK_256_H

#include "kernel/kernel.h"

#include <immintrin.h>

/* Four dwords of four rows, `stride` bytes apart, to lines `line` bytes apart. */
PCS_INLINE void square(const uint8_t *w, size_t stride, uint8_t *dst, size_t line)
{
    __m128i r[4];
    for (size_t i = 0; i < 4; i++) r[i] = _mm_loadu_si128((const __m128i *)(w + i * stride));
    const __m128i a = _mm_unpacklo_epi32(r[0], r[1]), b = _mm_unpacklo_epi32(r[2], r[3]),
                  c = _mm_unpackhi_epi32(r[0], r[1]), d = _mm_unpackhi_epi32(r[2], r[3]);
    _mm_store_si128((__m128i *)dst, _mm_unpacklo_epi64(a, b));
    _mm_store_si128((__m128i *)(dst + line), _mm_unpackhi_epi64(a, b));
    _mm_store_si128((__m128i *)(dst + 2 * line), _mm_unpacklo_epi64(c, d));
    _mm_store_si128((__m128i *)(dst + 3 * line), _mm_unpackhi_epi64(c, d));
}

/* Field i of blocks [first, last). */
typedef struct { size_t i, first, last; } pack_part;

/* Its bytes and unit are known where this is inlined. */
PCS_INLINE void blocks(const pcs_pack_args *a, const pcs_panel_layout *o, pack_part part, size_t bytes, size_t unit)
{
    const size_t i = part.i, first = part.first, last = part.last;
    const size_t stride = a->row_bytes, line = o->unit[i];
    const size_t form = pcs_form_bytes(a->f);
    const uint8_t *w = a->w + first * form + a->f->fields[i].at;
    for (size_t b = first; b < last; b++, w += form) {
        uint8_t *dst = a->panel + pcs_panel_at(o, b, i);
        if (unit == 4 && bytes % 16 == 0) {
            for (size_t u = 0; u < bytes; u += 16)
                for (size_t r = 0; r < PCS_PANEL; r += 4)
                    square(w + r * stride + u, stride, dst + u / 4 * line + 4 * r, line);
        } else
            for (size_t u = 0; u < bytes; u += unit)
                for (size_t r = 0; r < PCS_PANEL; r++)
                    memcpy(dst + u / unit * line + unit * r, w + r * stride + u, unit);
    }
}

static void pack_field(const pcs_pack_args *a, const pcs_panel_layout *o, size_t i, size_t first, size_t last)
{
    const pcs_field *f = &a->f->fields[i];
    const pack_part part = { i, first, last };
#define CASE(bytes, unit) case bytes << 3 | unit: blocks(a, o, part, bytes, unit); break;
    switch (f->bytes << 3 | f->unit) {
        CASE(2, 2)
        CASE(16, 4)
        CASE(32, 4)
        CASE(64, 4)
        CASE(96, 4)
        CASE(128, 4)
        CASE(52, 4)
        CASE(8, 4)
        CASE(4, 1)
        CASE(8, 1)
        CASE(12, 1)
        CASE(16, 1)
        CASE(4, 4)
    default: blocks(a, o, part, f->bytes, f->unit);
    }
#undef CASE
}

PCS_INLINE void pack_all(const pcs_pack_args *a, pcs_pack_recode_fn *recode)
{
    if (a->rows < PCS_PANEL) { /* there is nothing after the last row */
        pcs_pack_scalar(a);
        return;
    }
    /* the next rows, in turn: 16 streams are too many */
    for (size_t at = 0; at < PCS_PANEL * a->row_bytes; at += 64)
        _mm_prefetch((const char *)a->w + PCS_PANEL * a->row_bytes + at, _MM_HINT_T1);
    pcs_pack_fields(a, pack_field, recode);
}

#endif
