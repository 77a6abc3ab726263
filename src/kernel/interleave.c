/* interleave.c - int8 activations of a prompt by tiles of tokens, for mp. */
#include "kernel/kernel.h"

static void row(const pcs_act *a, size_t chunks, size_t m)
{
    const size_t tile = m / PCS_TILE, t = m % PCS_TILE;
    const int8_t *q = a->q + m * chunks * PCS_CHUNK;
    int8_t *tq = a->tq + (tile * chunks * 64 * PCS_TILE + t) * 4;
    for (size_t k = 0; k < chunks * 64; k++) memcpy(tq + k * PCS_TILE * 4, q + 4 * k, 4);
    for (size_t g = 0; g < chunks * 16; g++) {
        a->ts[(tile * chunks * 16 + g) * PCS_TILE + t] = a->s[m * chunks * 16 + g];
        a->t16[(tile * chunks * 16 + g) * PCS_TILE + t] = -128 * a->z[m * chunks * 16 + g];
    }
    for (size_t g = 0; g < chunks * 8; g++) {
        const int32_t *half = a->t16 + (tile * chunks * 16 + 2 * g) * PCS_TILE + t;
        a->td[(tile * chunks * 8 + g) * PCS_TILE + t] = a->d[m * chunks * 8 + g];
        a->t32[(tile * chunks * 8 + g) * PCS_TILE + t] = half[0] + half[PCS_TILE];
    }
}

void pcs_act_interleave(const pcs_act *a, size_t chunks, size_t m, size_t m0, size_t m1)
{
    for (size_t i = m0; i < m1; i++) row(a, chunks, i);
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
