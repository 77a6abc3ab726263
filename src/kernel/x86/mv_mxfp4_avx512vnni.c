/* mv_mxfp4, AVX-512 VNNI: blocks of 17 bytes; codes are doubled E2M1 values, looked up plus 12; scales are powers of two. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 136
#define MV_ROWS 4
#define MV_OFFSET 12
#define MV_MIN 0

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const __m128i book = _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0);
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(book), mv_nibbles(w + 34 * p + 1, w + 34 * p + 18));
}

/* Half of 2^(e - 127), as the codes are doubled; exponents 0 and 1 give subnormals. */
PCS_INLINE __m512 mv_d(const uint8_t *w)
{
    const __m256i e = _mm256_setr_epi32(w[0], w[17], w[34], w[51], w[68], w[85], w[102], w[119]);
    const __m256i normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23), tiny = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    return twice(_mm256_castsi256_ps(_mm256_blendv_epi8(normal, tiny, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e))));
}
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_mxfp4_avx512vnni(const void *args) { mv_run(args); }
