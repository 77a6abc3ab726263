/* mp, NEON with matrix products: two lines side by side are 8 codes of a row; two rows by two tokens in a register. */
#include "kernel/arm/mp_arm.h"

PCS_INLINE int8x16_t beside(int32x4_t a, int32x4_t b, bool high)
{
    return vreinterpretq_s8_s32(high ? vzip2q_s32(a, b) : vzip1q_s32(a, b));
}

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int32x4_t *dot)
{
    int32x4_t sum[2][2]; /* [rows 0 1, rows 2 3][tokens 0 1, tokens 2 3]: row by row, token by token */
    for (int i = 0; i < 4; i++) sum[i / 2][i % 2] = vdupq_n_s32(0);
    for (int l = 0; l < lines; l += 2) {
        const int32x4_t w0 = vreinterpretq_s32_u8(vld1q_u8(w + 64 * l)),
                        w1 = vreinterpretq_s32_u8(vld1q_u8(w + 64 * l + 64));
        const int32x4_t x0 = vreinterpretq_s32_s8(vld1q_s8(x + 4 * PCS_TILE * l)),
                        x1 = vreinterpretq_s32_s8(vld1q_s8(x + 4 * PCS_TILE * (l + 1)));
        for (int r = 0; r < 2; r++)
            for (int t = 0; t < 2; t++) sum[r][t] = vmmlaq_s32(sum[r][t], beside(w0, w1, r), beside(x0, x1, t));
    }
    for (int t = 0; t < 2; t++) {
        dot[2 * t] = vuzp1q_s32(sum[0][t], sum[1][t]);
        dot[2 * t + 1] = vuzp2q_s32(sum[0][t], sum[1][t]);
    }
}

void pcs_mp_i8mm(const pcs_mp_args *args) { mp_all(args); }
