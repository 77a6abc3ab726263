/* codes_gemm and what goes with it, AVX2. vpmaddubsw would saturate (255 * 127 * 2 is more than 16 bits hold), so
 * products are of 16 bits. */
#include "kernel/x86/codes_256.h"

/* Sums of the first and the second pair of each line's four stand side by side until the end. */
PCS_INLINE void block(const pcs_codes_gemm_args *a, size_t m, size_t n, int rows, bool numbers)
{
    const uint8_t *x = a->a + m * a->lda;
    const int8_t *w = a->w + n / PCS_CODES_PANEL * a->lines * 64;
    __m256i acc[2][4];
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
        for (int q = 0; q < 4; q++) acc[r][q] = _mm256_setzero_si256();
    for (size_t l = 0; l < a->lines; l++) {
        const __m128i *line = (const __m128i *)(const void *)(w + 64 * l);
        __m256i b[4];
#pragma GCC unroll 12
        for (int q = 0; q < 4; q++) b[q] = _mm256_cvtepi8_epi16(_mm_loadu_si128(line + q));
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * a->lda + 4 * l, 4);
            const __m256i v = _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
#pragma GCC unroll 12
            for (int q = 0; q < 4; q++) acc[r][q] = _mm256_add_epi32(acc[r][q], _mm256_madd_epi16(v, b[q]));
        }
    }
    const __m256i *first = (const __m256i *)(const void *)(a->first + n);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        __m256i sums[2];
#pragma GCC unroll 12
        for (int h = 0; h < 2; h++) /* outputs 0 1 4 5 | 2 3 6 7 */
            sums[h] = _mm256_add_epi32(
                _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[r][2 * h], acc[r][2 * h + 1]), 0xd8),
                _mm256_loadu_si256(first + h));
        codes_finish(a, m + (size_t)r, n, sums, numbers);
    }
}

#define BLOCK(r)                                                                                          \
    static void codes_##r(const pcs_codes_gemm_args *a, size_t m, size_t n) { block(a, m, n, r, false); } \
    static void numbers_##r(const pcs_codes_gemm_args *a, size_t m, size_t n) { block(a, m, n, r, true); }
BLOCK(1) BLOCK(2) static codes_block_fn *const codes[] = { codes_1, codes_2 };
static codes_block_fn *const numbers[] = { numbers_1, numbers_2 };

void pcs_codes_gemm_avx2(const pcs_codes_gemm_args *a) { codes_blocks(a, codes, 2); }
void pcs_codes_gemm_f32_avx2(const pcs_codes_gemm_args *a) { codes_blocks(a, numbers, 2); }

/* ---- depthwise ---------------------------------------------------------------------------------- */

/* Four taps of 8 channels as words, and their weights: sums of pairs, then of both pairs. */
PCS_INLINE __m256i four_taps(const uint8_t *const *t, const int8_t *w)
{
    __m128i x[4];
#pragma GCC unroll 12
    for (int i = 0; i < 4; i++) x[i] = _mm_loadl_epi64((const __m128i *)(const void *)t[i]);
    const __m128i p = _mm_unpacklo_epi8(x[0], x[1]), q = _mm_unpacklo_epi8(x[2], x[3]);
    const __m256i lo = _mm256_cvtepu8_epi16(_mm_unpacklo_epi16(p, q)),
                  hi = _mm256_cvtepu8_epi16(_mm_unpackhi_epi16(p, q));
    const __m128i *line = (const __m128i *)(const void *)w;
    const __m256i wl = _mm256_cvtepi8_epi16(_mm_loadu_si128(line)),
                  wh = _mm256_cvtepi8_epi16(_mm_loadu_si128(line + 1));
    return _mm256_permute4x64_epi64(_mm256_hadd_epi32(_mm256_madd_epi16(lo, wl), _mm256_madd_epi16(hi, wh)), 0xd8);
}

/* 8 channels from c on, all of which are there. */
PCS_INLINE void eight(const pcs_codes_depthwise_args *d, size_t j, size_t p, size_t c, const codes_limits *l)
{
    const __m256i none = _mm256_setzero_si256();
    _Alignas(8) uint8_t outside[8];
    memset(outside, d->zero_in, sizeof outside);
    __m256i acc = _mm256_loadu_si256((const __m256i *)(const void *)(d->first + c));
    for (size_t e = 0; e < d->kernel; e++)
        for (size_t a = 0; a < d->height; a += 4) {
            const uint8_t *t[4];
            for (size_t i = 0; i < 4; i++) {
                const uint8_t *x = pcs_codes_column(d, j, a + i,
                                                    (int64_t)p * d->stride - d->pad + (int64_t)e * d->dilation);
                t[i] = x ? x + c : outside;
            }
            acc = _mm256_add_epi32(acc, four_taps(t, d->w + pcs_codes_tap(c, d->height, d->kernel, a, e)));
        }
    const __m256i r[4] = { codes_scaled(acc, _mm256_loadu_ps(d->factor + c), l), none, none, none };
    codes_store(d->y + (j * d->pixels + p) * d->channels + c, codes_pack(r, l), 8);
}

