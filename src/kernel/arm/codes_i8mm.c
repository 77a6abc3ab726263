/* codes_gemm, NEON with products of codes without a sign by such with one. */
#define CODES_ROWS 4
#define CODES_PARTS 1
#include "kernel/arm/codes_arm.h"

PCS_INLINE void codes_dot(codes_acc *sum, uint8x16_t codes, int8x16_t weights)
{
    sum->part[0] = vusdotq_s32(sum->part[0], codes, weights);
}
PCS_INLINE int32x4_t codes_sum(const codes_acc *sum) { return sum->part[0]; }
PCS_INLINE int32x4_t codes_first(const pcs_codes_gemm_args *a, size_t n) { return vld1q_s32(a->first + n); }

void pcs_codes_gemm_i8mm(const pcs_codes_gemm_args *a) { codes_all(a, false); }
void pcs_codes_gemm_f32_i8mm(const pcs_codes_gemm_args *a) { codes_all(a, true); }
