/* mm, AVX-512 VNNI: two groups of 32 in one register, which are the two halves of the 16 lanes. */
#include <immintrin.h>

struct mm_acc { __m512 sum, min; };

#include "kernel/kernel.h"
#include "kernel/x86/lanes.h"

#define MM_TOKENS 4 /* whose sums stay in registers */

PCS_INLINE void mm_zero(struct mm_acc *a) { a->sum = a->min = _mm512_setzero_ps(); }

PCS_INLINE void mm_step(struct mm_acc *acc, int tokens, bool has_min, const int8_t *q, const float *d, const float *m, const int8_t *aq,
                        const float *ad, const float *as, size_t chunks)
{
    /* dw * dx of the 16 slots of the chunk; spread to lanes, a slot to four of them, where it is used */
    const __m512 dw = _mm512_loadu_ps(d);
    __m512 dd[MM_TOKENS];
    for (int t = 0; t < tokens; t++)
        dd[t] = _mm512_mul_ps(dw, twice(_mm256_loadu_ps(ad + (size_t)t * chunks * 8)));
    for (int g = 0; g < 8; g += 2) {
        const __m512i w = _mm512_load_si512(q + 32 * g), abs = _mm512_abs_epi8(w);
        const __mmask64 minus = _mm512_movepi8_mask(w);
        const __m512i four = four_from(2 * g);
        for (int t = 0; t < tokens; t++) {
            const __m512i x = _mm512_load_si512(aq + (size_t)t * chunks * PCS_CHUNK + 32 * g);
            const __m512i a = _mm512_mask_sub_epi8(x, minus, _mm512_setzero_si512(), x);
            const __m512 v = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_setzero_si512(), abs, a));
            acc[t].sum = _mm512_fmadd_ps(_mm512_permutexvar_ps(four, dd[t]), v, acc[t].sum);
        }
    }
    if (!has_min) return;
    const __m512 mw = _mm512_loadu_ps(m);
    for (int t = 0; t < tokens; t++) acc[t].min = _mm512_fmadd_ps(mw, _mm512_loadu_ps(as + (size_t)t * chunks * 16), acc[t].min);
}

PCS_INLINE float mm_sum(const struct mm_acc *a, bool has_min) { return has_min ? sum16(a->sum) - sum16(a->min) : sum16(a->sum); }

#include "kernel/x86/mm.h"

void pcs_mm_avx512vnni(const void *args) { mm_run(args); }
