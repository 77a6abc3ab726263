/* mv_iq4_nl, AVX-512 VNNI: blocks of 18 bytes; codes are entries of a book, looked up plus 128. */
#include "kernel/x86/mv_avx512.h"

#define MV_BYTES 144
#define MV_ROWS 4
#define MV_OFFSET 128
#define MV_MIN 0

PCS_INLINE __m512i mv_codes(const uint8_t *w, int p)
{
    const __m128i book = _mm_xor_si128(_mm_loadu_si128((const __m128i *)pcs_book_iq4), _mm_set1_epi8((char)128));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(book), mv_nibbles(w + 36 * p + 2, w + 36 * p + 20));
}
PCS_INLINE __m512 mv_d(const uint8_t *w) { return twice(mv_halves(w, 18)); }
PCS_INLINE __m512 mv_m(const uint8_t *w) { return (void)w, _mm512_setzero_ps(); }

#include "kernel/x86/mv_avx512.h"

void pcs_mv_iq4_nl_avx512vnni(const void *args) { mv_run(args); }
