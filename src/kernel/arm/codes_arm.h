/* codes_arm.h - codes_gemm of four outputs a register: a line of a panel is four registers. A level defines CODES_PARTS
 * (registers of sums for four outputs), `codes_dot` and `codes_sum`, and includes this. */
#ifndef PCS_CODES_ARM_H
#define PCS_CODES_ARM_H

#include "kernel/kernel.h"

#include <arm_neon.h>

typedef struct { int32x4_t part[CODES_PARTS]; } codes_acc;

/* Sums of codes with a line's weights; where they take two signs codes are 128 less, which
 * codes_first makes up for. */
PCS_INLINE void codes_dot(codes_acc *sum, uint8x16_t codes, int8x16_t weights);
PCS_INLINE int32x4_t codes_sum(const codes_acc *sum);
PCS_INLINE int32x4_t codes_first(const pcs_codes_gemm_args *a, size_t n);

PCS_INLINE float32x4_t codes_scaled(const pcs_codes_gemm_args *a, size_t n, int32x4_t sum)
{
    return vmulq_f32(vcvtq_f32_s32(sum), vld1q_f32(a->factor + n));
}

/* Conversions and the sum with the zero point saturate, so that what is far outside ends at the bounds. */
PCS_INLINE uint8x8_t codes_rounded(const pcs_codes_to *to, float32x4_t lo, float32x4_t hi)
{
    const int32x4_t zero = vdupq_n_s32(to->zero);
    const int16x8_t both = vcombine_s16(vqmovn_s32(vqaddq_s32(vcvtnq_s32_f32(lo), zero)),
                                        vqmovn_s32(vqaddq_s32(vcvtnq_s32_f32(hi), zero)));
    const uint8x8_t codes = vqmovun_s16(both);
    return vmax_u8(vmin_u8(codes, vdup_n_u8((uint8_t)to->hi)), vdup_n_u8((uint8_t)to->lo));
}

/* What becomes of the sums of one row and one panel. */
PCS_INLINE void codes_finish(const pcs_codes_gemm_args *a, size_t m, size_t n, const codes_acc *acc, bool numbers)
{
    const size_t left = a->n - n < PCS_CODES_PANEL ? a->n - n : PCS_CODES_PANEL;
    _Alignas(16) float room[PCS_CODES_PANEL];
    _Alignas(16) uint8_t codes[PCS_CODES_PANEL];
    float32x4_t y[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const size_t at = n + 4 * (size_t)i;
        y[i] = codes_scaled(a, at, vaddq_s32(codes_sum(&acc[i]), codes_first(a, at)));
    }
    if (!numbers) {
        vst1_u8(codes, codes_rounded(&a->to, y[0], y[1]));
        vst1_u8(codes + 8, codes_rounded(&a->to, y[2], y[3]));
        memcpy(a->y + m * a->ldy + n, codes, left);
        return;
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        if (a->bias) y[i] = vaddq_f32(y[i], vld1q_f32(a->bias + n + 4 * (size_t)i));
        vst1q_f32(room + 4 * i, y[i]);
    }
    memcpy(a->yf + m * a->ldy + n, room, left * sizeof *room);
}

PCS_INLINE void codes_block(const pcs_codes_gemm_args *a, size_t m, size_t n, int rows, bool numbers)
{
    const uint8_t *x = a->a + m * a->lda;
    const int8_t *w = a->w + n / PCS_CODES_PANEL * a->lines * 64;
    codes_acc acc[CODES_ROWS][4];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
#pragma GCC unroll 4
            for (int p = 0; p < CODES_PARTS; p++) acc[r][i].part[p] = vdupq_n_s32(0);
    for (size_t l = 0; l < a->lines; l++) {
        const int8x16_t b[4] = { vld1q_s8(w + 64 * l), vld1q_s8(w + 64 * l + 16), vld1q_s8(w + 64 * l + 32),
                                 vld1q_s8(w + 64 * l + 48) };
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            uint32_t four;
            memcpy(&four, x + (size_t)r * a->lda + 4 * l, 4);
            const uint8x16_t v = vreinterpretq_u8_u32(vdupq_n_u32(four));
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) codes_dot(&acc[r][i], v, b[i]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) codes_finish(a, m + (size_t)r, n, acc[r], numbers);
}

PCS_INLINE void codes_all(const pcs_codes_gemm_args *a, bool numbers)
{
    for (size_t n = 0; n < a->n; n += PCS_CODES_PANEL) {
        size_t m = 0;
        for (; m + CODES_ROWS <= a->m; m += CODES_ROWS) codes_block(a, m, n, CODES_ROWS, numbers);
        for (; m < a->m; m++) codes_block(a, m, n, 1, numbers);
    }
}

#endif
