/* mv_avx2.h - one token times rows of weights straight from the file's bytes, 32 weights at a time.
 *
 * As mv_avx512.h, for formats with groups of 32: the including file gives mv_codes (32 codes of group g), mv_d and mv_m
 * (eight groups). With MV_SIGNED the codes are signed and MV_OFFSET is 0: pairs of codes above 127 would saturate. */
#ifndef PCS_MV_AVX2_H
#define PCS_MV_AVX2_H

#include "kernel/x86/mv.h"
#include "kernel/x86/unpack_legacy.h"

typedef struct { __m256 even, odd, min0, min1; } mv_acc;

/* The low or the high nibbles of 32 bytes. */
PCS_INLINE __m256i mv_nibbles_k(const uint8_t *p, int high)
{
    const __m256i b = _mm256_loadu_si256((const __m256i *)p);
    return _mm256_and_si256(high ? _mm256_srli_epi16(b, 4) : b, _mm256_set1_epi8(15));
}

/* An f16 times eight bytes. */
PCS_INLINE __m256 mv_scaled(const uint8_t *half, uint64_t bytes)
{
    return _mm256_mul_ps(_mm256_set1_ps(_cvtsh_ss(pcs_load16(half))), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes))));
}

#endif

/* ---- the loop, for what the including file has defined --------------------------------------------------- */
#ifdef MV_BYTES

#define MV_UNIT 32

PCS_INLINE void mv_zero(mv_acc *a) { a->even = a->odd = a->min0 = a->min1 = _mm256_setzero_ps(); }
PCS_INLINE float mv_value(const mv_acc *a)
{
    const float s = sum8(_mm256_add_ps(a->even, a->odd));
    return MV_MIN ? s - sum8(_mm256_add_ps(a->min0, a->min1)) : s;
}

/* The first `groups` times 32 weights of a chunk. Slots beyond them may hold anything. */
PCS_INLINE void mv_chunk(mv_acc *acc, const uint8_t *const *w, int rows, int groups, const int8_t *x, const float *ad, const float *as)
{
    const __m256 dx = _mm256_loadu_ps(ad);
    const __m256i one = _mm256_set1_epi16(1);
    __m256 d[MV_ROWS];
    for (int r = 0; r < rows; r++) d[r] = _mm256_mul_ps(mv_d(w[r]), dx);
    for (int g = 0; g < groups; g++) {
        const __m256i a = _mm256_load_si256((const __m256i *)(x + 32 * g)), lane = _mm256_set1_epi32(g);
        const __m256i off = MV_OFFSET ? _mm256_maddubs_epi16(_mm256_set1_epi8(MV_OFFSET), a) : _mm256_setzero_si256();
        for (int r = 0; r < rows; r++) {
            const __m256i q = mv_codes(w[r], g);
            /* codes of at most 31 and activations of at most 127: a pair is below 8,192 */
            const __m256i pairs = MV_SIGNED ? _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(a, q))
                                            : _mm256_sub_epi16(_mm256_maddubs_epi16(q, a), off);
            const __m256 v = _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, one)), dd = _mm256_permutevar8x32_ps(d[r], lane);
            if (g % 2) acc[r].odd = _mm256_fmadd_ps(dd, v, acc[r].odd);
            else acc[r].even = _mm256_fmadd_ps(dd, v, acc[r].even);
        }
    }
    if (!MV_MIN) return;
    const __m256i lo = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3), hi = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
    const __m256 used = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(groups), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
    for (int r = 0; r < rows; r++) {
        const __m256 m = _mm256_and_ps(mv_m(w[r]), used);
        acc[r].min0 = _mm256_fmadd_ps(_mm256_permutevar8x32_ps(m, lo), _mm256_loadu_ps(as), acc[r].min0);
        acc[r].min1 = _mm256_fmadd_ps(_mm256_permutevar8x32_ps(m, hi), _mm256_loadu_ps(as + 8), acc[r].min1);
    }
}

#include "kernel/x86/mv_loop.h"

#endif
