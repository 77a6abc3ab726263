/* mp_bf16_512.h - weights as tiles of bf16 on 512 bits: of 16 rows and 32 numbers, a line of 64 bytes has two
 * neighbours of each row side by side, for 16 lines of a step. It is what TDPBF16PS takes as its second operand.
 *
 * The numbers are pcs_decode's: its products and differences are not fused either. */
#ifndef PCS_MP_BF16_512_H
#define PCS_MP_BF16_512_H

#define VEC 64
#include "kernel/simd/decode.h"
#include "kernel/x86/bf16_512.h"
#include "kernel/x86/turn_512.h"

#ifndef MB_PANELS
#define MB_PANELS(k) pcs_bf16_panels(k) /* that are decoded at a time */
#endif

/* Byte j of each row's four, less the offset: a whole number, exact, by the bits of 2^23 + byte. */
PCS_INLINE __m512 mb_code(__m512i codes, int j, __m512 zero)
{
    const __m512i magic = _mm512_set1_epi32(0x4b000000), byte = _mm512_set1_epi32(255),
                  v = j ? _mm512_srli_epi32(codes, 8 * (unsigned)j) : codes;
    const __m512i bits = _mm512_ternarylogic_epi32(v, byte, magic, 0xea); /* (v & byte) | magic */
    return _mm512_sub_ps(_mm512_castsi512_ps(bits), zero);
}

/* Steps of a panel of codes: [first, first + n) groups of 32. */
typedef void mb_decode_fn(const pcs_panel_layout *o, const uint8_t *panel, size_t first, size_t n, uint16_t *to);

/* Codes of one format: lines in place of line, or NULL. */
typedef struct {
    line_fn *line;
    lines_fn *lines;
    scales_fn *scales;
    int offset, block, slots;
    bool has_min;
} mb_codes;

PCS_INLINE void mb_decode(const pcs_panel_layout *o, const uint8_t *panel, size_t from, size_t n, uint16_t *to,
                          const mb_codes *of)
{
    const int block = of->block, slots = of->slots;
    const size_t most = block == 256 ? 8 : 2;
    const __m512 zero = _mm512_set1_ps(8388608.0f + (float)of->offset);
    for (size_t first = from; first < from + n; first += most) {
        const size_t in = from + n - first < most ? from + n - first : most;
        const planes p = planes_of(o, panel, first * 32 / (size_t)block);
        _Alignas(64) float d[8 * 2 * 16], m[8 * 2 * 16];
        of->scales(&p, in, d, m);
        for (int g = 0; g < (int)in; g++, to += MB_TILE) {
            vec eight[8];
            if (of->lines) of->lines(&p, g, 0, eight);
#pragma GCC unroll 8
            for (int l = 0; l < 8; l++) {
                const int at = 16 * (slots * g + (slots == 2 ? l / 4 : 0));
                const __m512i codes = of->lines ? eight[l] : of->line(&p, g, l, 0);
                const __m512 dw = _mm512_load_ps(d + at);
                __m512 w[4];
                for (int j = 0; j < 4; j++) {
                    w[j] = _mm512_mul_ps(dw, mb_code(codes, j, zero));
                    if (of->has_min) w[j] = _mm512_sub_ps(w[j], _mm512_load_ps(m + at));
                }
                _mm512_store_si512(to + 64 * l, mb_line(w[0], w[1]));
                _mm512_store_si512(to + 64 * l + 32, mb_line(w[2], w[3]));
            }
        }
    }
}

#define MB_DECODE(name, line, lines, block, slots, min)                                                \
    static void mb_decode_##name(const pcs_panel_layout *o, const uint8_t *panel, size_t first, size_t n, \
                                 uint16_t *to)                                                         \
    {                                                                                                  \
        static const mb_codes of = { line, lines, scales_##name, OFFSET_##name, block, slots, min };   \
        mb_decode(o, panel, first, n, to, &of);                                                        \
    }
#define DECODER(name, block, slots, min, ...) MB_DECODE(name, line_##name, NULL, block, slots, min)
#define BOOK(name, slots, pairs) MB_DECODE(name, NULL, lines_##name, 256, slots, false)
#include "kernel/simd/decoders.def"
#undef DECODER

/* A panel of rows of k floats: bytes of one, and 16 of one k, which lie together. */
typedef struct {
    const uint8_t *at;
    size_t bytes, k;
    __m512 (*load)(const uint8_t *p);
} mb_panel;

/* Its steps [first, first + n). */
PCS_INLINE void mb_floats(mb_panel p, size_t first, size_t n, uint16_t *to)
{
    for (size_t at = first * PCS_BF16_STEP, end = at + n * PCS_BF16_STEP; at < end; at += 2, to += 32) {
        const __m512 even = at < p.k ? p.load(p.at + at * p.bytes * PCS_PANEL) : _mm512_setzero_ps();
        const __m512 odd = at + 1 < p.k ? p.load(p.at + (at + 1) * p.bytes * PCS_PANEL) : _mm512_setzero_ps();
        _mm512_store_si512(to, mb_flushed(mb_line(even, odd)));
    }
}

PCS_INLINE __m512 load_f16(const uint8_t *p) { return v_halves(p); }

#define DECODER(name, ...) extern const pcs_format pcs_format_##name;
#define FLOAT(name, ...) extern const pcs_format pcs_format_##name;
#include "kernel/simd/decoders.def"
#include "kernel/simd/floats.def"
#undef DECODER
#undef FLOAT

static mb_decode_fn *mb_decoder(const pcs_format *f)
{
    static const struct { const pcs_format *f; mb_decode_fn *decode; } rows[] = {
#define DECODER(name, ...) { &pcs_format_##name, mb_decode_##name },
#include "kernel/simd/decoders.def"
#undef DECODER
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].f == f) return rows[i].decode;
    return NULL;
}

