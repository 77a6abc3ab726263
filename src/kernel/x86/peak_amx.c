/* peak, AMX: products of whole tiles, in four chains. */
#include "kernel/kernel.h"
#include "kernel/x86/tiles.h"

void pcs_peak_amx(const pcs_peak_args *a)
{
    _Alignas(64) int8_t x[16][64];
    _Alignas(64) int32_t sum[16][16];
    tiles_config c = { .palette = 1 };
    for (int t = 0; t < 8; t++) c.rows[t] = 16, c.bytes[t] = 64;
    memset(x, 3, sizeof x);
    tiles_configure(&c);
    TILE_LOAD(6, x, 64);
    TILE_LOAD(7, x, 64);
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (uint64_t r = 0; r < a->rounds; r++) {
        TILE_DOT(0, 6, 7);
        TILE_DOT(1, 6, 7);
        TILE_DOT(2, 6, 7);
        TILE_DOT(3, 6, 7);
    }
    TILE_STORE(3, sum, 64);
    tiles_release();
    *a->sink = (uint32_t)sum[0][0];
    *a->multiplications = a->rounds * 4 * 16 * 16 * 64;
}
