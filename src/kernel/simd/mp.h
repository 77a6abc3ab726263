/* mp.h - panels of 16 rows for prompts, around an instruction set's tile of tokens: a line of 64 bytes is 16 rows of 4
 * codes (kernel/panels.h), so that one register multiplies 16 rows by four activations that are broadcast, and nothing
 * is summed across lanes.
 *
 * A panel is decoded once per call and used for all tokens. */
#ifndef PCS_MP_H
#define PCS_MP_H

#include "kernel/rows.h"
#include "kernel/simd/decode.h"
#include "kernel/simd/fields.h"
#ifdef __x86_64__
#include "kernel/x86/lanes.h"
#endif

/* A panel decoded: line l of codes is [16][4] of k = 4 l; d, m and start of group g are [16]. rows: of formats that
 * have no panels, as they come. */
typedef struct {
    pcs_row rows[16];
    uint8_t *panel; /* for packing */
    uint8_t *codes;
    float *d, *m;
    int32_t *start; /* where a kernel's sums of rows may start; the rows' d lay there */
} mp_panel;

/* Rows n and on, `rows` of them, and a tile of tokens from its token `first` on. */
typedef struct { size_t n, rows, tile, first; } mp_place;

/* A panel as codes + bias, d and m. */
typedef void mp_decode_fn(const pcs_panel_layout *o, const uint8_t *panel, size_t groups, uint8_t bias,
                          const mp_panel *to);

/* Codes of one format: lines in place of line, or NULL. */
typedef struct {
    line_fn *line;
    lines_fn *lines;
    scales_fn *scales;
    int offset, block, slots;
} mp_codes;

PCS_INLINE void mp_decode(const pcs_panel_layout *o, const uint8_t *panel, size_t groups, int bias, const mp_panel *to,
                          const mp_codes *of)
{
    const int block = of->block, slots = of->slots;
    const vec add = v_set8(bias - of->offset);
    const size_t most = block == 256 ? 8 : 2;
    for (size_t first = 0; first < groups; first += most) {
        const size_t in = groups - first < most ? groups - first : most;
        const planes p = planes_of(o, panel, first * 32 / (size_t)block);
        of->scales(&p, in, to->d + 16 * first * (size_t)slots, to->m + 16 * first * (size_t)slots);
        uint8_t *codes = to->codes + 512 * first;
#pragma GCC unroll 8
        for (int g = 0; g < 8; g++) {
            if ((size_t)g >= in) break;
            if (of->lines) {
                for (int h = 0; h < 64; h += VEC) {
                    vec eight[8];
                    of->lines(&p, g, h, eight);
                    for (int l = 0; l < 8; l++) v_store(codes + 512 * g + 64 * l + h, v_add8(eight[l], add));
                }
                continue;
            }
            for (int l = 0; l < 8; l++)
                for (int h = 0; h < 64; h += VEC)
                    v_store(codes + 512 * g + 64 * l + h, v_add8(of->line(&p, g, l, h), add));
        }
    }
}

#define MP_DECODE(name, line, lines, block, slots)                                                             \
    static void mp_decode_##name(const pcs_panel_layout *o, const uint8_t *panel, size_t groups, uint8_t bias, \
                                 const mp_panel *to)                                                           \
    {                                                                                                          \
        static const mp_codes of = { line, lines, scales_##name, OFFSET_##name, block, slots };                \
        mp_decode(o, panel, groups, bias, to, &of);                                                            \
    }
#define DECODER(name, block, slots, ...) MP_DECODE(name, line_##name, NULL, block, slots)
#define BOOK(name, slots, pairs) MP_DECODE(name, NULL, lines_##name, 256, slots)
#include "kernel/simd/decoders.def"
#undef DECODER

static mp_decode_fn *mp_decoder(const pcs_format *f)
{
#define DECODER(name, ...) extern const pcs_format pcs_format_##name;
#include "kernel/simd/decoders.def"
#undef DECODER
    static const struct { const pcs_format *f; mp_decode_fn *decode; } rows[] = {
#define DECODER(name, ...) { &pcs_format_##name, mp_decode_##name },
#include "kernel/simd/decoders.def"
#undef DECODER
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].f == f) return rows[i].decode;
    return NULL;
}

/* One of two in scratch. */
static mp_panel mp_panel_in(const pcs_mp_args *a, mp_decode_fn *decode, int which)
{
    const size_t chunks = pcs_chunks(a->k), codes = chunks * PCS_CHUNK, slots = chunks * 16;
    mp_panel p = { .panel = (uint8_t *)a->scratch + (size_t)which * (pcs_mp_scratch(a->k) / 2) };
    p.codes = p.panel + (decode ? pcs_panel_bytes(a->f, a->k) : 16 * codes);
    p.d = (float *)(void *)(p.codes + 16 * codes);
    p.m = p.d + 16 * slots;
    p.start = (int32_t *)(void *)(p.m + 16 * slots);
    for (int i = 0; i < 16 && !decode; i++)
        p.rows[i] = (pcs_row){ (int8_t *)p.panel + (size_t)i * codes, p.m + (size_t)(16 + i) * slots,
                               p.m + (size_t)(32 + i) * slots };
    return p;
}

