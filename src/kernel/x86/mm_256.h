/* mm_256.h - mm on 256 bits, around the including file's dot4(): groups of 32 are the even and the odd half of the 16 lanes. */
#ifndef PCS_MM_256_H
#define PCS_MM_256_H

#include "kernel/x86/lanes.h"

#define MM_TOKENS 4 /* whose sums stay in registers */

struct mm_acc { __m256 even, odd, min0, min1; };

PCS_INLINE void mm_zero(struct mm_acc *a) { a->even = a->odd = a->min0 = a->min1 = _mm256_setzero_ps(); }

PCS_INLINE void mm_step(struct mm_acc *acc, int tokens, bool has_min, const int8_t *q, const float *d, const float *m, const int8_t *aq,
                        const float *ad, const float *as, size_t chunks)
{
    /* dw * dx of the 16 slots of the chunk in two halves; spread to lanes, a slot to four of them, where it is used */
    const __m256 dw[2] = { _mm256_loadu_ps(d), _mm256_loadu_ps(d + 8) };
    __m256 dd[MM_TOKENS][2];
    for (int t = 0; t < tokens; t++)
        for (int h = 0; h < 2; h++) {
            const __m256 dx = _mm256_broadcast_ps((const __m128 *)(const void *)(ad + (size_t)t * chunks * 8 + 4 * h));
            dd[t][h] = _mm256_mul_ps(dw[h], _mm256_permutevar_ps(dx, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)));
        }
    for (int g = 0; g < 8; g++) {
        const __m256i w = _mm256_load_si256((const __m256i *)(q + 32 * g)), abs = _mm256_abs_epi8(w);
        const int at = 2 * (g % 4);
        const __m256i four = _mm256_setr_epi32(at, at, at, at, at + 1, at + 1, at + 1, at + 1);
        for (int t = 0; t < tokens; t++) {
            const __m256 v = _mm256_cvtepi32_ps(dot4(w, abs, aq + (size_t)t * chunks * PCS_CHUNK + 32 * g));
            const __m256 ds = _mm256_permutevar8x32_ps(dd[t][g / 4], four);
            __m256 *sum = g % 2 ? &acc[t].odd : &acc[t].even;
            *sum = _mm256_fmadd_ps(ds, v, *sum);
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

PCS_INLINE float mm_sum(const struct mm_acc *a, bool has_min)
{
    const float s = sum8(_mm256_add_ps(a->even, a->odd));
    return has_min ? s - sum8(_mm256_add_ps(a->min0, a->min1)) : s;
}

#include "kernel/x86/mm.h"

#endif
