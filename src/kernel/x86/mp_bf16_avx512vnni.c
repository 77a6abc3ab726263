/* mp_bf16, AVX-512: even and odd numbers of 16 rows in a register each, fused as tiles do it. */
#include "kernel/x86/mp_bf16_512.h"

enum { MB_TOKENS = 8 };

PCS_INLINE void tokens(const mb_work *w, const uint16_t *tiles, size_t n, size_t t0, int count)
{
    const pcs_mp_bf16_args *a = w->a;
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    const uint16_t *x = pcs_act_bf16_row(a->act, a->k, t0);
    __m512 sum[MB_TOKENS];
    for (int t = 0; t < count; t++) sum[t] = _mm512_setzero_ps();
    for (size_t s = 0; s < w->steps; s++, tiles += MB_TILE, x += MB_TILE) {
        __m512 even[MB_TOKENS], odd[MB_TOKENS];
        for (int t = 0; t < count; t++) even[t] = odd[t] = _mm512_setzero_ps();
        for (int i = 0; i < PCS_BF16_STEP; i += 2) {
            const __m512i line = _mm512_load_si512(tiles + 16 * i);
            const __m512 we = _mm512_castsi512_ps(_mm512_slli_epi32(line, 16)),
                         wo = _mm512_castsi512_ps(_mm512_and_si512(line, upper));
            for (int t = 0; t < count; t++) {
                int32_t two;
                memcpy(&two, x + PCS_BF16_STEP * t + i, sizeof two);
                const __m512i v = _mm512_set1_epi32(two);
                even[t] = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(v, 16)), we, even[t]);
                odd[t] = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(v, upper)), wo, odd[t]);
            }
        }
        for (int t = 0; t < count; t++) sum[t] = _mm512_add_ps(sum[t], _mm512_add_ps(even[t], odd[t]));
    }
    const __mmask16 mask = a->n1 - n < PCS_PANEL ? (__mmask16)((1u << (a->n1 - n)) - 1) : 0xffff;
    const __m512 bias = a->bias ? _mm512_maskz_loadu_ps(mask, a->bias + n) : _mm512_setzero_ps();
    for (int t = 0; t < count; t++)
        _mm512_mask_storeu_ps(a->y + (t0 + (size_t)t) * a->ldy + n, mask, _mm512_add_ps(sum[t], bias));
}

void pcs_mp_bf16_avx512vnni(const pcs_mp_bf16_args *a)
{
    const mb_work w = mb_open(a);
    for (size_t n = a->n0; n < a->n1; n += PCS_PANEL) {
        mb_fill(&w, n, 0, w.steps, w.tiles);
        size_t t = 0;
        for (; t + MB_TOKENS <= a->m; t += MB_TOKENS) tokens(&w, w.tiles, n, t, MB_TOKENS);
        for (; t + 3 <= a->m; t += 3) tokens(&w, w.tiles, n, t, 3);
        for (; t < a->m; t++) tokens(&w, w.tiles, n, t, 1);
    }
}
