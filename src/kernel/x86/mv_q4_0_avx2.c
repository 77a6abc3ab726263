/* mv_q4_0, AVX2: blocks of 18 bytes. */
#include "kernel/x86/mv_avx2.h"

#define MV_BYTES 144
#define MV_ROWS 4
#define MV_OFFSET 8
#define MV_SIGNED 0
#define MV_MIN 0

PCS_INLINE __m256i mv_codes(const uint8_t *w, int g) { return nibbles(w + 18 * g + 2); }
PCS_INLINE __m256 mv_d(const uint8_t *w) { return mv_halves(w, 18); }
PCS_INLINE __m256 mv_m(const uint8_t *w) { return (void)w, _mm256_setzero_ps(); }

#include "kernel/x86/mv_avx2.h"

void pcs_mv_q4_0_avx2(const void *args) { mv_run(args); }
