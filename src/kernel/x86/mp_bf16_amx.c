/* mp_bf16, AMX: 32 tokens by 32 rows are four tiles of sums, which stay in registers over all of a row. A few panels of
 * weights are decoded once, to tiles that stay in the L2 cache, and multiply all tokens; what 32 tokens have comes from
 * beyond that cache once for those panels, and is asked for while the 32 tokens before them are multiplied.
 *
 * Only six registers of tiles are written: beside a busy sibling thread of its core, what the load of a tile costs
 * grows with the number of registers that are written in turn (Emerald Rapids, tiles in the L1 cache: products at 38 %
 * of their peak with six, 24 % with eight; alone 100 % with both). So two of four tiles are loaded twice, and all are
 * asked for ahead. */
#include "kernel/x86/mp_bf16_512.h"
#include "kernel/x86/tiles.h"

#define AHEAD_WRITE(p) __builtin_prefetch(p, 1, 3)
enum { AHEAD = 2 }; /* steps that are asked for ahead, into the L1 cache */

/* Tiles 0 to 3: sums, [tokens][rows] of 16 tokens and 16 rows, of 16 tokens and the next 16 rows, and the same of the
 * next tokens; 4: activations, of fewer tokens alone (what is behind a token that is multiplied alone may be nobody's);
 * 6: weights. */
static void mb_configure(size_t tokens)
{
    tiles_config c = { .palette = 1 };
    for (int t = 0; t < 8; t++) c.rows[t] = 16, c.bytes[t] = 64;
    if (tokens < 16) c.rows[0] = c.rows[1] = c.rows[4] = (uint8_t)tokens;
    tiles_configure(&c);
}

PCS_INLINE void ask_tile(const uint16_t *tile)
{
    for (int i = 0; i < 16; i++) PCS_AHEAD((const char *)tile + 64 * i);
}

/* One step: the tiles at a and a1 by those at b and b1. */
PCS_INLINE void mb_multiply(const uint16_t *a, const uint16_t *a1, const uint16_t *b, const uint16_t *b1)
{
    enum { FAR = AHEAD * MB_TILE };
    TILE_LOAD(6, b, 64);
    TILE_LOAD(4, a, 64);
    TILE_DOT_BF16(0, 4, 6);
    ask_tile(a + FAR);
    TILE_LOAD(4, a1, 64);
    TILE_DOT_BF16(2, 4, 6);
    ask_tile(a1 + FAR);
    TILE_LOAD(6, b1, 64);
    TILE_DOT_BF16(3, 4, 6);
    ask_tile(b + FAR);
    TILE_LOAD(4, a, 64);
    TILE_DOT_BF16(1, 4, 6);
    ask_tile(b1 + FAR);
}

/* 16 tokens at most, by one panel or two. */
PCS_INLINE void multiply_few(const uint16_t *a, const uint16_t *b, const uint16_t *b1, bool two)
{
    TILE_LOAD(4, a, 64);
    TILE_LOAD(6, b, 64);
    TILE_DOT_BF16(0, 4, 6);
    if (!two) return;
    TILE_LOAD(6, b1, 64);
    TILE_DOT_BF16(1, 4, 6);
}

static void zero(void)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

/* Sums of a block, tile after tile. */
typedef struct { _Alignas(64) float of[4][16][16]; } block_sums;

static void keep(block_sums *s)
{
    TILE_STORE(0, s->of[0], 64);
    TILE_STORE(1, s->of[1], 64);
    TILE_STORE(2, s->of[2], 64);
    TILE_STORE(3, s->of[3], 64);
}

PCS_INLINE __mmask16 rows_from(const pcs_mp_bf16_args *a, size_t n)
{
    return a->n1 <= n ? 0 : a->n1 - n < PCS_PANEL ? (__mmask16)((1u << (a->n1 - n)) - 1) : 0xffff;
}

/* Sums of tokens from t and rows from n on, with a bias or NULL. */
static void to_y(const pcs_mp_bf16_args *a, size_t t, size_t n, const block_sums *s, const float *bias)
{
    for (size_t i = 0; i < 4; i++) {
        const size_t row = n + i % 2 * 16;
        const __mmask16 mask = rows_from(a, row);
        const __m512 more = bias && mask ? _mm512_maskz_loadu_ps(mask, bias + row) : _mm512_setzero_ps();
        for (size_t r = 0; r < 16 && mask; r++) {
            const size_t token = t + i / 2 * 16 + r;
            const __m512 sum = _mm512_add_ps(_mm512_load_ps(s->of[i][r]), more);
            if (token < a->m) _mm512_mask_storeu_ps(a->y + token * a->ldy + row, mask, sum);
        }
    }
}

