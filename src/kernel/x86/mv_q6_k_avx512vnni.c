/* mv_q6_k, AVX-512 VNNI: four low bits in nibbles, two high bits in bytes of four. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 210
#define MV_ROWS 2
#define MV_OFFSET 32
#define MV_MIN 0

/* Groups 2p and 2p + 1 of 32: half h, quarters c and c + 1; nibble and field of a quarter lie at shifts of their own. */
PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const int h = p / 2, c = p % 2;
    const __m512i low = _mm512_and_si512(_mm512_srl_epi16(_mm512_loadu_si512(w + 64 * h), _mm_cvtsi32_si128(4 * c)), _mm512_set1_epi8(15));
    const __m512i high = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(w + 128 + 32 * h)));
    const __m512i two = _mm512_srlv_epi64(high, _mm512_setr_epi64(4 * c, 4 * c, 4 * c, 4 * c, 4 * c + 2, 4 * c + 2, 4 * c + 2, 4 * c + 2));
    return _mm512_or_si512(low, _mm512_slli_epi16(_mm512_and_si512(two, _mm512_set1_epi8(3)), 4));
}
PCS_INLINE __m512 mv_d(const uint8_t *w)
{
    const __m512i sc = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(w + 192)));
    return _mm512_mul_ps(_mm512_set1_ps(_cvtsh_ss(pcs_load16(w + 208))), _mm512_cvtepi32_ps(sc));
}
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_q6_k_avx512vnni(const void *args) { mv_run(args); }
