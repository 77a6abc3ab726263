/* peak, without an instruction set: what the compiler makes of a plain loop. */
#include "kernel/kernel.h"

enum { LANES = 64 };

void pcs_peak_scalar(const pcs_peak_args *a)
{
    uint32_t acc[LANES];
    volatile int8_t three = 3;
    const int8_t y = three;
    for (int i = 0; i < LANES; i++) acc[i] = (uint32_t)i;
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < LANES; i++) acc[i] += (uint32_t)((int8_t)(r + (uint64_t)i) * y);
    uint32_t sum = 0;
    for (int i = 0; i < LANES; i++) sum += acc[i];
    *a->sink = sum;
    *a->multiplications = a->rounds * LANES;
}

void pcs_peakf_scalar(const pcs_peak_args *a)
{
    float acc[LANES];
    for (int i = 0; i < LANES; i++) acc[i] = (float)i;
    for (uint64_t r = 0; r < a->rounds; r++)
        for (int i = 0; i < LANES; i++) acc[i] = acc[i] * 0.5f + 0.25f;
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += acc[i];
    *a->sink = (uint32_t)sum;
    *a->multiplications = a->rounds * LANES;
}

/* No tiles: as f32. */
void pcs_peak_bf16_scalar(const pcs_peak_args *a) { pcs_peakf_scalar(a); }
