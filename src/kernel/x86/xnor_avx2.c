/* xnor, AVX2: 256 bits at a time, counted by tables of four bits (Mula, Kurz and Lemire 2018, section 3). */
#include "kernel/kernel.h"

#include <immintrin.h>

static __m256i count_256(__m256i bits)
{
    const __m256i table =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i a = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, low));
    const __m256i b = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bits, 4), low));
    return _mm256_sad_epu8(_mm256_add_epi8(a, b), _mm256_setzero_si256());
}

void pcs_xnor_avx2(const pcs_xnor_args *a)
{
    const size_t words = pcs_xnor_words(a->k), whole = a->k / 256 * 8;
    for (size_t r = a->begin; r < a->end; r++) {
        const uint8_t *w = a->w + r * a->row_bytes + 4;
        for (size_t t = 0; t < a->m; t++) {
            const uint32_t *x = a->x + t * words;
            __m256i sum = _mm256_setzero_si256();
            for (size_t i = 0; i < whole; i += 8)
                sum = _mm256_add_epi64(sum, count_256(_mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(w + 4 * i)),
                                                                   _mm256_loadu_si256((const __m256i *)(x + i)))));
            const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
            const int differ = (int)(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
            pcs_xnor_store(a, r, t, differ + pcs_xnor_rest(w, x, whole, a->k));
        }
    }
}
