/* interleave.c - int8 activations of a prompt by tiles of tokens, for mp. */
#include "kernel/kernel.h"

/* Rows m0 .. m0 + count - 1 of one tile, side by side: written in their order, else a line of the tile would come and go for each of its tokens. */
PCS_INLINE void rows(const pcs_act *a, size_t chunks, size_t m0, size_t count)
{
    const size_t tile = m0 / PCS_TILE, first = m0 % PCS_TILE;
    const int8_t *q = a->q + m0 * chunks * PCS_CHUNK;
    int8_t *tq = a->tq + (tile * chunks * 64 * PCS_TILE + first) * 4;
    for (size_t k = 0; k < chunks * 64; k++)
        for (size_t t = 0; t < count; t++) memcpy(tq + (k * PCS_TILE + t) * 4, q + t * chunks * PCS_CHUNK + 4 * k, 4);
    const float *s = a->s + m0 * chunks * 16, *d = a->d + m0 * chunks * 8;
    const int32_t *z = a->z + m0 * chunks * 16;
    float *ts = a->ts + tile * chunks * 16 * PCS_TILE + first, *td = a->td + tile * chunks * 8 * PCS_TILE + first;
    int32_t *t16 = a->t16 + tile * chunks * 16 * PCS_TILE + first, *t32 = a->t32 + tile * chunks * 8 * PCS_TILE + first;
    for (size_t g = 0; g < chunks * 16; g++)
        for (size_t t = 0; t < count; t++) {
            ts[g * PCS_TILE + t] = s[t * chunks * 16 + g];
            t16[g * PCS_TILE + t] = -128 * z[t * chunks * 16 + g];
        }
    for (size_t g = 0; g < chunks * 8; g++)
        for (size_t t = 0; t < count; t++) {
            td[g * PCS_TILE + t] = d[t * chunks * 8 + g];
            t32[g * PCS_TILE + t] = t16[2 * g * PCS_TILE + t] + t16[(2 * g + 1) * PCS_TILE + t];
        }
}

void pcs_act_interleave(const pcs_act *a, size_t chunks, size_t m, size_t m0, size_t m1)
{
    for (size_t i = m0, n; i < m1; i += n) {
        const size_t left = PCS_TILE - i % PCS_TILE;
        n = m1 - i < left ? m1 - i : left;
        if (n == PCS_TILE) rows(a, chunks, i, PCS_TILE);
        else rows(a, chunks, i, n);
    }
    if (m1 < m || !m) return;
    const size_t tile = (m - 1) / PCS_TILE;
    for (size_t t = (m - 1) % PCS_TILE + 1; t < PCS_TILE; t++) {
        for (size_t k = 0; k < chunks * 64; k++) memset(a->tq + ((tile * chunks * 64 + k) * PCS_TILE + t) * 4, 0, 4);
        for (size_t g = 0; g < chunks * 16; g++) a->ts[(tile * chunks * 16 + g) * PCS_TILE + t] = 0, a->t16[(tile * chunks * 16 + g) * PCS_TILE + t] = 0;
        for (size_t g = 0; g < chunks * 8; g++) a->td[(tile * chunks * 8 + g) * PCS_TILE + t] = 0, a->t32[(tile * chunks * 8 + g) * PCS_TILE + t] = 0;
    }
}

pcs_act pcs_act_row(const pcs_act *a, size_t chunks, size_t r)
{
    const size_t tile = r / PCS_TILE * chunks * PCS_TILE, t = r % PCS_TILE;
    return (pcs_act){ a->q + r * chunks * PCS_CHUNK, a->d + r * chunks * 8, a->s + r * chunks * 16, a->z + r * chunks * 16,
                      a->tq + tile * PCS_CHUNK + 4 * t, a->td + tile * 8 + t, a->ts + tile * 16 + t, a->t16 + tile * 16 + t, a->t32 + tile * 8 + t };
}
