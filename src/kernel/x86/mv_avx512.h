/* mv_avx512.h - one token times rows of weights, straight from the file's bytes: nothing is stored in between.
 *
 * The file that includes this describes a chunk of 256 weights: MV_BYTES; MV_OFFSET; MV_MIN; mv_codes (64 codes plus
 * MV_OFFSET as unsigned bytes); mv_d and, with MV_MIN, mv_m (16 slots, one per 16 weights); and MV_ROWS, the rows in work
 * at a time (1, 2 or 4, whichever was fastest). They share the loads of the activations, and of sum (q + o) a - o sum a
 * the second part. The products and their order are those of mm, and integer sums are exact: the same bits. */
#ifndef PCS_MV_AVX512_H
#define PCS_MV_AVX512_H

#include "kernel/x86/mv.h"

typedef struct { __m512 sum, min; } mv_acc;

/* Two runs of 16 bytes as 64 nibbles, the low ones of each run first. */
PCS_INLINE __m512i mv_nibbles(const uint8_t *a, const uint8_t *b)
{
    const __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a)), _mm_loadu_si128((const __m128i *)b), 1);
    const __m512i wide = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3), _mm512_castsi256_si512(both));
    return _mm512_and_si512(_mm512_srlv_epi64(wide, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4)), _mm512_set1_epi8(15));
}

/* 32 bytes as 64 nibbles, all the low ones first. */
PCS_INLINE __m512i mv_nibbles_k(const uint8_t *p)
{
    const __m512i wide = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_and_si512(_mm512_srlv_epi64(wide, _mm512_setr_epi64(0, 0, 0, 0, 4, 4, 4, 4)), _mm512_set1_epi8(15));
}

/* An f16 times eight bytes. */
PCS_INLINE __m512 mv_scaled(const uint8_t *half, uint64_t bytes)
{
    return twice(_mm256_mul_ps(_mm256_set1_ps(_cvtsh_ss(pcs_load16(half))), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)bytes)))));
}

#endif

/* ---- the loop, for what the including file has defined --------------------------------------------------- */
#ifdef MV_BYTES

#define MV_UNIT 64

PCS_INLINE void mv_zero(mv_acc *a) { a->sum = a->min = _mm512_setzero_ps(); }
PCS_INLINE float mv_value(const mv_acc *a) { return MV_MIN ? sum16(a->sum) - sum16(a->min) : sum16(a->sum); }

/* The first `pairs` times 64 weights of a chunk. Slots beyond them may hold anything. */
PCS_INLINE void mv_chunk(mv_acc *acc, const uint8_t *const *w, int rows, int pairs, const int8_t *x, const float *ad, const float *as)
{
    const __m512 dx = twice(_mm256_loadu_ps(ad));
    __m512 d[MV_ROWS];
    for (int r = 0; r < rows; r++) d[r] = _mm512_mul_ps(mv_d(w[r]), dx);
    for (int p = 0; p < pairs; p++) {
        const __m512i a = _mm512_load_si512(x + 64 * p);
        __m512i start = _mm512_setzero_si512();
        if (MV_OFFSET) start = _mm512_sub_epi32(start, _mm512_dpbusd_epi32(start, _mm512_set1_epi8((char)MV_OFFSET), a));
        const __m512i four = four_from(4 * p);
        for (int r = 0; r < rows; r++) {
            const __m512 v = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(start, mv_codes(w[r], p), a));
            acc[r].sum = _mm512_fmadd_ps(_mm512_permutexvar_ps(four, d[r]), v, acc[r].sum);
        }
    }
    if (!MV_MIN) return;
    const __mmask16 used = (__mmask16)((1u << 4 * pairs) - 1);
    for (int r = 0; r < rows; r++) acc[r].min = _mm512_mask3_fmadd_ps(mv_m(w[r]), _mm512_loadu_ps(as), acc[r].min, used);
}

#include "kernel/x86/mv_loop.h"

#endif
