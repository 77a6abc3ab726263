/* mv, AVX2: half a line in a register; products are summed in pairs in 16 bits, as many as fit (mp_avx2.c). */
#define VEC 32
#define MV_MOST 4
#define MV_DIGITS
#include "kernel/simd/mv.h"

PCS_INLINE void dots(const mv_group_at *at, int l0, int l1, const vec *lines, const int32_t *start, vec *dot)
{
    const decoder *d = at->dec;
    const int tokens = at->tokens;
    const int8_t *q = at->x->q + 32 * at->g * tokens;
    const vec ones = _mm256_set1_epi16(1);
    const int step = d->pairs ? d->pairs : 1; /* groups are whole numbers of it */
    for (int t = 0; t < tokens; t++) dot[t] = v_set32(d->pairs ? start[t] : 0);
    for (int l = l0; l < l1; l += step) {
        vec pairs[MV_MOST];
        for (int k = l; k < l + step; k++) {
            const vec line = line_of(at, k, lines), codes = d->pairs ? line : v_xor(line, v_set8(128));
            const vec size = _mm256_abs_epi8(codes);
            for (int t = 0; t < tokens; t++) {
                const vec x = v_four(q + 4 * (k * tokens + t));
                const vec two = d->pairs ? _mm256_maddubs_epi16(codes, x)
                                         : _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, codes));
                pairs[t] = k > l ? _mm256_add_epi16(pairs[t], two) : two;
            }
        }
        for (int t = 0; t < tokens; t++) dot[t] = _mm256_add_epi32(dot[t], _mm256_madd_epi16(pairs[t], ones));
    }
}

PCS_INLINE vec add_digits(vec sum, vec codes, const int8_t *x)
{
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(codes, v_four(x)));
}
PCS_INLINE vec sum_digits(vec sum) { return _mm256_madd_epi16(sum, _mm256_set1_epi16(1)); }

#define DECODER(name, ...) MV(name, avx2, __VA_ARGS__)
#define BOOK(name, slots, pairs) MV_LINES(name, avx2, slots, pairs, false, 0, NULL)
#include "kernel/simd/decoders.def"
