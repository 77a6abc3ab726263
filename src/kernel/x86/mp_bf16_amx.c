/* mp_bf16, AMX: 32 tokens by 32 rows are four tiles of sums, which stay in registers over all of a row. A few panels of weights
 * are decoded once, to tiles that stay in the L2 cache, and multiply all tokens; what 32 tokens have is read from beyond that
 * cache once for those panels. */
#include "kernel/x86/mp_bf16_512.h"
#include "kernel/x86/tiles.h"

#ifndef MB_PART
#define MB_PART 0 /* steps of a row at a time, so that activations stay in the L1 cache for all panels; 0: all, and sums in registers */
#endif
#ifndef MB_ASK
#define MB_ASK 4 /* steps ahead that activations are asked for, into the L1 cache; 0: not */
#endif

enum { MB_MOST = 32 };

/* Tiles 0 to 3: sums, [tokens][rows]; 4, 5: activations of `first` and `second` tokens; 6, 7: weights of 16 rows each. */
static void configure(size_t first, size_t second)
{
    tiles_config c = { .palette = 1 };
    const size_t rows[8] = { first, first, second, second, first, second, 16, 16 };
    for (int t = 0; t < 8; t++) {
        c.rows[t] = (uint8_t)(rows[t] ? rows[t] : 1);
        c.bytes[t] = 64;
    }
    tiles_configure(&c);
}

/* `steps` steps, added to the sums. stride: numbers from a step of the tokens to the next. */
PCS_INLINE void multiply(const uint16_t *a0, const uint16_t *a1, const uint16_t *b0, const uint16_t *b1, size_t steps, int token_tiles, int panels)
{
    for (size_t s = 0; s < steps; s++) {
        const size_t at = s * MB_TILE;
        TILE_LOAD(6, b0 + at, 64);
        TILE_LOAD(4, a0 + at, 64);
        TILE_DOT_BF16(0, 4, 6);
        if (panels > 1) {
            TILE_LOAD(7, b1 + at, 64);
            TILE_DOT_BF16(1, 4, 7);
        }
        if (token_tiles > 1) {
            TILE_LOAD(5, a1 + at, 64);
            TILE_DOT_BF16(2, 5, 6);
            if (panels > 1) TILE_DOT_BF16(3, 5, 7);
        }
        for (int i = 0; MB_ASK && token_tiles > 1 && i < 16; i++) {
            PCS_AHEAD((const char *)(a0 + at + MB_ASK * MB_TILE) + 64 * i);
            PCS_AHEAD((const char *)(a1 + at + MB_ASK * MB_TILE) + 64 * i);
        }
    }
}

/* One tile of sums to y. */
static void put(const pcs_mp_bf16_args *a, float (*sums)[16], size_t t0, size_t tokens, size_t n)
{
    const __mmask16 mask = a->n1 - n < PCS_PANEL ? (__mmask16)((1u << (a->n1 - n)) - 1) : 0xffff;
    const __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps();
    for (size_t t = 0; t < tokens; t++) _mm512_mask_storeu_ps(a->y + (t0 + t) * a->ldy + n, mask, _mm512_add_ps(_mm512_load_ps(sums[t]), bias));
}

/* Sums of a block, tile after tile. */
typedef struct { _Alignas(64) float of[4][16][16]; } block_sums;

static void keep(block_sums *s, bool second, int panels)
{
    TILE_STORE(0, s->of[0], 64);
    if (panels > 1) TILE_STORE(1, s->of[1], 64);
    if (second) TILE_STORE(2, s->of[2], 64);
    if (second && panels > 1) TILE_STORE(3, s->of[3], 64);
}

static void fetch(const block_sums *s, bool second, int panels)
{
    TILE_LOAD(0, s->of[0], 64);
    if (panels > 1) TILE_LOAD(1, s->of[1], 64);
    if (second) TILE_LOAD(2, s->of[2], 64);
    if (second && panels > 1) TILE_LOAD(3, s->of[3], 64);
}

