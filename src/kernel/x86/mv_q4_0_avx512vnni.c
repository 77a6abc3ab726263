/* mv_q4_0, AVX-512 VNNI: blocks of 18 bytes. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 144
#define MV_ROWS 4
#define MV_OFFSET 8
#define MV_MIN 0

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p) { return mv_nibbles(w + 36 * p + 2, w + 36 * p + 20); }
PCS_INLINE __m512 mv_d(const uint8_t *w) { return twice(mv_halves(w, 18)); }
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q4_0_avx512vnni(const void *args) { mv_run(args); }