/* Channels that are no eight: what the scalar row does, of them alone. */
static void rest(const pcs_codes_depthwise_args *d, size_t j, size_t p, size_t c)
{
    for (; c < d->channels; c++) {
        uint32_t sum = (uint32_t)d->first[c];
        for (size_t e = 0; e < d->kernel; e++)
            for (size_t a = 0; a < d->height; a++) {
                const uint8_t *x = pcs_codes_column(d, j, a,
                                                    (int64_t)p * d->stride - d->pad + (int64_t)e * d->dilation);
                sum += (uint32_t)((x ? x[c] : d->zero_in) * d->w[pcs_codes_tap(c, d->height, d->kernel, a, e)]);
            }
        d->y[(j * d->pixels + p) * d->channels + c] = pcs_codes_round((float)(int32_t)sum * d->factor[c], d->to);
    }
}

void pcs_codes_depthwise_avx2(const pcs_codes_depthwise_args *d)
{
    const codes_limits l = codes_limits_of(d->to);
    for (size_t j = 0; j < d->n_rows; j++)
        for (size_t p = 0; p < d->pixels; p++) {
            size_t c = 0;
            for (; c + 8 <= d->channels; c += 8) eight(d, j, p, c, &l);
            rest(d, j, p, c);
        }
}

/* ---- elements ------------------------------------------------------------------------------------ */

PCS_INLINE __m256 decoded(const uint8_t *x, __m256i zero, __m256 scale)
{
    const __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x));
    return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(code, zero)), scale);
}

void pcs_codes_encode_avx2(const pcs_codes_encode_args *a)
{
    const codes_limits l = codes_limits_of(a->to);
    const __m256 scale = _mm256_set1_ps(a->scale), least = _mm256_set1_ps((float)(a->to.lo - a->to.zero));
    size_t i = 0;
    for (; i + 32 <= a->n; i += 32) {
        __m256i q[4];
        for (size_t k = 0; k < 4; k++) /* NaN: max gives its second operand */
            q[k] = codes_rounded(_mm256_max_ps(_mm256_div_ps(_mm256_loadu_ps(a->x + i + 8 * k), scale), least), &l);
        codes_store(a->y + i, codes_pack(q, &l), 32);
    }
    for (; i < a->n; i++) a->y[i] = pcs_codes_round(a->x[i] / a->scale, a->to);
}

void pcs_codes_decode_avx2(const pcs_codes_decode_args *a)
{
    const __m256 scale = _mm256_set1_ps(a->scale);
    const __m256i zero = _mm256_set1_epi32(a->zero);
    size_t i = 0;
    for (; i + 8 <= a->n; i += 8) _mm256_storeu_ps(a->y + i, decoded(a->x + i, zero, scale));
    for (; i < a->n; i++) a->y[i] = (float)(a->x[i] - a->zero) * a->scale;
}

void pcs_codes_add_avx2(const pcs_codes_add_args *a)
{
    const codes_limits l = codes_limits_of(a->to);
    const __m256 sa = _mm256_set1_ps(a->sa), sb = _mm256_set1_ps(a->sb), scale = _mm256_set1_ps(a->scale);
    const __m256i za = _mm256_set1_epi32(a->za), zb = _mm256_set1_epi32(a->zb);
    size_t i = 0;
    for (; i + 32 <= a->n; i += 32) {
        __m256i q[4];
        for (size_t k = 0; k < 4; k++)
            q[k] = codes_rounded(
                _mm256_div_ps(_mm256_add_ps(decoded(a->a + i + 8 * k, za, sa), decoded(a->b + i + 8 * k, zb, sb)),
                              scale),
                &l);
        codes_store(a->y + i, codes_pack(q, &l), 32);
    }
    pcs_codes_add_args rest = *a;
    rest.a += i, rest.b += i, rest.y += i, rest.n -= i;
    pcs_codes_add_scalar(&rest);
}
