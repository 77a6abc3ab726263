/* mv_q4_1, AVX2: blocks of 20 bytes. */
#include "kernel/x86/mv_avx2.h"

#define MV_BYTES 160
#define MV_ROWS 2
#define MV_OFFSET 0
#define MV_SIGNED 0
#define MV_MIN 1

PCS_INLINE __m256i mv_codes(const uint8_t *w, int g) { return nibbles(w + 20 * g + 4); }
PCS_INLINE __m256 mv_d(const uint8_t *w) { return mv_halves(w, 20); }
/* m is minus what the file adds. */
PCS_INLINE __m256 mv_m(const uint8_t *w) { return _mm256_xor_ps(mv_halves(w + 2, 20), _mm256_set1_ps(-0.0f)); }

#include "kernel/x86/mv_avx2.h"

void pcs_mv_q4_1_avx2(const void *args) { mv_run(args); }
