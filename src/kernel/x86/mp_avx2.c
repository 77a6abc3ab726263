/* mp, AVX2: codes - code_lo are unsigned. Their products with int8 are summed in pairs in 16 bits, and as many pairs as fit into 16 bits before they are widened:
 * 8 of 4-bit codes (15 x 127 x 2 x 8 = 30,480), 4 of 5-bit, 2 of 6-bit. Wider codes take the sign of the activations. */
#define VEC 32
#include "kernel/simd/mp.h"

enum { MP_TOKENS = 4, SIGNS = 0 };

/* kind: pairs that fit, or SIGNS. */
PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int tokens, const int32_t *start, int kind, const pcs_format *f, __m256i *dot)
{
    const __m256i ones = _mm256_set1_epi16(1);
    for (int t = 0; t < tokens; t++) dot[t] = kind == SIGNS ? _mm256_setzero_si256() : _mm256_set1_epi32(-(start[t] / 128) * f->code_lo); /* + code_lo sum(q) */
    for (int l = 0; l < lines;) {
        __m256i pairs[MP_TOKENS];
        for (int k = 0; k < (kind ? kind : 1) && l < lines; k++, l++) {
            const __m256i c = _mm256_load_si256((const __m256i *)(w + 64 * l)), size = _mm256_abs_epi8(c);
            for (int t = 0; t < tokens; t++) {
                const __m256i v = v_four(x + 4 * (PCS_TILE * l + t));
                const __m256i p = kind == SIGNS ? _mm256_maddubs_epi16(size, _mm256_sign_epi8(v, c)) : _mm256_maddubs_epi16(c, v);
                pairs[t] = k ? _mm256_add_epi16(pairs[t], p) : p;
            }
        }
        for (int t = 0; t < tokens; t++) dot[t] = _mm256_add_epi32(dot[t], _mm256_madd_epi16(pairs[t], ones));
    }
}

#include "kernel/x86/mp_256.h"

void pcs_mp_avx2(const void *args)
{
    const pcs_mp_args *a = args;
    const int lines = pcs_mp_wide(a->f) ? 8 : 4, pairs = pcs_mp_pairs(a->f);
    const uint8_t bias = pairs ? (uint8_t)-a->f->code_lo : 0;
    if (pairs == 8) mp_all(a, 8, 8, bias);
    else if (pairs == 4 && lines == 8) mp_all(a, 8, 4, bias);
    else if (pairs == 4) mp_all(a, 4, 4, bias);
    else if (pairs == 2 && lines == 8) mp_all(a, 8, 2, bias);
    else if (pairs == 2) mp_all(a, 4, 2, bias);
    else if (lines == 8) mp_all(a, 8, SIGNS, 0);
    else mp_all(a, 4, SIGNS, 0);
}
