/* mmf, AVX2 + FMA + F16C: 16 lanes in two registers, four tokens at a time. */
#include "kernel/rows.h"

#include <immintrin.h>

static void to_f32(const pcs_format *f, size_t k, const uint8_t *w, float *out)
{
    size_t i = 0;
    if (f->bytes == 2 && f->name[0] == 'F')
        for (; i + 8 <= k; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(w + 2 * i))));
    else if (f->bytes == 2)
        for (; i + 8 <= k; i += 8)
            _mm256_storeu_ps(out + i, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(w + 2 * i))), 16)));
    f->to_f32(k - i, w + f->bytes * i, out + i);
}

PCS_INLINE void tile(const pcs_mmf_args *a, const float *w, size_t n, size_t m0, int tokens)
{
    __m256 lo[4], hi[4];
    const size_t whole = a->k & ~(size_t)15;
    for (int t = 0; t < tokens; t++) lo[t] = hi[t] = _mm256_setzero_ps();
    for (size_t k = 0; k < whole; k += 16) {
        const __m256 w0 = _mm256_loadu_ps(w + k), w1 = _mm256_loadu_ps(w + k + 8);
        for (int t = 0; t < tokens; t++) {
            const float *x = a->x + (m0 + (size_t)t) * a->k + k;
            lo[t] = _mm256_fmadd_ps(w0, _mm256_loadu_ps(x), lo[t]);
            hi[t] = _mm256_fmadd_ps(w1, _mm256_loadu_ps(x + 8), hi[t]);
        }
    }
    for (int t = 0; t < tokens; t++) {
        float acc[16];
        _mm256_storeu_ps(acc, lo[t]);
        _mm256_storeu_ps(acc + 8, hi[t]);
        for (size_t k = whole; k < a->k; k++)
            acc[k % 16] = _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(w[k]), _mm_set_ss(a->x[(m0 + (size_t)t) * a->k + k]), _mm_set_ss(acc[k % 16])));
        a->y[(m0 + (size_t)t) * a->ldy + n] = pcs_sum16(acc) + (a->bias ? a->bias[n] : 0.0f);
    }
}

void pcs_mmf_avx2(const void *args)
{
    const pcs_mmf_args *a = args;
    for (size_t n = a->n0; n < a->n1; n++) {
        const uint8_t *row = a->w + n * a->row_bytes;
        for (size_t i = 0; i < a->row_bytes && n + 4 < a->n1; i += 64) _mm_prefetch((const char *)row + 3 * a->row_bytes + i, _MM_HINT_T0);
        to_f32(a->f, a->k, row, a->scratch);
        size_t m = 0;
        for (; m + 4 <= a->m; m += 4) tile(a, a->scratch, n, m, 4);
        for (; m < a->m; m++) tile(a, a->scratch, n, m, 1);
    }
}
