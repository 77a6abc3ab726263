/* mv_512.h - mv on 512 bits, a line of 16 rows in a register; codes are unsigned, and each sum starts at -offset
 * times that of the activations. */
#ifndef PCS_MV_512_H
#define PCS_MV_512_H

#define VEC 64
#define MV_MOST 8
#define MV_DIGITS
#define MV_SUMS 8
#define MV_BYTES /* four() takes any byte */
#include "kernel/simd/mv.h"

/* Written as an instruction, which loads and broadcasts as well and leaves sums where they are: gcc 12 makes two of
 * it, and copies sums (eight tokens: Q6_K 114 and 135 billion products a second, Q8_0 177 and 191, Q4_0 193 and
 * 198). In four() it is slower: gcc 12 does not unroll mv_fields, then. */
PCS_INLINE vec product(vec sum, vec codes, const int8_t *x)
{
    const int32_t *four = (const int32_t *)(const void *)x;
    __asm__ __inline__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(codes), "m"(*four));
    return sum;
}

PCS_INLINE void dots(const mv_group_at *at, int l0, int l1, const vec *lines, const int32_t *start, vec *dot)
{
    const decoder *d = at->dec;
    const int tokens = at->tokens;
    const int8_t *q = at->x->q + 32 * at->g * tokens;
    vec odd = v_set32(0); /* of one token's lines every other one, so that it waits half as long for its sums */
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(start[t]);
#pragma GCC unroll 8
    for (int l = l0; l < l1; l++) {
        const vec codes = line_of(at, l, lines);
        if (tokens == 1 && d->lines && l % 2) odd = product(odd, codes, q + 4 * l);
        else
            for (int t = 0; t < tokens; t++) dot[t] = product(dot[t], codes, q + 4 * (l * tokens + t));
    }
    if (tokens == 1 && d->lines) dot[0] = v_add32(dot[0], odd);
}

PCS_INLINE vec four(vec sum, vec codes, const int8_t *x) { return _mm512_dpbusd_epi32(sum, codes, v_four(x)); }
PCS_INLINE vec add_digits(vec sum, vec codes, const int8_t *x) { return product(sum, codes, x); }
PCS_INLINE vec sum_digits(vec sum) { return sum; }

#endif
