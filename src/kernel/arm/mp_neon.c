/* mp, NEON: products in 16 bits, added by pairs. */
#include "kernel/arm/mp_arm.h"

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int32x4_t *dot)
{
    for (int t = 0; t < MP_TOKENS; t++) dot[t] = vdupq_n_s32(0);
    for (int l = 0; l < lines; l++) {
        const int8x16_t codes = vreinterpretq_s8_u8(vld1q_u8(w + 64 * l));
        for (int t = 0; t < MP_TOKENS; t++) {
            const int8x16_t v = vreinterpretq_s8_u8(v_four(x + 4 * (PCS_TILE * l + t)));
            dot[t] = vpadalq_s16(dot[t], vpaddq_s16(vmull_s8(vget_low_s8(codes), vget_low_s8(v)), vmull_high_s8(codes, v)));
        }
    }
}

void pcs_mp_neon(const void *args) { mp_all(args); }
