/* mv_q5_0, AVX2: blocks of 22 bytes; the fifth bits are a mask. */
#include "kernel/x86/mv_avx2.h"

#define MV_BYTES 176
#define MV_ROWS 2
#define MV_OFFSET 16
#define MV_SIGNED 0
#define MV_MIN 0

PCS_INLINE __m256i mv_codes(const uint8_t *w, int g)
{
    return _mm256_or_si256(nibbles(w + 22 * g + 6), fifth_bits(pcs_load32(w + 22 * g + 2)));
}
PCS_INLINE __m256 mv_d(const uint8_t *w) { return mv_halves(w, 22); }
PCS_INLINE __m256 mv_m(const uint8_t *w) { return (void)w, _mm256_setzero_ps(); }

#include "kernel/x86/mv_avx2.h"

void pcs_mv_q5_0_avx2(const void *args) { mv_run(args); }
