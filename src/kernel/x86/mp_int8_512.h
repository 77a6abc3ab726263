/* mp_int8_512.h - weights as tiles of codes on 512 bits: of 16 rows and 64 numbers, a line of 64 bytes has four
 * neighbours of each row side by side, for 16 lines of a step. It is what TDPBSUD takes as its second operand.
 *
 * Codes are unsigned, plus an offset; that many times the sum of a token's codes comes off its products. Sums that
 * leave 32 bits meanwhile come back, as they are taken modulo 2^32. */
#ifndef PCS_MP_INT8_512_H
#define PCS_MP_INT8_512_H

#define VEC 64
#include "kernel/simd/decode.h"
#include "kernel/x86/coders_512.h"
#include "kernel/x86/turn_512.h"

enum { MI_FEW = 8, MI_PART = 16 }; /* tokens that rows multiply as they lie; steps of rows that are decoded at a time */

/* Steps [first, first + n) of a panel; the scales of its rows. */
typedef void mi_lines_fn(const pcs_panel_layout *o, const uint8_t *panel, size_t first, size_t n, uint8_t *to);
typedef void mi_scales_fn(const pcs_panel_layout *o, const uint8_t *panel, float *s);

PCS_INLINE void mi_lines(const pcs_panel_layout *o, const uint8_t *panel, size_t first, size_t n, uint8_t *to,
                         line_fn *line)
{
    for (size_t s = first; s < first + n; s += 4) { /* of a block of 256 */
        const planes p = planes_of(o, panel, s / 4);
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 8
            for (int l = 0; l < 8; l++, to += 64) _mm512_store_si512(to, line(&p, g, l, 0));
    }
}

/* Sums of a panel's rows by one token, whose codes follow one another: lines go to no memory in between. */
typedef __m512i mi_one_fn(const pcs_panel_layout *o, const uint8_t *panel, size_t steps, const int8_t *x);
PCS_INLINE __m512i mi_one(const pcs_panel_layout *o, const uint8_t *panel, size_t steps, const int8_t *x,
                          line_fn *line)
{
    const pcs_ahead ahead = pcs_cpu_ahead(1);
    const size_t block = o->bytes >> o->shift;
    const __m512i zero = _mm512_setzero_si512();
    __m512i sum[4] = { zero, zero, zero, zero };
    for (size_t b = 0; b < steps / 4; b++, x += 256) {
        const planes p = planes_of(o, panel, b);
        if (ahead.l1) {
            const char *at = (const char *)panel + b * block + ahead.l1;
            pcs_ask(at, at + block, ahead.l2 ? ahead.l2 - ahead.l1 : 0);
        }
        for (int g = 0; g < 8; g++)
#pragma GCC unroll 8
            for (int l = 0; l < 8; l++) {
                int32_t four;
                memcpy(&four, x + 32 * g + 4 * l, sizeof four);
                sum[l % 4] = _mm512_dpbusd_epi32(sum[l % 4], line(&p, g, l, 0), _mm512_set1_epi32(four));
            }
    }
    return _mm512_add_epi32(_mm512_add_epi32(sum[0], sum[1]), _mm512_add_epi32(sum[2], sum[3]));
}

