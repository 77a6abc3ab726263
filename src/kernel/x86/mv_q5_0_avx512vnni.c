/* mv_q5_0, AVX-512 VNNI: blocks of 22 bytes; the fifth bits are a mask. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 176
#define MV_ROWS 4
#define MV_OFFSET 16
#define MV_MIN 0

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const uint8_t *a = w + 44 * p, *b = a + 22;
    const __mmask64 fifth = (__mmask64)pcs_load32(b + 2) << 32 | pcs_load32(a + 2);
    const __m512i low = mv_nibbles(a + 6, b + 6);
    return _mm512_mask_or_epi32(low, 0xffff, low, _mm512_maskz_mov_epi8(fifth, _mm512_set1_epi8(16)));
}
PCS_INLINE __m512 mv_d(const uint8_t *w) { return twice(mv_halves(w, 22)); }
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q5_0_avx512vnni(const void *args) { mv_run(args); }
