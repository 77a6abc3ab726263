/* blocks_amx.h - blocks of 32 tokens by 32 rows: four tiles of sums, which stay in registers over all of a row. A tile
 * is 1 KB of 16 lines, of tokens [16][64 bytes], of rows as the second operand of a product wants them; a row's tiles
 * follow one another, a step each. TILE_PRODUCT(c, a, b) is the includer's.
 *
 * Only six registers of tiles are written: beside a busy sibling thread of its core, what the load of a tile costs
 * grows with the number of registers that are written in turn (Emerald Rapids, tiles in the L1 cache: products at 38 %
 * of their peak with six, 24 % with eight; alone 100 % with both). So two of four tiles are loaded twice, and all are
 * asked for ahead. */
#ifndef PCS_BLOCKS_AMX_H
#define PCS_BLOCKS_AMX_H

#include "kernel/simd/vec.h"
#include "kernel/x86/tiles.h"

#define AHEAD_WRITE(p) __builtin_prefetch(p, 1, 3)
enum { BLOCK_TILE = 1024, BLOCK_AHEAD = 2 }; /* bytes; steps that are asked for ahead, into the L1 cache */

/* Tiles 0 to 3: sums, [tokens][rows] of 16 tokens and 16 rows, of 16 tokens and the next 16 rows, and the same of the
 * next tokens; 4: activations, of fewer tokens alone (what is after a token that is multiplied alone may be nobody's);
 * 6: weights. */
static void block_configure(size_t tokens)
{
    tiles_config c = { .palette = 1 };
    for (int t = 0; t < 8; t++) c.rows[t] = 16, c.bytes[t] = 64;
    if (tokens < 16) c.rows[0] = c.rows[1] = c.rows[4] = (uint8_t)tokens;
    tiles_configure(&c);
}

PCS_INLINE void ask_tile(const char *tile)
{
    for (int i = 0; i < 16; i++) PCS_AHEAD(tile + 64 * i);
}

/* One step: the tiles at a and a1 by those at b and b1. */
PCS_INLINE void block_multiply(const char *a, const char *a1, const char *b, const char *b1)
{
    enum { FAR = BLOCK_AHEAD * BLOCK_TILE };
    TILE_LOAD(6, b, 64);
    TILE_LOAD(4, a, 64);
    TILE_PRODUCT(0, 4, 6);
    ask_tile(a + FAR);
    TILE_LOAD(4, a1, 64);
    TILE_PRODUCT(2, 4, 6);
    ask_tile(a1 + FAR);
    TILE_LOAD(6, b1, 64);
    TILE_PRODUCT(3, 4, 6);
    ask_tile(b + FAR);
    TILE_LOAD(4, a, 64);
    TILE_PRODUCT(1, 4, 6);
    ask_tile(b1 + FAR);
}

/* 16 tokens at most, by one panel or two. */
PCS_INLINE void block_multiply_few(const char *a, const char *b, const char *b1, bool two)
{
    TILE_LOAD(4, a, 64);
    TILE_LOAD(6, b, 64);
    TILE_PRODUCT(0, 4, 6);
    if (!two) return;
    TILE_LOAD(6, b1, 64);
    TILE_PRODUCT(1, 4, 6);
}

static void block_zero(void)
{
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

/* Sums of a block, tile after tile; int32 or float. */
typedef struct { _Alignas(64) uint32_t of[4][16][16]; } block_sums;

static void block_keep(block_sums *s)
{
    TILE_STORE(0, s->of[0], 64);
    TILE_STORE(1, s->of[1], 64);
    TILE_STORE(2, s->of[2], 64);
    TILE_STORE(3, s->of[3], 64);
}

/* What a block of tokens and a pair of panels asks for beside its products: a part of what the next tokens have, and
 * the lines of y that its sums go to. */
typedef struct {
    const char *next; /* the first step's */
    size_t lines, second; /* of a step's tile; bytes to the second tile */
    const char *y;
    size_t ldy, rows; /* bytes to the next row; how many of them */
} block_wanted;

/* m tokens, whose tiles are at `act`, and `after` behind them; of the block from token t and row n on, of panel p of a
 * number of `pairs`. */
typedef struct { const void *act; size_t steps, m, after; const float *y; size_t ldy; } block_all;
static block_wanted block_wants(const block_all *all, size_t t, size_t n, size_t p, size_t pairs)
{
    const size_t lines = (16 + pairs - 1) / pairs, first = p / 2 * lines, left = all->m - t;
    const size_t row = all->steps * BLOCK_TILE;
    const bool more = t + 64 <= all->m + all->after;
    const char *next = (const char *)all->act + (more ? t + 32 : t) / 16 * row;
    return (block_wanted){ .next = next + 64 * (first + lines <= 16 ? first : 16 - lines), .lines = lines,
                           .second = more ? row : 0, .y = (const char *)(all->y + t * all->ldy + n),
                           .ldy = 4 * all->ldy, .rows = left < 32 ? left : 32 };
}

PCS_INLINE void block_ask(const block_wanted *k, size_t step)
{
    const char *next = k->next + step * BLOCK_TILE;
    for (size_t l = 0; l < k->lines; l++) {
        PCS_AHEAD_L2(next + 64 * l);
        PCS_AHEAD_L2(next + k->second + 64 * l);
    }
    if (step < k->rows) {
        AHEAD_WRITE(k->y + step * k->ldy);
        AHEAD_WRITE(k->y + step * k->ldy + 64);
    }
}

#endif
