/* mmf, AVX-512: 16 lanes in one register, four tokens at a time. */
#include "kernel/rows.h"

#include <immintrin.h>

static void to_f32(const pcs_format *f, size_t k, const uint8_t *w, float *out)
{
    size_t i = 0;
    if (f->bytes == 2 && f->name[0] == 'F')
        for (; i + 16 <= k; i += 16) _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(w + 2 * i))));
    else if (f->bytes == 2)
        for (; i + 16 <= k; i += 16)
            _mm512_storeu_ps(out + i, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(w + 2 * i))), 16)));
    f->to_f32(k - i, w + f->bytes * i, out + i);
}

PCS_INLINE void tile(const pcs_mmf_args *a, const float *w, size_t n, size_t m0, int tokens)
{
    __m512 acc[4];
    const size_t whole = a->k & ~(size_t)15;
    const __mmask16 rest = (__mmask16)((1u << (a->k & 15)) - 1);
    for (int t = 0; t < tokens; t++) acc[t] = _mm512_setzero_ps();
    for (size_t k = 0; k < whole; k += 16) {
        const __m512 v = _mm512_loadu_ps(w + k);
        for (int t = 0; t < tokens; t++) acc[t] = _mm512_fmadd_ps(v, _mm512_loadu_ps(a->x + (m0 + (size_t)t) * a->k + k), acc[t]);
    }
    for (int t = 0; t < tokens; t++) {
        float lane[16];
        if (rest)
            acc[t] = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(rest, w + whole), _mm512_maskz_loadu_ps(rest, a->x + (m0 + (size_t)t) * a->k + whole), acc[t], rest);
        _mm512_storeu_ps(lane, acc[t]);
        a->y[(m0 + (size_t)t) * a->ldy + n] = pcs_sum16(lane) + (a->bias ? a->bias[n] : 0.0f);
    }
}

void pcs_mmf_avx512vnni(const void *args)
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
