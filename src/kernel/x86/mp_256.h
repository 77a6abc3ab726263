/* mp_256.h - mp on 256 bits, around the including file's mp_group() and mp_start(): a panel's 16 rows are two halves,
 * and three tokens by two halves are what 16 registers hold of sums in 32 or 16 bits and in floats. */
#ifndef PCS_MP_256_H
#define PCS_MP_256_H

#include "kernel/simd/mp.h"

enum { MP_TOKENS = 3 };

/* What is alike for a whole call: lines of a group, how codes multiply (the including file's), are there minima. */
typedef struct { int lines, kind; bool has_min; } mp_shape;
/* A group: its codes, activations, what mp_start() made of its codes for each row, and -128 times the sum of each
 * token's activations. */
typedef struct { const uint8_t *w; const int8_t *x; const int32_t *rows, *start; } mp_operands;

/* dot[t][h] = sum of the group's products of half h with token t. */
PCS_INLINE void mp_group(mp_operands o, mp_shape shape, int tokens, const pcs_format *f, __m256i (*dot)[2]);
/* Where sums of rows start. */
static void mp_start(const mp_panel *p, size_t groups, int lines, int kind);

/* y of rows n .. and one token. */
static void mp_store(const pcs_mp_args *a, size_t n, size_t rows, size_t m, const __m256 *acc)
{
    _Alignas(64) float out[16];
    for (int h = 0; h < 2; h++) _mm256_storeu_ps(out + 8 * h, acc[h]);
    for (size_t i = 0; i < rows; i++) a->y[m * a->ldy + n + i] = out[i] + (a->bias ? a->bias[n + i] : 0.0f);
}

/* `tokens` of a tile, from `first` on. */
PCS_INLINE void mp_tile(const pcs_mp_args *a, const mp_panel *p, mp_place place, int tokens, mp_shape shape)
{
    const size_t n = place.n, rows = place.rows, at = place.tile, first = place.first;
    const int lines = shape.lines;
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(a->f, a->k), m0 = at * PCS_TILE + first;
    const int8_t *x = a->act.tq + at * chunks * PCS_CHUNK * PCS_TILE + 4 * first;
    const float *d = a->act.td + at * chunks * 8 * PCS_TILE + first,
                *s = a->act.ts + at * chunks * 16 * PCS_TILE + first;
    const int32_t *starts = lines == 8 ? a->act.t32 + at * chunks * 8 * PCS_TILE
                                       : a->act.t16 + at * chunks * 16 * PCS_TILE;
    const int32_t *start = starts + first;
    const uint8_t *w = p->codes;
    __m256 acc[MP_TOKENS][2];
    for (int t = 0; t < tokens; t++) acc[t][0] = acc[t][1] = _mm256_setzero_ps();
    for (size_t g = 0; g < groups; g++, start += PCS_TILE, w += 64 * lines, x += 4 * PCS_TILE * lines) {
        __m256i dot[MP_TOKENS][2];
        mp_group((mp_operands){ w, x, p->start + g * 16, start }, shape, tokens, a->f, dot);
        for (int h = 0; h < 2; h++) {
            const __m256 dw = _mm256_load_ps(p->d + g * 16 + 8 * h);
            for (int t = 0; t < tokens; t++)
                acc[t][h] = _mm256_fmadd_ps(_mm256_mul_ps(dw, _mm256_set1_ps(d[t])), _mm256_cvtepi32_ps(dot[t][h]),
                                            acc[t][h]);
        }
        if (lines == 8 || g % 2) d += PCS_TILE;
        if (!shape.has_min) continue;
        for (int h = 0; h < 2; h++) {
            const __m256 mw = _mm256_load_ps(p->m + g * 16 + 8 * h);
            for (int t = 0; t < tokens; t++)
                acc[t][h] = _mm256_fnmadd_ps(mw, _mm256_set1_ps(lines == 8 ? s[t] + s[PCS_TILE + t] : s[t]), acc[t][h]);
        }
        s += lines == 8 ? 2 * PCS_TILE : PCS_TILE;
    }
    for (int t = 0; t < tokens && m0 + (size_t)t < a->m; t++) mp_store(a, n, rows, m0 + (size_t)t, acc[t]);
}

PCS_INLINE void mp_all(const pcs_mp_args *a, mp_shape shape, uint8_t bias)
{
    mp_decode_fn *decode = pcs_panels_fit(a->f, a->k) ? mp_decoder(a->f) : NULL;
    mp_panel p = mp_panel_in(a, decode, 0);
    for (size_t n = a->n0; n < a->n1; n += 16) {
        const size_t rows = a->n1 - n < 16 ? a->n1 - n : 16;
        mp_fill(a, &p, decode, n, bias);
        mp_start(&p, pcs_mp_groups(a->f, a->k), shape.lines, shape.kind);
        mp_next next = mp_next_from(a, n + PCS_PANEL, 1, MP_TOKENS);
        for (size_t m = 0; m < a->m; m += MP_TOKENS) { /* tiles are whole numbers of these */
            mp_ahead(&next);
            const mp_place place = { n, rows, m / PCS_TILE, m % PCS_TILE };
            if (a->m - m > 1) mp_tile(a, &p, place, MP_TOKENS, shape);
            else mp_tile(a, &p, place, 1, shape);
        }
    }
}

#endif
