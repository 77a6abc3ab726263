/* codes_gemm, NEON with dot products, which take two signs: codes are 128 less, and sums of weights make up for it. */
#define CODES_ROWS 4
#define CODES_PARTS 1
#include "kernel/arm/codes_arm.h"

PCS_INLINE void codes_dot(codes_acc *sum, uint8x16_t codes, int8x16_t weights)
{
    const int8x16_t x = vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128)));
    sum->part[0] = vdotq_s32(sum->part[0], x, weights);
}
PCS_INLINE int32x4_t codes_sum(const codes_acc *sum) { return sum->part[0]; }
PCS_INLINE int32x4_t codes_first(const pcs_codes_gemm_args *a, size_t n)
{
    return vmlaq_n_s32(vld1q_s32(a->first + n), vld1q_s32(a->sums + n), 128);
}

void pcs_codes_gemm_dotprod(const pcs_codes_gemm_args *a) { codes_all(a, false); }
void pcs_codes_gemm_f32_dotprod(const pcs_codes_gemm_args *a) { codes_all(a, true); }
