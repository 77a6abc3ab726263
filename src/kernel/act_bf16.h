/* act_bf16.h - act_bf16, compiled once per instruction set: no number depends on another. */
#ifndef PCS_ACT_BF16_H
#define PCS_ACT_BF16_H

#include "kernel/kernel.h"

PCS_INLINE void act_bf16_step(const float *x, uint16_t *to)
{
    PCS_LANES(i, PCS_BF16_STEP) to[i] = pcs_bf16_number(x[i]);
}

PCS_INLINE void act_bf16_rows(const pcs_act_bf16_args *a)
{
    const size_t steps = pcs_bf16_steps(a->k), tile = PCS_BF16_TILE * PCS_BF16_STEP, whole = a->k / PCS_BF16_STEP;
    for (size_t r = a->m0; r < a->m1; r++) {
        const float *x = a->x + r * a->k;
        uint16_t *to = a->act + r / PCS_BF16_TILE * steps * tile + r % PCS_BF16_TILE * PCS_BF16_STEP;
        for (size_t s = 0; s < whole; s++) act_bf16_step(x + s * PCS_BF16_STEP, to + s * tile);
        if (whole == steps) continue;
        float rest[PCS_BF16_STEP] = { 0 };
        memcpy(rest, x + whole * PCS_BF16_STEP, (a->k - whole * PCS_BF16_STEP) * sizeof *rest);
        act_bf16_step(rest, to + whole * tile);
    }
    if (a->m1 < a->m || !a->m) return;
    for (size_t r = a->m; r % PCS_BF16_TILE; r++)
        for (size_t s = 0; s < steps; s++)
            memset(a->act + (r / PCS_BF16_TILE * steps + s) * tile + r % PCS_BF16_TILE * PCS_BF16_STEP, 0,
                   PCS_BF16_STEP * sizeof *a->act);
}

#define ACT_BF16(isa) \
    void pcs_act_bf16_##isa(const pcs_act_bf16_args *a) { act_bf16_rows(a); }

#endif
