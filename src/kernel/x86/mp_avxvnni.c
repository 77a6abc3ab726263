/* mp, AVX-VNNI: as with AVX-512, on half the lanes. */
#define VEC 32
#include "kernel/x86/mp_256.h"

PCS_INLINE void mp_group(mp_operands o, mp_shape shape, int tokens, const pcs_format *f, __m256i (*dot)[2])
{
    (void)f;
    for (int t = 0; t < tokens; t++) dot[t][0] = dot[t][1] = _mm256_set1_epi32(o.start[t]);
    for (int l = 0; l < shape.lines; l++) {
        const __m256i c[2] = { _mm256_load_si256((const __m256i *)(o.w + 64 * l)),
                               _mm256_load_si256((const __m256i *)(o.w + 64 * l + 32)) };
        for (int t = 0; t < tokens; t++) {
            const __m256i v = v_four(o.x + 4 * (PCS_TILE * l + t));
            for (int h = 0; h < 2; h++) dot[t][h] = _mm256_dpbusd_avx_epi32(dot[t][h], c[h], v);
        }
    }
}

static void mp_start(const mp_panel *p, size_t groups, int lines, int kind)
{
    (void)p;
    (void)groups;
    (void)lines;
    (void)kind;
}

void pcs_mp_avxvnni(const pcs_mp_args *a)
{
    if (fields_few(a)) return;
    const int lines = pcs_mp_wide(a->f) ? 8 : 4;
    if (a->f->has_min) mp_all(a, (mp_shape){ lines, 0, true }, 128);
    else mp_all(a, (mp_shape){ lines, 0, false }, 128);
}
