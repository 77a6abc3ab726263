/* mv, NEON: a quarter of a line, 4 rows, in a register; products in 16 bits, added by pairs: twice 127 x 128 fits. */
#define VEC 16
#define MV_MOST 4
#include "kernel/simd/mv.h"

PCS_INLINE void dots(const decoder *d, const planes *p, size_t c, int g, int l0, int l1, int h, const int8_t *const *q, const int32_t *start, int tokens, vec *dot)
{
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(d->pairs ? -start[t] * d->offset : 0);
    for (int l = l0; l < l1; l++) {
        const int8x16_t codes = vreinterpretq_s8_u8(d->pairs ? d->line(p, c, g, l, h) : v_xor(d->line(p, c, g, l, h), v_set8(128)));
        for (int t = 0; t < tokens; t++) {
            const int8x16_t x = vreinterpretq_s8_u8(v_four(q[t] + 4 * l));
            const int16x8_t low = vmull_s8(vget_low_s8(codes), vget_low_s8(x)), high = vmull_high_s8(codes, x);
            dot[t] = vreinterpretq_u8_s32(vpadalq_s16(vreinterpretq_s32_u8(dot[t]), vpaddq_s16(low, high)));
        }
    }
}

#define DECODER(name, block, slots, min, pairs) MV(name, neon, block, slots, min, pairs)
#include "kernel/simd/decoders.def"