/* Where a thread's rows become tiles: `tiles` are of pcs_bf16_panels(k) panels; panel and row are for weights that
 * lie in rows. */
typedef struct {
    const pcs_mp_bf16_args *a;
    mb_decode_fn *decode;
    bool floats;
    size_t steps;
    pcs_panel_layout o;
    uint16_t *tiles;
    uint8_t *panel;
    float *row;
} mb_work;

static mb_work mb_open(const pcs_mp_bf16_args *a)
{
    mb_work w = { .a = a, .steps = pcs_bf16_steps(a->k), .tiles = a->scratch };
    const bool panels = pcs_panels_fit(a->f, a->k);
    w.decode = panels && !a->turned ? mb_decoder(a->f) : NULL;
    w.floats = a->packed && a->f->kind == PCS_FLOAT;
    if (panels) w.o = pcs_panel_layout_of(a->f);
    w.panel = (uint8_t *)(w.tiles + MB_PANELS(a->k) * w.steps * MB_TILE);
    w.row = (float *)(void *)w.panel;
    return w;
}

/* Can steps of a panel be decoded one after another? */
PCS_INLINE bool mb_in_parts(const mb_work *w)
{
    return w->a->turned || (w->a->packed && (w->decode || w->floats));
}

/* 32 numbers of a row, in their order. */
PCS_INLINE __m512i mb_in_order(const float *x)
{
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
#ifdef __AVX512BF16__
    return mb_flushed((__m512i)_mm512_cvtne2ps_pbh(high, low));
#else
    const __m512i turns = _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24,
                                           22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return mb_flushed(_mm512_permutexvar_epi16(turns, mb_line(low, high)));
#endif
}

/* Rows n .. n + 15 (those after the last are zero): as floats, a few bytes apart from a power of two, and turned. */
static void mb_rows(const mb_work *w, size_t n, uint16_t *to)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t end = w->steps * PCS_BF16_STEP, stride = end + 16;
    for (size_t r = 0; r < PCS_PANEL; r++) {
        float *row = w->row + r * stride;
        if (n + r < a->n1) pcs_decode(a->f, a->k, a->w + (n + r) * a->row_bytes, row);
        else memset(row, 0, a->k * sizeof *row);
        for (size_t i = a->k; i < end; i++) row[i] = 0.0f;
    }
    for (size_t s = 0; s < w->steps; s++) {
        __m512i lines[16];
        for (size_t r = 0; r < 16; r++) lines[r] = mb_in_order(w->row + r * stride + s * PCS_BF16_STEP);
        turn_512(lines);
        for (size_t i = 0; i < 16; i++) _mm512_store_si512(to + s * MB_TILE + 32 * i, lines[i]);
    }
}

/* Steps [first, first + n) of the panel of rows n0 .. n0 + 15. */
static void mb_fill(const mb_work *w, size_t n0, size_t first, size_t n, uint16_t *to)
{
    const pcs_mp_bf16_args *a = w->a;
    const uint8_t *panel = a->packed ? a->w + n0 / PCS_PANEL * pcs_panel_bytes(a->f, a->k) : w->panel;
    const size_t rows = a->n1 - n0 < PCS_PANEL ? a->n1 - n0 : PCS_PANEL;
    if (a->turned) {
        const mb_turned x = { (const float *)(const void *)a->w + n0, a->turned, a->k, mb_first(rows) };
        for (size_t s = first; s < first + n; s++)
            for (size_t i = 0; i < 16; i++, to += 32) _mm512_store_si512(to, mb_turned_line(&x, s, i));
    } else if (w->decode) {
        if (!a->packed)
            PACK_PANEL(&(pcs_pack_args){ a->f, a->w + n0 * a->row_bytes, a->row_bytes, a->k, rows, w->panel });
        w->decode(&w->o, panel, first, n, to);
        /* Numbers with scales of f16 are multiples of 2^-24; scales that are powers of two may be smaller. */
        for (size_t i = 0; a->f->scale == PCS_SCALE_E8M0 && i < n * MB_TILE; i += 32)
            _mm512_store_si512(to + i, mb_flushed(_mm512_load_si512(to + i)));
    } else if (w->floats) {
#define FLOAT(name, bytes, load) \
        if (a->f == &pcs_format_##name) mb_floats((mb_panel){ panel, bytes, a->k, load }, first, n, to);
#include "kernel/simd/floats.def"
#undef FLOAT
    } else mb_rows(w, n0, to);
}

#endif
