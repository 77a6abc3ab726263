/* mp, AVX-512 VNNI: 16 rows in a register; codes + 128 are unsigned, and each sum starts at -128 times that of the
 * activations. */
#define VEC 64
#include "kernel/simd/mp.h"

/* `tokens` of a tile, from `first` on, against one panel or two: their sums, integer and float, stay in registers.
 * Two panels share each broadcast of activations: with one load for each product a Xeon reaches 68 % of its
 * multipliers' peak. lines: dot products of four in a group, 8 or 4. */
typedef struct { int panels, tokens, lines; bool has_min; } mp_vnni_shape;

/* The sums of a panel of rows n and on, and of tokens from m0 on. */
PCS_INLINE void mp_store(const pcs_mp_args *a, size_t n, size_t m0, int tokens, const __m512 *acc)
{
    const __mmask16 mask = a->n1 - n < PCS_PANEL ? (__mmask16)((1u << (a->n1 - n)) - 1) : 0xffff;
    const __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps();
    for (int t = 0; t < tokens && m0 + (size_t)t < a->m; t++)
        _mm512_mask_storeu_ps(a->y + (m0 + (size_t)t) * a->ldy + n, mask, _mm512_add_ps(acc[t], bias));
}

PCS_INLINE void mp_tile(const pcs_mp_args *a, const mp_panel *p, mp_place place, mp_vnni_shape shape)
{
    const size_t at = place.tile, first = place.first;
    const int panels = shape.panels, tokens = shape.tokens, lines = shape.lines;
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(a->f, a->k), m0 = at * PCS_TILE + first;
    const int8_t *x = a->act.tq + at * chunks * PCS_CHUNK * PCS_TILE + 4 * first;
    const float *d = a->act.td + at * chunks * 8 * PCS_TILE + first,
                *s = a->act.ts + at * chunks * 16 * PCS_TILE + first;
    const int32_t *starts = lines == 8 ? a->act.t32 + at * chunks * 8 * PCS_TILE
                                       : a->act.t16 + at * chunks * 16 * PCS_TILE;
    const int32_t *start = starts + first;
    const __mmask16 all = (__mmask16)((1u << tokens) - 1);
    __m512 acc[PCS_TILE]; /* [panel][token] */
    for (int t = 0; t < panels * tokens; t++) acc[t] = _mm512_setzero_ps();
    for (size_t g = 0; g < groups; g++, start += PCS_TILE, x += 4 * PCS_TILE * lines) {
        __m512i dot[PCS_TILE];
        for (int t = 0; t < panels * tokens; t++) dot[t] = _mm512_set1_epi32(start[t % tokens]);
        for (int l = 0; l < lines; l++) {
            __m512i c[2];
            for (int i = 0; i < panels; i++)
                c[i] = _mm512_load_si512(p[i].codes + 64 * ((size_t)lines * g + (size_t)l));
            for (int t = 0; t < tokens; t++) {
                const __m512i four = v_four(x + 4 * (PCS_TILE * l + t));
                for (int i = 0; i < panels; i++)
                    dot[i * tokens + t] = _mm512_dpbusd_epi32(dot[i * tokens + t], c[i], four);
            }
        }
        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < panels; i++) {
                const __m512 scale = _mm512_mul_ps(_mm512_load_ps(p[i].d + g * 16), _mm512_set1_ps(d[t]));
                acc[i * tokens + t] = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(dot[i * tokens + t]),
                                                      acc[i * tokens + t]);
            }
        if (lines == 8 || g % 2) d += PCS_TILE;
        if (!shape.has_min) continue;
        _Alignas(64) float sums[16];
        __m512 each = _mm512_maskz_loadu_ps(all, s);
        if (lines == 8) each = _mm512_add_ps(each, _mm512_maskz_loadu_ps(all, s + PCS_TILE));
        _mm512_store_ps(sums, each);
        __asm__("" : "+m"(sums)); /* gcc 12 would rather permute registers, and spill acc for it */
        for (int t = 0; t < tokens; t++)
            for (int i = 0; i < panels; i++)
                acc[i * tokens + t] = _mm512_fnmadd_ps(_mm512_load_ps(p[i].m + g * 16), _mm512_set1_ps(sums[t]),
                                                       acc[i * tokens + t]);
        s += lines == 8 ? 2 * PCS_TILE : PCS_TILE;
    }
    for (int i = 0; i < panels; i++)
        mp_store(a, place.n + (size_t)i * PCS_PANEL, m0, tokens, acc + i * tokens);
}

PCS_INLINE void mp_all(const pcs_mp_args *a, int lines, bool has_min)
{
    mp_decode_fn *decode = pcs_panels_fit(a->f, a->k) ? mp_decoder(a->f) : NULL;
    mp_panel p[2];
    for (int i = 0; i < 2; i++) p[i] = mp_panel_in(a, decode, i);
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const int panels = n + PCS_PANEL < a->n1 ? 2 : 1;
        const size_t step = PCS_TILE / (size_t)panels; /* whole parts of tiles */
        for (int i = 0; i < panels; i++) mp_fill(a, &p[i], decode, n + (size_t)i * PCS_PANEL, 128);
        mp_next next = mp_next_from(a, n + 2 * PCS_PANEL, 2, step);
        for (size_t m = 0; m < a->m; m += step) {
            mp_ahead(&next);
            const mp_place place = { n, 0, m / PCS_TILE, m % PCS_TILE };
            const size_t left = a->m - m;
            if (panels == 1) mp_tile(a, p, place, (mp_vnni_shape){ 1, PCS_TILE, lines, has_min });
            else if (left > 3) mp_tile(a, p, place, (mp_vnni_shape){ 2, 6, lines, has_min });
            else if (left > 1) mp_tile(a, p, place, (mp_vnni_shape){ 2, 3, lines, has_min });
            else mp_tile(a, p, place, (mp_vnni_shape){ 2, 1, lines, has_min });
        }
    }
}

void pcs_mp_avx512vnni(const pcs_mp_args *a)
{
    if (fields_few(a)) return;
    if (pcs_mp_wide(a->f) && a->f->has_min) mp_all(a, 8, true);
    else if (pcs_mp_wide(a->f)) mp_all(a, 8, false);
    else if (a->f->has_min) mp_all(a, 4, true);
    else mp_all(a, 4, false);
}
