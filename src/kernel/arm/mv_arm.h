/* mv_arm.h - mv on 128 bits, a quarter of a line, 4 rows, in a register, around the including file's
 * add_products(sum, codes, x): each lane and its four products of signed bytes. Codes up to 127 are signed as they
 * are; those of a format with larger ones lose 128. */
#ifndef PCS_MV_ARM_H
#define PCS_MV_ARM_H

#define MV_MOST 4
#include "kernel/simd/mv.h"

PCS_INLINE void dots(const mv_group_at *at, int l0, int l1, const vec *lines, const int32_t *start, vec *dot)
{
    const decoder *d = at->dec;
    const int tokens = at->tokens;
    const int8_t *q = at->x->q + 32 * at->g * tokens;
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(d->pairs ? start[t] : 0);
    for (int l = l0; l < l1; l++) {
        const vec line = line_of(at, l, lines);
        const int8x16_t codes = vreinterpretq_s8_u8(d->pairs ? line : v_xor(line, v_set8(128)));
        for (int t = 0; t < tokens; t++)
            dot[t] = vreinterpretq_u8_s32(add_products(vreinterpretq_s32_u8(dot[t]), codes,
                                                       vreinterpretq_s8_u8(v_four(q + 4 * (l * tokens + t)))));
    }
}

#endif
