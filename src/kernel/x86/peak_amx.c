/* peak, peak_bf16, AMX: products of whole tiles, in four chains. */
#include "kernel/kernel.h"
#include "kernel/x86/tiles.h"

static void open_tiles(const void *x)
{
    tiles_config c = { .palette = 1 };
    for (int t = 0; t < 8; t++) c.rows[t] = 16, c.bytes[t] = 64;
    tiles_configure(&c);
    TILE_LOAD(6, x, 64);
    TILE_LOAD(7, x, 64);
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

static void close_tiles(const pcs_peak_args *a, uint64_t products)
{
    _Alignas(64) uint32_t sum[16][16];
    TILE_STORE(3, sum, 64);
    tiles_release();
    *a->sink = sum[0][0];
    *a->multiplications = a->rounds * 4 * products;
}

void pcs_peak_amx(const pcs_peak_args *a)
{
    _Alignas(64) int8_t x[16][64];
    memset(x, 3, sizeof x);
    open_tiles(x);
    for (uint64_t r = 0; r < a->rounds; r++) {
        TILE_DOT(0, 6, 7);
        TILE_DOT(1, 6, 7);
        TILE_DOT(2, 6, 7);
        TILE_DOT(3, 6, 7);
    }
    close_tiles(a, 16 * 16 * 64);
}

void pcs_peak_bf16_amx(const pcs_peak_args *a)
{
    _Alignas(64) int8_t x[16][64];
    memset(x, 0x3f, sizeof x); /* 0.75 */
    open_tiles(x);
    for (uint64_t r = 0; r < a->rounds; r++) {
        TILE_DOT_BF16(0, 6, 7);
        TILE_DOT_BF16(1, 6, 7);
        TILE_DOT_BF16(2, 6, 7);
        TILE_DOT_BF16(3, 6, 7);
    }
    close_tiles(a, 16 * 16 * 32);
}
