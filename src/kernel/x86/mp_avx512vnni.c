/* mp, AVX-512 VNNI: 16 rows in a register; codes + 128 are unsigned, and each sum starts at -128 times that of the activations. */
#define VEC 64
#include "kernel/simd/mp.h"

/* The first `tokens` of a tile against the panel: their sums, integer and float, stay in registers. lines: dot products of four in a group, 8 or 4. */
PCS_INLINE void tile(const pcs_mp_args *a, const mp_panel *p, size_t n, size_t rows, size_t at, int tokens, int lines, bool has_min)
{
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(a->f, a->k);
    const int8_t *x = a->act.tq + at * chunks * PCS_CHUNK * PCS_TILE;
    const float *d = a->act.td + at * chunks * 8 * PCS_TILE, *s = a->act.ts + at * chunks * 16 * PCS_TILE;
    const int32_t *start = lines == 8 ? a->act.t32 + at * chunks * 8 * PCS_TILE : a->act.t16 + at * chunks * 16 * PCS_TILE;
    const uint8_t *w = p->codes;
    __m512 acc[PCS_TILE];
    for (int t = 0; t < tokens; t++) acc[t] = _mm512_setzero_ps();
    for (size_t g = 0; g < groups; g++, start += PCS_TILE, w += 64 * lines, x += 4 * PCS_TILE * lines) {
        __m512i dot[PCS_TILE];
        for (int t = 0; t < tokens; t++) dot[t] = _mm512_set1_epi32(start[t]);
        for (int l = 0; l < lines; l++) {
            const __m512i c = _mm512_load_si512(w + 64 * l);
            for (int t = 0; t < tokens; t++) dot[t] = _mm512_dpbusd_epi32(dot[t], c, v_four(x + 4 * (PCS_TILE * l + t)));
        }
        const __m512 dw = _mm512_load_ps(p->d + g * 16);
        for (int t = 0; t < tokens; t++) acc[t] = _mm512_fmadd_ps(_mm512_mul_ps(dw, _mm512_set1_ps(d[t])), _mm512_cvtepi32_ps(dot[t]), acc[t]);
        if (lines == 8 || g % 2) d += PCS_TILE;
        if (!has_min) continue;
        const __m512 mw = _mm512_load_ps(p->m + g * 16);
        for (int t = 0; t < tokens; t++) acc[t] = _mm512_fnmadd_ps(mw, _mm512_set1_ps(lines == 8 ? s[t] + s[PCS_TILE + t] : s[t]), acc[t]);
        s += lines == 8 ? 2 * PCS_TILE : PCS_TILE;
    }
    const __mmask16 mask = (__mmask16)((1u << rows) - 1);
    const __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps();
    for (int t = 0; t < tokens && at * PCS_TILE + (size_t)t < a->m; t++) _mm512_mask_storeu_ps(a->y + (at * PCS_TILE + (size_t)t) * a->ldy + n, mask, _mm512_add_ps(acc[t], bias));
}

PCS_INLINE void all(const pcs_mp_args *a, int lines, bool has_min)
{
    mp_decode_fn *decode = pcs_panels_fit(a->f, a->k) ? mp_decoder(a->f) : NULL;
    mp_panel p = mp_panel_in(a, decode);
    const size_t whole = a->m / PCS_TILE, rest = a->m % PCS_TILE;
    for (size_t n = a->n0; n < a->n1; n += 16) {
        const size_t rows = a->n1 - n < 16 ? a->n1 - n : 16;
        mp_fill(a, &p, decode, n, rows, 128);
        for (size_t t = 0; t < whole; t++) tile(a, &p, n, rows, t, PCS_TILE, lines, has_min);
        if (rest > 6) tile(a, &p, n, rows, whole, PCS_TILE, lines, has_min);
        else if (rest > 3) tile(a, &p, n, rows, whole, 6, lines, has_min);
        else if (rest > 1) tile(a, &p, n, rows, whole, 3, lines, has_min);
        else if (rest) tile(a, &p, n, rows, whole, 1, lines, has_min);
    }
}

void pcs_mp_avx512vnni(const void *args)
{
    const pcs_mp_args *a = args;
    if (pcs_mp_wide(a->f) && a->f->has_min) all(a, 8, true);
    else if (pcs_mp_wide(a->f)) all(a, 8, false);
    else if (a->f->has_min) all(a, 4, true);
    else all(a, 4, false);
}
