/* interleave.c - int8 activations of a prompt by tiles of tokens, for mp. */
#include "kernel/kernel.h"

typedef int32_t vec4 __attribute__((vector_size(16)));

/* Four numbers of 4 bytes of four rows, number after number. */
PCS_INLINE void transpose4(const uint8_t *from, size_t row, uint8_t *to)
{
    vec4 a[4], lo[2], hi[2];
    for (int i = 0; i < 4; i++) memcpy(&a[i], from + (size_t)i * row, sizeof *a);
    for (int i = 0; i < 2; i++) {
        lo[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 0, 4, 1, 5);
        hi[i] = __builtin_shufflevector(a[2 * i], a[2 * i + 1], 2, 6, 3, 7);
    }
    a[0] = __builtin_shufflevector(lo[0], lo[1], 0, 1, 4, 5);
    a[1] = __builtin_shufflevector(lo[0], lo[1], 2, 3, 6, 7);
    a[2] = __builtin_shufflevector(hi[0], hi[1], 0, 1, 4, 5);
    a[3] = __builtin_shufflevector(hi[0], hi[1], 2, 3, 6, 7);
    for (int i = 0; i < 4; i++) memcpy(to + i * PCS_TILE * 4, &a[i], sizeof *a);
}

/* `count` rows of n numbers of 4 bytes, side by side from place `first` of a tile: to [n][PCS_TILE]. Written in
 * their order, else each line of the tile would come and go for each row. n: a multiple of 4. */
static void side_by_side(const void *from, size_t n, size_t first, size_t count, void *to)
{
    const uint8_t *src = from;
    uint8_t *dst = (uint8_t *)to + 4 * first;
    for (size_t k = 0; k < n && count == PCS_TILE; k += 4)
        for (size_t r = 0; r < PCS_TILE; r += 4) transpose4(src + 4 * (r * n + k), 4 * n, dst + 4 * (k * PCS_TILE + r));
    for (size_t k = 0; k < n && count < PCS_TILE; k++)
        for (size_t r = 0; r < count; r++) memcpy(dst + 4 * (k * PCS_TILE + r), src + 4 * (r * n + k), 4);
}

/* Rows m0 .. m0 + count - 1, of one tile. */
static void rows(const pcs_act *a, size_t chunks, size_t m0, size_t count)
{
    const size_t tile = m0 / PCS_TILE, first = m0 % PCS_TILE;
    int32_t *t16 = a->t16 + tile * chunks * 16 * PCS_TILE, *t32 = a->t32 + tile * chunks * 8 * PCS_TILE;
    side_by_side(a->q + m0 * chunks * PCS_CHUNK, chunks * 64, first, count, a->tq + tile * chunks * 64 * PCS_TILE * 4);
    side_by_side(a->s + m0 * chunks * 16, chunks * 16, first, count, a->ts + tile * chunks * 16 * PCS_TILE);
    side_by_side(a->d + m0 * chunks * 8, chunks * 8, first, count, a->td + tile * chunks * 8 * PCS_TILE);
    side_by_side(a->z + m0 * chunks * 16, chunks * 16, first, count, t16);
    for (size_t g = 0; g < chunks * 16; g++)
        for (size_t t = first; t < first + count; t++) t16[g * PCS_TILE + t] *= -128;
    for (size_t g = 0; g < chunks * 8; g++)
        for (size_t t = first; t < first + count; t++)
            t32[g * PCS_TILE + t] = t16[2 * g * PCS_TILE + t] + t16[(2 * g + 1) * PCS_TILE + t];
}

void pcs_act_interleave(const pcs_act *a, size_t chunks, size_t m, size_t m0, size_t m1)
{
    for (size_t i = m0, n; i < m1; i += n) {
        const size_t left = PCS_TILE - i % PCS_TILE;
        n = m1 - i < left ? m1 - i : left;
        rows(a, chunks, i, n);
    }
    if (m1 < m || !m) return;
    const size_t tile = (m - 1) / PCS_TILE;
    for (size_t t = (m - 1) % PCS_TILE + 1; t < PCS_TILE; t++) {
        for (size_t k = 0; k < chunks * 64; k++) memset(a->tq + ((tile * chunks * 64 + k) * PCS_TILE + t) * 4, 0, 4);
        for (size_t g = 0; g < chunks * 16; g++)
            a->ts[(tile * chunks * 16 + g) * PCS_TILE + t] = 0, a->t16[(tile * chunks * 16 + g) * PCS_TILE + t] = 0;
        for (size_t g = 0; g < chunks * 8; g++)
            a->td[(tile * chunks * 8 + g) * PCS_TILE + t] = 0, a->t32[(tile * chunks * 8 + g) * PCS_TILE + t] = 0;
    }
}

pcs_act pcs_act_row(const pcs_act *a, size_t chunks, size_t r)
{
    const size_t tile = r / PCS_TILE * chunks * PCS_TILE, t = r % PCS_TILE;
    return (pcs_act){ a->q + r * chunks * PCS_CHUNK,
                      a->d + r * chunks * 8,
                      a->s + r * chunks * 16,
                      a->z + r * chunks * 16,
                      a->tq + tile * PCS_CHUNK + 4 * t,
                      a->td + tile * 8 + t,
                      a->ts + tile * 16 + t,
                      a->t16 + tile * 16 + t,
                      a->t32 + tile * 8 + t };
}
