/* mv, AVX-VNNI: as with AVX-512, on half the lanes. */
#define VEC 32
#define MV_MOST 4
#define MV_DIGITS
#define MV_SUMS 8
#define MV_BYTES /* four() takes any byte */
#include "kernel/simd/mv.h"

PCS_INLINE void dots(const mv_group_at *at, int l0, int l1, const vec *lines, const int32_t *start, vec *dot)
{
    const int tokens = at->tokens;
    const int8_t *q = at->x->q + 32 * at->g * tokens;
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(start[t]);
    for (int l = l0; l < l1; l++) {
        const vec codes = line_of(at, l, lines);
        for (int t = 0; t < tokens; t++)
            dot[t] = _mm256_dpbusd_avx_epi32(dot[t], codes, v_four(q + 4 * (l * tokens + t)));
    }
}

PCS_INLINE vec four(vec sum, vec codes, const int8_t *x) { return _mm256_dpbusd_avx_epi32(sum, codes, v_four(x)); }
PCS_INLINE vec add_digits(vec sum, vec codes, const int8_t *x) { return four(sum, codes, x); }
PCS_INLINE vec sum_digits(vec sum) { return sum; }

#define DECODER(name, ...) MV(name, avxvnni, __VA_ARGS__)
#define BOOK(name, slots, pairs) MV_LINES(name, avxvnni, slots, pairs, false, 0, NULL)
#include "kernel/simd/decoders.def"
