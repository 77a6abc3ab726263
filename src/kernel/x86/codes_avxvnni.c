/* codes_gemm, AVX-VNNI. */
#include "kernel/x86/codes_256.h"

/* Written out: gcc 12 copies each sum before and stores it after the intrinsic. */
PCS_INLINE void dot_256(__m256i *sum, __m256i codes, __m256i weights)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(codes), "x"(weights));
}

PCS_INLINE void block(const pcs_codes_gemm_args *a, size_t m, size_t n, int rows, bool numbers)
{
    const uint8_t *x = a->a + m * a->lda;
    const int8_t *w = a->w + n / PCS_CODES_PANEL * a->lines * 64;
    const __m256i *first = (const __m256i *)(const void *)(a->first + n);
    __m256i acc[6][2];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
        for (int h = 0; h < 2; h++) acc[r][h] = _mm256_loadu_si256(first + h);
    for (size_t l = 0; l < a->lines; l++) {
        const __m256i *b = (const __m256i *)(const void *)(w + 64 * l);
        const __m256i b0 = _mm256_loadu_si256(b), b1 = _mm256_loadu_si256(b + 1);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * a->lda + 4 * l, 4);
            const __m256i v = _mm256_set1_epi32(four);
            dot_256(&acc[r][0], v, b0);
            dot_256(&acc[r][1], v, b1);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) codes_finish(a, m + (size_t)r, n, acc[r], numbers);
}

#define BLOCK(r)                                                                                          \
    static void codes_##r(const pcs_codes_gemm_args *a, size_t m, size_t n) { block(a, m, n, r, false); } \
    static void numbers_##r(const pcs_codes_gemm_args *a, size_t m, size_t n) { block(a, m, n, r, true); }
BLOCK(1)
BLOCK(2) BLOCK(3) BLOCK(4) BLOCK(5)
    BLOCK(6) static codes_block_fn *const codes[] = { codes_1, codes_2, codes_3, codes_4, codes_5, codes_6 };
static codes_block_fn *const numbers[] = { numbers_1, numbers_2, numbers_3, numbers_4, numbers_5, numbers_6 };

void pcs_codes_gemm_avxvnni(const pcs_codes_gemm_args *a) { codes_blocks(a, codes, 6); }
void pcs_codes_gemm_f32_avxvnni(const pcs_codes_gemm_args *a) { codes_blocks(a, numbers, 6); }
