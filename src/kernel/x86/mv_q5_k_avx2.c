/* mv_q5_k, AVX2: as Q4_K, with fifth bits in bytes of their own. */
#include "kernel/x86/mv_avx2.h"

#define MV_BYTES 176
#define MV_ROWS 2
#define MV_OFFSET 0
#define MV_SIGNED 0
#define MV_MIN 1

PCS_INLINE __m256i mv_codes(const uint8_t *w, int g)
{
    const __m256i bit = _mm256_set1_epi8((char)(1 << g)), high = _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(w + 16)), bit);
    return _mm256_or_si256(mv_nibbles_k(w + 48 + 16 * (g & ~1), g & 1), _mm256_and_si256(_mm256_cmpeq_epi8(high, bit), _mm256_set1_epi8(16)));
}
PCS_INLINE __m256 mv_d(const uint8_t *w) { return mv_scaled(w, mv_k4_scales(w + 4)); }
PCS_INLINE __m256 mv_m(const uint8_t *w) { return mv_scaled(w + 2, mv_k4_mins(w + 4)); }

#include "kernel/x86/mv_avx2.h"

void pcs_mv_q5_k_avx2(const void *args) { mv_run(args); }
