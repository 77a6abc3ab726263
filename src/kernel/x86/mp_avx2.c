/* mp, AVX2: codes - code_lo are unsigned. Their products with int8 are summed in pairs in 16 bits, and as many pairs
 * as fit into 16 bits before they are widened: 8 of 4-bit codes (15 x 127 x 2 x 8 = 30,480), 4 of 5-bit, 2 of 6-bit.
 * Wider codes multiply as their size |c|, and the activations are complemented where c is negative: |c| (~q) = c q -
 * |c|, so that a row's sum starts at the sum of those |c|. Sums of pairs stay within 2 x 127 x 128. (vpsignb would
 * share the multipliers' ports.) */
#define VEC 32
#include "kernel/x86/mp_256.h"

enum { SIGNS = 0 };

PCS_INLINE __m256i negative(__m256i c) { return _mm256_cmpgt_epi8(_mm256_setzero_si256(), c); }

/* The sizes of negative codes, added up. */
static void mp_start(const mp_panel *p, size_t groups, int lines, int kind)
{
    const __m256i one = _mm256_set1_epi8(1), ones = _mm256_set1_epi16(1);
    for (size_t g = 0; g < groups && kind == SIGNS; g++)
        for (int h = 0; h < 2; h++) {
            __m256i sum = _mm256_setzero_si256();
            for (int l = 0; l < lines; l++) {
                const uint8_t *line = p->codes + (g * (size_t)lines + (size_t)l) * 64 + 32 * h;
                const __m256i c = _mm256_load_si256((const __m256i *)line);
                const __m256i sizes = _mm256_and_si256(_mm256_abs_epi8(c), negative(c));
                sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(sizes, one), ones));
            }
            _mm256_store_si256((__m256i *)(void *)(p->start + g * 16 + 8 * h), sum);
        }
}

/* kind: pairs that fit, or SIGNS. */
PCS_INLINE void mp_group(mp_operands o, mp_shape shape, int tokens, const pcs_format *f, __m256i (*dot)[2])
{
    const int lines = shape.lines, kind = shape.kind;
    const __m256i ones = _mm256_set1_epi16(1);
    const int step = kind ? kind : 1;
#pragma GCC unroll 8
    for (int l = 0; l < lines; l += step) {
        __m256i pairs[MP_TOKENS][2];
#pragma GCC unroll 8
        for (int k = l; k < l + step; k++) {
            __m256i c[2], flip[2];
            for (int h = 0; h < 2; h++) {
                c[h] = _mm256_load_si256((const __m256i *)(o.w + 64 * k + 32 * h));
                if (kind != SIGNS) continue;
                flip[h] = negative(c[h]);
                c[h] = _mm256_abs_epi8(c[h]);
            }
            for (int t = 0; t < tokens; t++) {
                const __m256i v = v_four(o.x + 4 * (PCS_TILE * k + t));
                for (int h = 0; h < 2; h++) {
                    const __m256i p = _mm256_maddubs_epi16(c[h], kind == SIGNS ? _mm256_xor_si256(v, flip[h]) : v);
                    pairs[t][h] = k > l ? _mm256_add_epi16(pairs[t][h], p) : p;
                }
            }
        }
        for (int t = 0; t < tokens; t++)
            for (int h = 0; h < 2; h++) {
                const __m256i sum = _mm256_madd_epi16(pairs[t][h], ones);
                dot[t][h] = l ? _mm256_add_epi32(dot[t][h], sum) : sum;
            }
    }
    /* code_lo sum(q): the sum is 16 bits wide, and lo's upper half 0 */
    const __m256i lo = _mm256_set1_epi32(-f->code_lo & 0xffff);
    for (int t = 0; t < tokens; t++) {
        const __m256i first = kind == SIGNS
                                  ? _mm256_setzero_si256()
                                  : _mm256_madd_epi16(_mm256_srai_epi32(_mm256_set1_epi32(o.start[t]), 7), lo);
        for (int h = 0; h < 2; h++) {
            const __m256i *row = (const __m256i *)(const void *)(o.rows + 8 * h);
            dot[t][h] = _mm256_add_epi32(dot[t][h], kind == SIGNS ? _mm256_load_si256(row) : first);
        }
    }
}

PCS_INLINE void mp_kind(const pcs_mp_args *a, int lines, int kind)
{
    const uint8_t bias = kind ? (uint8_t)-a->f->code_lo : 0;
    if (a->f->has_min) mp_all(a, (mp_shape){ lines, kind, true }, bias);
    else mp_all(a, (mp_shape){ lines, kind, false }, bias);
}

void pcs_mp_avx2(const pcs_mp_args *a)
{
    if (fields_few(a)) return;
    const int lines = pcs_mp_wide(a->f) ? 8 : 4, pairs = pcs_mp_pairs(a->f);
    if (pairs == 8) mp_kind(a, 8, 8);
    else if (pairs == 4 && lines == 8) mp_kind(a, 8, 4);
    else if (pairs == 4) mp_kind(a, 4, 4);
    else if (pairs == 2 && lines == 8) mp_kind(a, 8, 2);
    else if (pairs == 2) mp_kind(a, 4, 2);
    else if (lines == 8) mp_kind(a, 8, SIGNS);
    else mp_kind(a, 4, SIGNS);
}
