/* f16_f32, NEON: exact, as the reference is. */
#include "base/f16.h"
#include "kernel/kernel.h"

#include <arm_neon.h>

void pcs_f16_f32_neon(const pcs_f16_f32_args *a)
{
    size_t i = 0;
    for (; i + 4 <= a->n; i += 4) vst1q_f32(a->dst + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(a->src + i))));
    for (; i < a->n; i++) a->dst[i] = pcs_f16_to_f32(a->src[i]);
}