#define PANELS(name)                                                                                               \
    static __m512i mi_one_##name(const pcs_panel_layout *o, const uint8_t *panel, size_t steps, const int8_t *x)   \
    {                                                                                                              \
        return mi_one(o, panel, steps, x, line_##name);                                                            \
    }                                                                                                              \
    static void mi_lines_##name(const pcs_panel_layout *o, const uint8_t *panel, size_t first, size_t n, uint8_t *to) \
    {                                                                                                              \
        mi_lines(o, panel, first, n, to, line_##name);                                                             \
    }                                                                                                              \
    static void mi_scales_##name(const pcs_panel_layout *o, const uint8_t *panel, float *s)                        \
    {                                                                                                              \
        _Alignas(64) float d[8 * 16];                                                                              \
        const planes p = planes_of(o, panel, 0);                                                                   \
        scales_##name(&p, 1, d, NULL);                                                                             \
        memcpy(s, d, 16 * sizeof *s);                                                                              \
    }
#define ROWS(name)
#include "kernel/simd/coders.def"
#undef PANELS
#undef ROWS

#define PANELS(name) extern const pcs_format pcs_format_##name;
#define ROWS(name) PANELS(name)
#include "kernel/simd/coders.def"
#undef PANELS
#undef ROWS

/* What a format's codes come by: its panels' lines; a function of a row's blocks; bytes as they lie (NULL and
 * `in_place`); or codes_row, a whole row at a time. offset: what they have too much. */
typedef struct {
    const pcs_format *f;
    mi_lines_fn *lines;
    mi_scales_fn *scales;
    mi_one_fn *one;
    coder_fn *coder;
    int32_t offset;
    bool in_place;
} mi_coder;

static mi_coder mi_coder_of(const pcs_format *f)
{
    static const mi_coder table[] = {
#define PANELS(name) \
        { &pcs_format_##name, mi_lines_##name, mi_scales_##name, mi_one_##name, NULL, OFFSET_##name, false },
#define ROWS(name) { &pcs_format_##name, NULL, NULL, NULL, code_##name, OFFSET_##name, false },
#include "kernel/simd/coders.def"
#undef PANELS
#undef ROWS
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].f == f) return table[i];
    if (f->row_bits == 8) return (mi_coder){ .f = f, .offset = 128, .in_place = true };
    if (f->row_bits) return (mi_coder){ .f = f, .coder = coder_bits[f->row_bits], .offset = -f->code_lo };
    return (mi_coder){ .f = f, .offset = 128 };
}

/* 16 rows of which tiles are made. */
typedef struct { uint8_t *tiles; float s[PCS_PANEL]; } mi_rows;

/* tiles: of pcs_int8_panels(k) panels; rows: codes of 16 rows a stride apart, or a panel; kept: of all panels that have
 * tiles, and one more. */
typedef struct {
    const pcs_mp_int8_args *a;
    mi_coder by;
    size_t steps, part, stride; /* of a row; that are decoded at a time; bytes */
    pcs_panel_layout o;
    uint8_t *tiles, *rows;
    mi_rows *kept;
} mi_work;

static mi_work mi_open(const pcs_mp_int8_args *a)
{
    mi_work w = { .a = a, .by = mi_coder_of(a->f), .steps = pcs_int8_steps(a->k), .tiles = a->scratch };
    const bool whole = !w.by.lines && !w.by.coder && !w.by.in_place;
    w.part = whole || w.steps < MI_PART ? w.steps : MI_PART;
    w.stride = w.part * PCS_INT8_STEP + (whole ? PCS_ROW_PAD : 0) + 64; /* not a power of two */
    w.rows = w.tiles + pcs_int8_panels(a->k) * w.steps * PCS_INT8_TILE;
    w.kept = (mi_rows *)(void *)(w.rows + pcs_int8_rows_room(a->k));
    if (w.by.lines) w.o = pcs_panel_layout_of(a->f);
    return w;
}

/* Codes of row n, `count` from `at` on (whole steps, those after the last weight are anything), where they lie, or in
 * `to`. */
static const uint8_t *mi_codes(const mi_work *w, size_t n, size_t at, size_t count, uint8_t *to)
{
    const pcs_mp_int8_args *a = w->a;
    const pcs_format *f = a->f;
    const uint8_t *row = a->w + n * a->row_bytes, *blocks = row + f->head + at / f->block * f->bytes;
    const size_t stored = (a->k + f->block - 1) / f->block * f->block, left = stored - at < count ? stored - at : count;
    if (w->by.in_place) return left == count ? blocks : memcpy(to, blocks, left);
    if (w->by.coder) {
        w->by.coder(blocks, left, to);
        return to;
    }
    float s;
    f->codes_row(row, a->k, (int8_t *)to, &s);
    for (size_t i = 0; i < count; i++) to[i] ^= 128;
    return to;
}

static void mi_scales(const pcs_mp_int8_args *a, size_t n, float *s)
{
    for (size_t r = 0; r < PCS_PANEL; r++)
        if (n + r < a->n1) a->f->codes_row(a->w + (n + r) * a->row_bytes, 0, NULL, &s[r]);
}

/* The panel of rows from n on. */
static const uint8_t *mi_panel(const mi_work *w, size_t n)
{
    const pcs_mp_int8_args *a = w->a;
    if (a->packed) return a->w + n / PCS_PANEL * pcs_panel_bytes(a->f, a->k);
    const size_t rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
    PACK_PANEL(&(pcs_pack_args){ a->f, a->w + n * a->row_bytes, a->row_bytes, a->k, rows, w->rows });
    return w->rows;
}

/* Steps [first, first + n) of rows n0 to n0 + 15, those after the last row that row once more; and with the first of
 * them their scales. */
static void mi_fill(const mi_work *w, size_t n0, size_t first, size_t n, mi_rows *to)
{
    const pcs_mp_int8_args *a = w->a;
    uint8_t *tile = to->tiles;
    if (w->by.lines) {
        const uint8_t *panel = mi_panel(w, n0);
        w->by.lines(&w->o, panel, first, n, tile);
        if (!first) w->by.scales(&w->o, panel, to->s);
        return;
    }
    if (!first) mi_scales(a, n0, to->s);
    for (size_t s = first; s < first + n; s += w->part) {
        const size_t part = first + n - s < w->part ? first + n - s : w->part;
        const uint8_t *rows[PCS_PANEL];
        for (size_t r = 0; r < PCS_PANEL; r++)
            rows[r] = mi_codes(w, n0 + r < a->n1 ? n0 + r : a->n1 - 1, s * PCS_INT8_STEP, part * PCS_INT8_STEP,
                               w->rows + r * w->stride);
        for (size_t i = 0; i < part; i++, tile += PCS_INT8_TILE) {
            __m512i lines[PCS_PANEL];
            for (size_t r = 0; r < PCS_PANEL; r++) lines[r] = _mm512_loadu_si512(rows[r] + i * PCS_INT8_STEP);
            turn_512(lines);
            for (size_t r = 0; r < PCS_PANEL; r++) _mm512_store_si512(tile + 64 * r, lines[r]);
        }
    }
}

/* What becomes of sums of rows n to n + 15. */
typedef struct { __mmask16 mask; __m512 scale, bias; __m512i offset; } mi_end;

static mi_end mi_end_of(const mi_work *w, size_t n, const float *s)
{
    const pcs_mp_int8_args *a = w->a;
    const size_t rows = a->n1 <= n ? 0 : a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
    const __mmask16 mask = (__mmask16)((1u << rows) - 1);
    return (mi_end){ mask, _mm512_maskz_loadu_ps(mask, s),
                     a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps(),
                     _mm512_set1_epi32(w->by.offset) };
}

PCS_INLINE void mi_store(const mi_work *w, const mi_end *e, __m512i sum, size_t t, size_t n)
{
    const pcs_mp_int8_args *a = w->a;
    sum = _mm512_sub_epi32(sum, _mm512_mullo_epi32(e->offset, _mm512_set1_epi32(a->act.sum[t])));
    const __m512 by = _mm512_mul_ps(_mm512_set1_ps(a->act.d[t]), e->scale);
    _mm512_mask_storeu_ps(a->y + t * a->ldy + n, e->mask,
                          _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), by), e->bias));
}

#endif
