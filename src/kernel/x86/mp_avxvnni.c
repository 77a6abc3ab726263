/* mp, AVX-VNNI: as with AVX-512, on half the lanes. */
#define VEC 32
#include "kernel/simd/mp.h"

enum { MP_TOKENS = 4 };

PCS_INLINE void mp_group(const uint8_t *w, const int8_t *x, int lines, int tokens, const int32_t *start, int kind, const pcs_format *f, __m256i *dot)
{
    (void)kind;
    (void)f;
    for (int t = 0; t < tokens; t++) dot[t] = _mm256_set1_epi32(start[t]);
    for (int l = 0; l < lines; l++) {
        const __m256i c = _mm256_load_si256((const __m256i *)(w + 64 * l));
        for (int t = 0; t < tokens; t++) dot[t] = _mm256_dpbusd_avx_epi32(dot[t], c, v_four(x + 4 * (PCS_TILE * l + t)));
    }
}

#include "kernel/x86/mp_256.h"

void pcs_mp_avxvnni(const void *args)
{
    const pcs_mp_args *a = args;
    mp_all(a, pcs_mp_wide(a->f) ? 8 : 4, 0, 128);
}
