/* xnor, AVX-512: 512 bits at a time, as at AVX2. */
#include "kernel/kernel.h"

#include <immintrin.h>

static __m512i count_512(__m512i bits)
{
    const __m512i table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i low = _mm512_set1_epi8(15);
    const __m512i a = _mm512_shuffle_epi8(table, _mm512_and_si512(bits, low));
    const __m512i b = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(bits, 4), low));
    return _mm512_sad_epu8(_mm512_add_epi8(a, b), _mm512_setzero_si512());
}

void pcs_xnor_avx512vnni(const pcs_xnor_args *a)
{
    const size_t words = pcs_xnor_words(a->k), whole = a->k / 512 * 16;
    for (size_t r = a->begin; r < a->end; r++) {
        const uint8_t *w = a->w + r * a->row_bytes + 4;
        for (size_t t = 0; t < a->m; t++) {
            const uint32_t *x = a->x + t * words;
            __m512i sum = _mm512_setzero_si512();
            for (size_t i = 0; i < whole; i += 16)
                sum = _mm512_add_epi64(sum, count_512(_mm512_xor_si512(_mm512_loadu_si512(w + 4 * i),
                                                                   _mm512_loadu_si512(x + i))));
            pcs_xnor_store(a, r, t, (int)_mm512_reduce_add_epi64(sum) + pcs_xnor_rest(w, x, whole, a->k));
        }
    }
}
