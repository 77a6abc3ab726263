/* mm, avxvnni: vpdpbusd on 256 bits. */
#include "kernel/kernel.h"

#include <immintrin.h>

/* Dots of four: |w| unsigned times a with w's sign. Exact: no saturation in vpdpbusd. */
PCS_INLINE __m256i dot4(__m256i w, __m256i abs, const int8_t *x)
{
    const __m256i a = _mm256_sign_epi8(_mm256_load_si256((const __m256i *)x), w);
    return _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), abs, a);
}

#include "kernel/x86/mm_256.h"

void pcs_mm_avxvnni(const void *args) { mm_run(args); }
