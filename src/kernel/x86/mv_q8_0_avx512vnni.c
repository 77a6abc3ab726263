/* mv_q8_0, AVX-512 VNNI: blocks of 34 bytes. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 272
#define MV_ROWS 1
#define MV_OFFSET 128
#define MV_MIN 0

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const __m256i a = _mm256_loadu_si256((const __m256i *)(w + 68 * p + 2)), b = _mm256_loadu_si256((const __m256i *)(w + 68 * p + 36));
    return _mm512_xor_si512(_mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1), _mm512_set1_epi8((char)128));
}
PCS_INLINE __m512 mv_d(const uint8_t *w) { return twice(mv_halves(w, 34)); }
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q8_0_avx512vnni(const void *args) { mv_run(args); }
