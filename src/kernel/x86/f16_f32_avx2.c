/* f16_f32, F16C: exact, as the reference is. */
#include "base/f16.h"
#include "kernel/kernel.h"

#include <immintrin.h>

void pcs_f16_f32_avx2(const pcs_f16_f32_args *a)
{
    const uint16_t *src = a->src;
    float *dst = a->dst;
    const size_t n = a->n;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) /* a line: few instructions let more of them be on their way */
        for (size_t j = i; j < i + 32; j += 8)
            _mm256_storeu_ps(dst + j, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(src + j))));
    for (; i < n; i++) dst[i] = pcs_f16_to_f32(src[i]);
}
