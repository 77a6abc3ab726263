/* pack, AVX2. */
#include "kernel/x86/pack_256.h"

/* 16 bytes of the map at a time, for bytes of that high nibble: of others the sum has the bit that makes a shuffle
 * give 0. */
static void recode(const uint8_t *map, uint8_t *bytes, size_t n)
{
    for (uint8_t *end = bytes + n; bytes < end; bytes += 64) {
        const __m256i low = _mm256_load_si256((const __m256i *)bytes),
                      high = _mm256_load_si256((const __m256i *)(bytes + 32)), add = _mm256_set1_epi8(0x70);
        __m256i to[2] = { _mm256_setzero_si256(), _mm256_setzero_si256() };
        for (int i = 0; i < 16; i++) {
            const __m256i part = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(map + 16 * i))),
                          nibble = _mm256_set1_epi8((char)(16 * i));
            to[0] = _mm256_or_si256(to[0],
                                    _mm256_shuffle_epi8(part, _mm256_adds_epu8(_mm256_xor_si256(low, nibble), add)));
            to[1] = _mm256_or_si256(to[1],
                                    _mm256_shuffle_epi8(part, _mm256_adds_epu8(_mm256_xor_si256(high, nibble), add)));
        }
        _mm256_store_si256((__m256i *)bytes, to[0]);
        _mm256_store_si256((__m256i *)(bytes + 32), to[1]);
    }
}

void pcs_pack_avx2(const pcs_pack_args *args) { pack_all(args, recode); }
