/* pack, AVX-512 VBMI: a map of 256 bytes in four registers. */
#include "kernel/x86/pack_256.h"

static void recode(const uint8_t *map, uint8_t *bytes, size_t n)
{
    const __m512i a = _mm512_loadu_si512(map), b = _mm512_loadu_si512(map + 64), c = _mm512_loadu_si512(map + 128),
                  d = _mm512_loadu_si512(map + 192);
    for (size_t i = 0; i < n; i += 64) {
        const __m512i at = _mm512_load_si512(bytes + i);
        _mm512_store_si512(bytes + i,
                           _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), _mm512_permutex2var_epi8(a, at, b),
                                                  _mm512_permutex2var_epi8(c, at, d)));
    }
}

void pcs_pack_avx512vbmi(const pcs_pack_args *args) { pack_all(args, recode); }
