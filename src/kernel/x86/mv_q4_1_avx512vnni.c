/* mv_q4_1, AVX-512 VNNI: blocks of 20 bytes. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 160
#define MV_ROWS 2
#define MV_OFFSET 0
#define MV_MIN 1

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p) { return mv_nibbles(w + 40 * p + 4, w + 40 * p + 24); }
PCS_INLINE __m512 mv_d(const uint8_t *w) { return twice(mv_halves(w, 20)); }
/* m is minus what the file adds. */
PCS_INLINE __m512 mv_m(const uint8_t *w) { return twice(_mm256_xor_ps(mv_halves(w + 2, 20), _mm256_set1_ps(-0.0f))); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q4_1_avx512vnni(const void *args) { mv_run(args); }
