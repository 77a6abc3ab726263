/* codes_gemm, NEON: products of two signs in 16 bits, of which pairs are added up in 32; codes are 128 less. Outputs
 * stand in pairs of lanes until the end, two of them in each part. */
#define CODES_ROWS 2
#define CODES_PARTS 2
#include "kernel/arm/codes_arm.h"

PCS_INLINE void codes_dot(codes_acc *sum, uint8x16_t codes, int8x16_t weights)
{
    const int8x16_t x = vreinterpretq_s8_u8(veorq_u8(codes, vdupq_n_u8(128)));
    sum->part[0] = vpadalq_s16(sum->part[0], vmull_s8(vget_low_s8(x), vget_low_s8(weights)));
    sum->part[1] = vpadalq_s16(sum->part[1], vmull_high_s8(x, weights));
}
PCS_INLINE int32x4_t codes_sum(const codes_acc *sum) { return vpaddq_s32(sum->part[0], sum->part[1]); }
PCS_INLINE int32x4_t codes_first(const pcs_codes_gemm_args *a, size_t n)
{
    return vmlaq_n_s32(vld1q_s32(a->first + n), vld1q_s32(a->sums + n), 128);
}

void pcs_codes_gemm_neon(const pcs_codes_gemm_args *a) { codes_all(a, false); }
void pcs_codes_gemm_f32_neon(const pcs_codes_gemm_args *a) { codes_all(a, true); }
