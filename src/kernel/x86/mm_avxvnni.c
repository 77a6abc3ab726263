/* mm, avxvnni: vpdpbusd on 256 bits. */
#include <immintrin.h>

struct mm_acc { __m256 even, odd, min0, min1; };

#include "kernel/kernel.h"

#define MM_TOKENS 4 /* whose sums stay in registers */

PCS_INLINE void mm_zero(struct mm_acc *a) { a->even = a->odd = a->min0 = a->min1 = _mm256_setzero_ps(); }

/* Dots of four: |w| unsigned times a with w's sign. Exact: no saturation in vpdpbusd. */
PCS_INLINE __m256i dot4(__m256i w, __m256i abs, const int8_t *x)
{
    const __m256i a = _mm256_sign_epi8(_mm256_load_si256((const __m256i *)x), w);
    return _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), abs, a);
}

PCS_INLINE void mm_step(struct mm_acc *acc, int tokens, bool has_min, const int8_t *q, const float *d, const float *m, const int8_t *aq,
                        const float *ad, const float *as, size_t chunks)
{
    for (int g = 0; g < 8; g++) {
        const __m256i w = _mm256_load_si256((const __m256i *)(q + 32 * g)), abs = _mm256_abs_epi8(w);
        const __m256 dw = _mm256_set_m128(_mm_set1_ps(d[2 * g + 1]), _mm_set1_ps(d[2 * g]));
        for (int t = 0; t < tokens; t++) {
            const __m256 v = _mm256_cvtepi32_ps(dot4(w, abs, aq + (size_t)t * chunks * PCS_CHUNK + 32 * g));
            const __m256 dd = _mm256_mul_ps(dw, _mm256_broadcast_ss(ad + (size_t)t * chunks * 8 + g));
            __m256 *sum = g % 2 ? &acc[t].odd : &acc[t].even;
            *sum = _mm256_fmadd_ps(dd, v, *sum);
        }
    }
    if (!has_min) return;
    const __m256 m0 = _mm256_loadu_ps(m), m1 = _mm256_loadu_ps(m + 8);
    for (int t = 0; t < tokens; t++) {
        const float *s = as + (size_t)t * chunks * 16;
        acc[t].min0 = _mm256_fmadd_ps(m0, _mm256_loadu_ps(s), acc[t].min0);
        acc[t].min1 = _mm256_fmadd_ps(m1, _mm256_loadu_ps(s + 8), acc[t].min1);
    }
}

PCS_INLINE float sum8(__m256 r)
{
    const __m128 s = _mm_add_ps(_mm256_castps256_ps128(r), _mm256_extractf128_ps(r, 1));
    const __m128 p = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(p, _mm_movehdup_ps(p)));
}

PCS_INLINE float mm_sum(const struct mm_acc *a, bool has_min)
{
    const float s = sum8(_mm256_add_ps(a->even, a->odd));
    return has_min ? s - sum8(_mm256_add_ps(a->min0, a->min1)) : s;
}

#include "kernel/x86/mm.h"

void pcs_mm_avxvnni(const void *args) { mm_run(args); }
