/* f16_f32, F16C: exact, as the reference is. */
#include "base/f16.h"
#include "kernel/kernel.h"

#include <immintrin.h>

void pcs_f16_f32_avx2(const void *args)
{
    const pcs_f16_f32_args *a = args;
    size_t i = 0;
    for (; i + 8 <= a->n; i += 8) _mm256_storeu_ps(a->dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(a->src + i))));
    for (; i < a->n; i++) a->dst[i] = pcs_f16_to_f32(a->src[i]);
}