/* The sums of tokens t0 .. (of the first tile, and of a second) with panels n and n + 16. */
static void put_all(const pcs_mp_bf16_args *a, block_sums *s, size_t t0, size_t first, size_t second, size_t n, int panels)
{
    float (*const sums)[16][16] = s->of;
    for (int p = 0; p < panels; p++) {
        put(a, sums[p], t0, first, n + 16 * (size_t)p);
        if (second) put(a, sums[2 + p], t0 + 16, second, n + 16 * (size_t)p);
    }
}

static void zero(void)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

/* One tile of tokens or two, by one panel or two. */
static void block(const uint16_t *a0, const uint16_t *a1, const uint16_t *b0, const uint16_t *b1, size_t steps, bool second, int panels)
{
    if (second && panels > 1) multiply(a0, a1, b0, b1, steps, 2, 2);
    else if (second) multiply(a0, a1, b0, b1, steps, 2, 1);
    else if (panels > 1) multiply(a0, a1, b0, b1, steps, 1, 2);
    else multiply(a0, a1, b0, b1, steps, 1, 1);
}

/* Few tokens: weights are decoded a part at a time, which the L1 cache holds. */
static void few(const mb_work *w, size_t first, size_t second)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t part = mb_in_parts(w) ? 16 : w->steps;
    configure(first, second);
    for (size_t n = a->n0; n < a->n1; n += 2 * PCS_PANEL) {
        const int panels = n + PCS_PANEL < a->n1 ? 2 : 1;
        zero();
        for (size_t s = 0; s < w->steps; s += part) {
            const size_t steps = w->steps - s < part ? w->steps - s : part;
            for (int p = 0; p < panels; p++) mb_fill(w, n + (size_t)p * PCS_PANEL, s, steps, w->tiles + (size_t)p * part * MB_TILE);
            const uint16_t *x = a->act + s * MB_TILE;
            block(x, x + w->steps * MB_TILE, w->tiles, w->tiles + part * MB_TILE, steps, second > 0, panels);
        }
        block_sums sums;
        keep(&sums, second > 0, panels);
        put_all(a, &sums, 0, first, second, n, panels);
    }
}

static void many(const mb_work *w)
{
    const pcs_mp_bf16_args *a = w->a;
    const size_t most = MB_PANELS(a->k), panel = w->steps * MB_TILE;
    for (size_t n = a->n0; n < a->n1; n += most * PCS_PANEL) {
        const size_t rows = a->n1 - n < most * PCS_PANEL ? a->n1 - n : most * PCS_PANEL, panels = (rows + PCS_PANEL - 1) / PCS_PANEL;
        for (size_t p = 0; p < panels; p++) mb_fill(w, n + p * PCS_PANEL, 0, w->steps, w->tiles + p * panel);
        for (size_t t = 0; t < a->m; t += 32) {
            const size_t left = a->m - t, first = left < 16 ? left : 16, second = left < 32 ? left - first : 16;
            const uint16_t *x = pcs_act_bf16_row(a->act, a->k, t);
            if (!t || left < 32) configure(first, second);
            block_sums sums[MB_MOST / 2];
            for (size_t s = 0, steps; s < w->steps; s += steps) {
                steps = MB_PART && w->steps - s > MB_PART ? MB_PART : w->steps - s;
                for (size_t p = 0; p < panels; p += 2) {
                    const int two = panels - p > 1 ? 2 : 1;
                    if (s) fetch(&sums[p / 2], second > 0, two);
                    else zero();
                    const uint16_t *from = x + s * MB_TILE, *b = w->tiles + p * panel + s * MB_TILE;
                    block(from, from + panel, b, b + panel, steps, second > 0, two);
                    keep(&sums[p / 2], second > 0, two);
                    if (s + steps == w->steps) put_all(a, &sums[p / 2], t, first, second, n + p * PCS_PANEL, two);
                }
            }
        }
    }
}

void pcs_mp_bf16_amx(const pcs_mp_bf16_args *a)
{
    const mb_work w = mb_open(a);
    if (!a->m) return;
    if (a->m <= 32) few(&w, a->m < 16 ? a->m : 16, a->m < 16 ? 0 : a->m - 16);
    else many(&w);
    tiles_release(); /* else each change of threads saves 8 KB */
}
