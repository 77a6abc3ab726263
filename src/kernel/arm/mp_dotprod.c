/* mp, NEON with dot products: the activations of four tokens are the lanes of a register. */
#include "kernel/arm/mp_arm.h"

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int32x4_t *dot)
{
    for (int t = 0; t < MP_TOKENS; t++) dot[t] = vdupq_n_s32(0);
    for (int l = 0; l < lines; l++) {
        const int8x16_t codes = vreinterpretq_s8_u8(vld1q_u8(w + 64 * l)), v = vld1q_s8(x + 4 * PCS_TILE * l);
        dot[0] = vdotq_laneq_s32(dot[0], codes, v, 0);
        dot[1] = vdotq_laneq_s32(dot[1], codes, v, 1);
        dot[2] = vdotq_laneq_s32(dot[2], codes, v, 2);
        dot[3] = vdotq_laneq_s32(dot[3], codes, v, 3);
    }
}

void pcs_mp_dotprod(const pcs_mp_args *args) { mp_all(args); }
