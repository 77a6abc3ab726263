/* mv_q5_k, AVX-512 VNNI: as Q4_K, with fifth bits in bytes of their own. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 176
#define MV_ROWS 2
#define MV_OFFSET 0
#define MV_MIN 1

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w + 16)));
    const __m512i bit = _mm512_inserti64x4(_mm512_set1_epi8((char)(1 << 2 * p)), _mm256_set1_epi8((char)(2 << 2 * p)), 1);
    return _mm512_or_si512(mv_nibbles_k(w + 48 + 32 * p), _mm512_maskz_mov_epi8(_mm512_test_epi8_mask(high, bit), _mm512_set1_epi8(16)));
}
PCS_INLINE __m512 mv_d(const uint8_t *w) { return mv_scaled(w, mv_k4_scales(w + 4)); }
PCS_INLINE __m512 mv_m(const uint8_t *w) { return mv_scaled(w + 2, mv_k4_mins(w + 4)); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q5_k_avx512vnni(const void *args) { mv_run(args); }
