/* mm, avx2: pairs by maddubs, then by madd. */
#include "kernel/kernel.h"

#include <immintrin.h>

/* Dots of four: |w| unsigned times a with w's sign. |w| <= 128 and |a| <= 127, so a pair is at most 32,512 and never saturates. */
PCS_INLINE __m256i dot4(__m256i w, __m256i abs, const int8_t *x)
{
    const __m256i a = _mm256_sign_epi8(_mm256_load_si256((const __m256i *)x), w);
    return _mm256_madd_epi16(_mm256_maddubs_epi16(abs, a), _mm256_set1_epi16(1));
}

#include "kernel/x86/mm_256.h"

void pcs_mm_avx2(const void *args) { mm_run(args); }
