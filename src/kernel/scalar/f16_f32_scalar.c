/* f16_f32, reference. */
#include "base/f16.h"
#include "kernel/kernel.h"

void pcs_f16_f32_scalar(const pcs_f16_f32_args *a)
{
    for (size_t i = 0; i < a->n; i++) a->dst[i] = pcs_f16_to_f32(a->src[i]);
}