/* 32 tokens at most: weights are decoded a part at a time, which the L1 cache holds. */
static void mb_few(const mb_work *w)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t part = mb_in_parts(w) ? 16 : w->steps, panel = part * MB_TILE;
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const bool two = n + PCS_PANEL < a->n1;
        const uint16_t *b = w->tiles, *b1 = two ? b + panel : b;
        zero();
        for (size_t s = 0; s < w->steps; s += part) {
            const size_t steps = w->steps - s < part ? w->steps - s : part;
            for (size_t p = 0; p < (two ? 2 : 1); p++) mb_fill(w, n + p * PCS_PANEL, s, steps, w->tiles + p * panel);
            const uint16_t *x = a->act + s * MB_TILE, *x1 = x + w->steps * MB_TILE;
            for (size_t i = 0; i < steps * MB_TILE; i += MB_TILE) {
                if (a->m > 16) mb_multiply(x + i, x1 + i, b + i, b1 + i);
                else multiply_few(x + i, b + i, b1 + i, two);
            }
        }
        block_sums sums;
        keep(&sums);
        to_y(a, 0, n, &sums, a->bias);
    }
}

/* What a block of tokens and a pair of panels asks for beside its products: a part of what the next tokens have, and
 * the lines of y that its sums go to. */
typedef struct {
    const char *next; /* the first step's */
    size_t lines, second; /* of a step's tile; bytes to the second tile */
    const char *y;
    size_t ldy, rows; /* bytes to the next row; how many of them */
} wanted;

static wanted wanted_by(const mb_work *w, size_t t, size_t n, size_t p, size_t pairs)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t lines = (16 + pairs - 1) / pairs, first = p / 2 * lines, left = a->m - t;
    const bool more = t + 64 <= a->m;
    const char *next = (const char *)pcs_act_bf16_row(a->act, a->k, more ? t + 32 : t);
    return (wanted){ .next = next + 64 * (first + lines <= 16 ? first : 16 - lines), .lines = lines,
                     .second = more ? w->steps * MB_TILE * sizeof(uint16_t) : 0,
                     .y = (const char *)(a->y + t * a->ldy + n), .ldy = 4 * a->ldy, .rows = left < 32 ? left : 32 };
}

PCS_INLINE void ask(const wanted *k, size_t step)
{
    const char *next = k->next + step * MB_TILE * sizeof(uint16_t);
    for (size_t l = 0; l < k->lines; l++) {
        PCS_AHEAD_L2(next + 64 * l);
        PCS_AHEAD_L2(next + k->second + 64 * l);
    }
    if (step < k->rows) {
        AHEAD_WRITE(k->y + step * k->ldy);
        AHEAD_WRITE(k->y + step * k->ldy + 64);
    }
}

/* Many tokens: a few panels become tiles that stay in the L2 cache and multiply all of them. */
static void many(const mb_work *w)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t most = MB_PANELS(a->k), panel = w->steps * MB_TILE;
    for (size_t n = a->n0; n < a->n1; n += most * PCS_PANEL) {
        const size_t rows = a->n1 - n < most * PCS_PANEL ? a->n1 - n : most * PCS_PANEL;
        const size_t panels = (rows + PCS_PANEL - 1) / PCS_PANEL;
        for (size_t p = 0; p < panels; p++) mb_fill(w, n + p * PCS_PANEL, 0, w->steps, w->tiles + p * panel);
        for (size_t t = 0; t < a->m; t += 32)
            for (size_t p = 0; p < panels; p += 2) {
                const uint16_t *x = pcs_act_bf16_row(a->act, a->k, t), *x1 = t + 16 < a->m ? x + panel : x;
                const uint16_t *b = w->tiles + p * panel, *b1 = p + 1 < panels ? b + panel : b;
                const wanted k = wanted_by(w, t, n + p * PCS_PANEL, p, (panels + 1) / 2);
                block_sums sums;
                zero();
                for (size_t s = 0, i = 0; s < w->steps; s++, i += MB_TILE) {
                    mb_multiply(x + i, x1 + i, b + i, b1 + i);
                    ask(&k, s);
                }
                keep(&sums);
                to_y(a, t, n + p * PCS_PANEL, &sums, a->bias);
            }
    }
}

void pcs_mp_bf16_amx(const pcs_mp_bf16_args *a)
{
    const mb_work w = mb_open(a);
    if (!a->m || a->n0 >= a->n1) return;
    mb_configure(a->m);
    if (a->m <= 32) mb_few(&w);
    else many(&w);
    tiles_release(); /* else each change of threads saves 8 KB */
}
