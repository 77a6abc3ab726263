/* mv_q4_k, AVX2: the codes of a group of 32 are the low or the high nibbles of 32 bytes. */
#include "kernel/x86/mv_avx2.h"

#define MV_BYTES 144
#define MV_ROWS 2
#define MV_OFFSET 0
#define MV_SIGNED 0
#define MV_MIN 1

PCS_INLINE __m256i mv_codes(const uint8_t *w, int g) { return mv_nibbles_k(w + 16 + 16 * (g & ~1), g & 1); }
PCS_INLINE __m256 mv_d(const uint8_t *w) { return mv_scaled(w, mv_k4_scales(w + 4)); }
PCS_INLINE __m256 mv_m(const uint8_t *w) { return mv_scaled(w + 2, mv_k4_mins(w + 4)); }

#include "kernel/x86/mv_avx2.h"

void pcs_mv_q4_k_avx2(const void *args) { mv_run(args); }
