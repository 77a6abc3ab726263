/* mp, AMX: a group's products of 16 rows and twelve tokens are one tile of 32-bit sums; scales by AVX-512, as
 * mp_avx512vnni.c has them. Lines of a panel are what a tile of the second operand holds, and rows of activations
 * what one of the first does, so that nothing is copied. Two tiles of tokens share a line. What tiles store is read
 * a group later, for stores of tiles are slow to arrive. */
#define VEC 64
#include "kernel/simd/mp.h"
#include "kernel/x86/tiles.h"

/* Sums of a group: of two tiles of tokens, in turns of two groups. */
typedef struct { _Alignas(64) int32_t dot[2][2][PCS_TILE][16]; } mp_sums;

/* Tiles 0, 1: sums; 2, 3: activations; 4: codes. */
static void mp_configure(int tokens, int lines)
{
    tiles_config c = { .palette = 1 };
    for (int t = 0; t < 2; t++) {
        c.rows[t] = c.rows[2 + t] = (uint8_t)tokens;
        c.bytes[t] = 64;
        c.bytes[2 + t] = (uint16_t)(4 * lines);
    }
    c.rows[4] = (uint8_t)lines;
    c.bytes[4] = 64;
    tiles_configure(&c);
}

/* Tiles of tokens side by side, tokens of each, lines of a group (dot products of four, 8 or 4), are there minima. */
typedef struct { int pair, tokens, lines; bool has_min; } mp_amx_shape;

PCS_INLINE void mp_multiply(const mp_panel *p, const int8_t *q, size_t stride, size_t g, mp_amx_shape shape,
                            int32_t (*to)[PCS_TILE][16])
{
    const int lines = shape.lines;
    TILE_LOAD(4, p->codes + g * 64 * (size_t)lines, 64);
    TILE_LOAD(2, q + g * 4 * (size_t)lines, stride);
    TILE_ZERO(0);
    TILE_DOT(0, 2, 4);
    TILE_STORE(0, to[0], 64);
    if (shape.pair < 2) return;
    TILE_LOAD(3, q + PCS_TILE * stride + g * 4 * (size_t)lines, stride);
    TILE_ZERO(1);
    TILE_DOT(1, 3, 4);
    TILE_STORE(1, to[1], 64);
}

/* Tiles of tokens from place.tile on, against the panel. */
PCS_INLINE void mp_tiles(const pcs_mp_args *a, const mp_panel *p, mp_sums *s, mp_place place, mp_amx_shape shape)
{
    const size_t at = place.tile, n = place.n;
    const int pair = shape.pair, tokens = shape.tokens, lines = shape.lines;
    const size_t chunks = pcs_chunks(a->k), groups = pcs_mp_groups(a->f, a->k), stride = chunks * PCS_CHUNK;
    const int8_t *q = a->act.q + at * PCS_TILE * stride;
    __m512 acc[2 * PCS_TILE];
    for (int t = 0; t < pair * PCS_TILE; t++) acc[t] = _mm512_setzero_ps();
    mp_multiply(p, q, stride, 0, shape, s->dot[0]);
    for (size_t g = 0; g < groups; g++) {
        if (g + 1 < groups) mp_multiply(p, q, stride, g + 1, shape, s->dot[(g + 1) % 2]);
        const __m512 dw = _mm512_load_ps(p->d + g * 16);
        for (int h = 0; h < pair; h++) {
            const float *d = a->act.td + ((at + (size_t)h) * chunks * 8 + (lines == 8 ? g : g / 2)) * PCS_TILE;
            for (int t = 0; t < tokens; t++) {
                __m512 *sum = &acc[h * PCS_TILE + t];
                const __m512 dot = _mm512_cvtepi32_ps(_mm512_load_si512(s->dot[g % 2][h][t]));
                *sum = _mm512_fmadd_ps(_mm512_mul_ps(dw, _mm512_set1_ps(d[t])), dot, *sum);
            }
        }
        if (!shape.has_min) continue;
        const __m512 mw = _mm512_load_ps(p->m + g * 16);
        for (int h = 0; h < pair; h++) {
            const float *z = a->act.ts + ((at + (size_t)h) * chunks * 16 + (lines == 8 ? 2 * g : g)) * PCS_TILE;
            for (int t = 0; t < tokens; t++)
                acc[h * PCS_TILE + t] = _mm512_fnmadd_ps(mw, _mm512_set1_ps(lines == 8 ? z[t] + z[PCS_TILE + t] : z[t]),
                                                         acc[h * PCS_TILE + t]);
        }
    }
    const __mmask16 mask = (__mmask16)((1u << place.rows) - 1);
    const __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps();
    for (int h = 0; h < pair; h++)
        for (int t = 0; t < tokens; t++)
            _mm512_mask_storeu_ps(a->y + ((at + (size_t)h) * PCS_TILE + (size_t)t) * a->ldy + n, mask,
                                  _mm512_add_ps(acc[h * PCS_TILE + t], bias));
}

/* The tokens after the last whole tile: rows of activations end with them. */
#define REST(count) case count: mp_tiles(a, p, s, place, (mp_amx_shape){ 1, count, lines, has_min }); break;
static void mp_rest(const pcs_mp_args *a, const mp_panel *p, mp_sums *s, mp_place place, int lines, bool has_min)
{
    place.tile = a->m / PCS_TILE;
    mp_configure((int)(a->m % PCS_TILE), lines);
    switch (a->m % PCS_TILE) {
        REST(1) REST(2) REST(3) REST(4) REST(5) REST(6) REST(7) REST(8) REST(9) REST(10)
    default: REST(11)
    }
}

PCS_INLINE void mp_all(const pcs_mp_args *a, int lines, bool has_min)
{
    mp_decode_fn *decode = pcs_panels_fit(a->f, a->k) ? mp_decoder(a->f) : NULL;
    mp_panel p = mp_panel_in(a, decode, 0);
    mp_sums s;
    const size_t whole = a->m / PCS_TILE;
    for (size_t n = a->n0; n < a->n1; n += 16) {
        const size_t rows = a->n1 - n < 16 ? a->n1 - n : 16;
        mp_fill(a, &p, decode, n, 0);
        if (whole && (n == a->n0 || a->m % PCS_TILE)) mp_configure(PCS_TILE, lines);
        size_t t = 0;
        mp_next next = mp_next_from(a, n + PCS_PANEL, 1, 2 * PCS_TILE);
        for (; t + 2 <= whole; t += 2) {
            mp_ahead(&next);
            mp_tiles(a, &p, &s, (mp_place){ n, rows, t, 0 }, (mp_amx_shape){ 2, PCS_TILE, lines, has_min });
        }
        mp_ahead(&next);
        const mp_place place = { n, rows, t, 0 };
        if (t < whole) mp_tiles(a, &p, &s, place, (mp_amx_shape){ 1, PCS_TILE, lines, has_min });
        if (a->m % PCS_TILE) mp_rest(a, &p, &s, place, lines, has_min);
    }
    tiles_release(); /* else each change of threads saves 8 KB */
}

void pcs_mp_amx(const pcs_mp_args *a)
{
    if (fields_few(a)) return;
    if (pcs_mp_wide(a->f) && a->f->has_min) mp_all(a, 8, true);
    else if (pcs_mp_wide(a->f)) mp_all(a, 8, false);
    else if (a->f->has_min) mp_all(a, 4, true);
    else mp_all(a, 4, false);
}