/* 32 codes of each of the 16 rows as eight lines. */
#ifdef __x86_64__
PCS_INLINE void mp_lines(const mp_panel *p, size_t k, uint8_t bias)
{
    const __m256i off = _mm256_set1_epi8((char)bias);
    for (int half = 0; half < 2; half++) {
        __m256i r[8];
        for (int i = 0; i < 8; i++)
            r[i] = _mm256_add_epi8(_mm256_load_si256((const __m256i *)(p->rows[8 * half + i].q + k)), off);
        transpose8(r);
        for (int i = 0; i < 8; i++) _mm256_store_si256((__m256i *)(p->codes + k * 16 + 32 * half + 64 * i), r[i]);
    }
}
#else
PCS_INLINE void mp_lines(const mp_panel *p, size_t k, uint8_t bias)
{
    for (size_t l = 0; l < 8; l++)
        for (size_t r = 0; r < 16; r++)
            for (size_t i = 0; i < 4; i++)
                p->codes[k * 16 + 64 * l + 4 * r + i] = (uint8_t)(p->rows[r].q[k + 4 * l + i] + bias);
}
#endif

/* Rows n .. n + 15 (those from `rows` on are zero) by the format's own unpack(). */
static void mp_fill_rows(const pcs_mp_args *a, mp_panel *p, size_t n, size_t rows, uint8_t bias)
{
    const size_t chunks = pcs_chunks(a->k), step = pcs_mp_wide(a->f) ? 2 : 1, groups = pcs_mp_groups(a->f, a->k);
    for (size_t i = 0; i < 16; i++) {
        const pcs_row *r = &p->rows[i];
        if (i >= rows) {
            memset(r->q, 0, chunks * PCS_CHUNK);
            memset(r->d, 0, chunks * 16 * sizeof *r->d);
            memset(r->m, 0, chunks * 16 * sizeof *r->m);
            continue;
        }
        const uint8_t *row = a->w + (n + i) * a->row_bytes;
        if (a->f->field_bits) row_of_fields(a->f, row, a->k, r);
        else pcs_row_unpack(a->f, row, a->k, r);
        pcs_row_pad(r, a->k);
    }
    for (size_t k = 0; k < chunks * PCS_CHUNK; k += 32) mp_lines(p, k, bias);
    for (size_t g = 0; g < groups; g++)
        for (size_t i = 0; i < 16; i++) p->d[g * 16 + i] = p->rows[i].d[g * step];
    for (size_t g = 0; g < groups && a->f->has_min; g++)
        for (size_t i = 0; i < 16; i++) p->m[g * 16 + i] = p->rows[i].m[g * step];
}

/* Rows n .. n + 15 as codes + bias. */
static void mp_fill(const pcs_mp_args *a, mp_panel *p, mp_decode_fn *decode, size_t n, uint8_t bias)
{
    const size_t rows = a->n1 - n < PCS_PANEL ? a->n1 - n : PCS_PANEL;
    if (!decode) {
        mp_fill_rows(a, p, n, rows, bias);
        return;
    }
    const uint8_t *panel = a->w + n / PCS_PANEL * pcs_panel_bytes(a->f, a->k);
    if (!a->packed) {
        PACK_PANEL(&(pcs_pack_args){ a->f, a->w + n * a->row_bytes, a->row_bytes, a->k, rows, p->panel });
        panel = p->panel;
    }
    const pcs_panel_layout o = pcs_panel_layout_of(a->f);
    decode(&o, panel, a->k / 32, bias, p);
}

/* Weights of the panels that come next, asked for in parts while tiles of tokens are multiplied, so that no time is
 * spent on waiting for memory. */
typedef struct { const uint8_t *at, *end; size_t part; } mp_next;

/* panels: from row n on, next; step: tokens that a part is asked for with. */
static mp_next mp_next_from(const pcs_mp_args *a, size_t n, size_t panels, size_t step)
{
    const size_t bytes = a->packed ? pcs_panel_bytes(a->f, a->k) : PCS_PANEL * a->row_bytes,
                 parts = a->m ? (a->m + step - 1) / step : 1;
    const uint8_t *at = a->w + n / PCS_PANEL * bytes;
    return (mp_next){ at, n < a->n1 ? at + panels * bytes : at, (panels * bytes / parts + 127) / 64 * 64 };
}

PCS_INLINE void mp_ahead(mp_next *next)
{
    for (const uint8_t *until = next->end - next->at > (ptrdiff_t)next->part ? next->at + next->part : next->end;
         next->at < until; next->at += 64)
        PCS_AHEAD_L2(next->at);
}

#endif
