/* act_bf16.h - act_bf16, compiled once per instruction set: no number depends on another. */
#ifndef PCS_ACT_BF16_H
#define PCS_ACT_BF16_H

#include "kernel/kernel.h"

PCS_INLINE void act_bf16_step(const float *x, uint16_t *to)
{
    PCS_LANES(i, PCS_BF16_STEP) to[i] = pcs_bf16_number(x[i]);
}

/* A row of an operand that lies turned. */
PCS_INLINE void act_bf16_turned(const pcs_act_bf16_args *a, size_t r, uint16_t *to, size_t steps)
{
    for (size_t s = 0; s < steps; s++, to += PCS_BF16_TILE * PCS_BF16_STEP) {
        float x[PCS_BF16_STEP] = { 0 };
        for (size_t i = 0; i < PCS_BF16_STEP && s * PCS_BF16_STEP + i < a->k; i++)
            x[i] = a->x[(s * PCS_BF16_STEP + i) * a->turned + r];
        act_bf16_step(x, to);
    }
}

/* What lies after the last row in its tile. */
PCS_INLINE void act_bf16_end(const pcs_act_bf16_args *a)
{
    const size_t steps = pcs_bf16_steps(a->k), tile = PCS_BF16_TILE * PCS_BF16_STEP;
    if (a->m1 < a->m || !a->m) return;
    for (size_t r = a->m; r % PCS_BF16_TILE; r++)
        for (size_t s = 0; s < steps; s++)
            memset(a->act + (r / PCS_BF16_TILE * steps + s) * tile + r % PCS_BF16_TILE * PCS_BF16_STEP, 0,
                   PCS_BF16_STEP * sizeof *a->act);
}

PCS_INLINE void act_bf16_rows(const pcs_act_bf16_args *a)
{
    const size_t steps = pcs_bf16_steps(a->k), tile = PCS_BF16_TILE * PCS_BF16_STEP, whole = a->k / PCS_BF16_STEP;
    for (size_t r = a->m0; r < a->m1; r++) {
        const float *x = a->x + r * a->k;
        uint16_t *to = a->act + r / PCS_BF16_TILE * steps * tile + r % PCS_BF16_TILE * PCS_BF16_STEP;
        if (a->turned) {
            act_bf16_turned(a, r, to, steps);
            continue;
        }
        for (size_t s = 0; s < whole; s++) act_bf16_step(x + s * PCS_BF16_STEP, to + s * tile);
        if (whole == steps) continue;
        float rest[PCS_BF16_STEP] = { 0 };
        memcpy(rest, x + whole * PCS_BF16_STEP, (a->k - whole * PCS_BF16_STEP) * sizeof *rest);
        act_bf16_step(rest, to + whole * tile);
    }
    act_bf16_end(a);
}

#define ACT_BF16(isa) \
    void pcs_act_bf16_##isa(const pcs_act_bf16_args *a) { act_bf16_rows(a); }

#endif
