/* mv_arm.h - mv on 128 bits, a quarter of a line, 4 rows, in a register, around the including file's add_products(sum, codes, x): each lane and its four products of signed
 * bytes. Codes up to 127 are signed as they are; those of a format with larger ones lose 128. */
#ifndef PCS_MV_ARM_H
#define PCS_MV_ARM_H

#define MV_MOST 4
#include "kernel/simd/mv.h"

PCS_INLINE void dots(const decoder *d, const planes *p, int g, int l0, int l1, int h, const vec *lines, const int8_t *q, const int32_t *start, int tokens, vec *dot)
{
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(d->pairs ? start[t] : 0);
    for (int l = l0; l < l1; l++) {
        const int8x16_t codes = vreinterpretq_s8_u8(d->pairs ? line_of(d, p, g, l, h, lines) : v_xor(line_of(d, p, g, l, h, lines), v_set8(128)));
        for (int t = 0; t < tokens; t++) dot[t] = vreinterpretq_u8_s32(add_products(vreinterpretq_s32_u8(dot[t]), codes, vreinterpretq_s8_u8(v_four(q + 4 * (l * tokens + t)))));
    }
}

#endif
