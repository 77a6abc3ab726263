/* mp, NEON: products in 16 bits, added by pairs. */
#include "kernel/arm/mp_arm.h"
#include "kernel/arm/products.h"

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int32x4_t *dot)
{
    for (int t = 0; t < MP_TOKENS; t++) dot[t] = vdupq_n_s32(0);
    for (int l = 0; l < lines; l++) {
        const int8x16_t codes = vreinterpretq_s8_u8(vld1q_u8(w + 64 * l));
        for (int t = 0; t < MP_TOKENS; t++)
            dot[t] = add_products(dot[t], codes, vreinterpretq_s8_u8(v_four(x + 4 * (PCS_TILE * l + t))));
    }
}

void pcs_mp_neon(const pcs_mp_args *args) { mp_all(args); }
