/* codes_gemm and what goes with it, AVX-512 VNNI. */
#include "kernel/x86/codes_512.h"

/* The most rows for 1 to 4 panels: sums, panels' lines and one broadcast fill 32 registers, and enough sums are on
 * their way at a time to hide the latency of vpdpbusd. */
static const size_t most_rows[5] = { 0, 12, 12, 8, 6 };

/* Written out: gcc 12 copies each sum before and stores it after the intrinsic, which halves the speed of a block. */
PCS_INLINE void dot(__m512i *sum, __m512i codes, __m512i weights)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sum) : "v"(codes), "v"(weights));
}

/* Sums of `rows` rows with `panels` panels; both are constants where this is called. */
PCS_INLINE void products(const pcs_codes_gemm_args *a, const uint8_t *x, size_t n, int rows, int panels, __m512i *acc)
{
    const size_t step = a->lines * 64;
    const int8_t *w = a->w + n / PCS_CODES_PANEL * step;
#pragma GCC unroll 12
    for (int p = 0; p < panels; p++) {
        const __m512i first = _mm512_loadu_si512(a->first + n + 16 * p);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) acc[4 * r + p] = first;
    }
    for (size_t l = 0; l < a->lines; l++) {
        __m512i b[4];
#pragma GCC unroll 12
        for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(w + (size_t)p * step + 64 * l);
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            int32_t four;
            memcpy(&four, x + (size_t)r * a->lda + 4 * l, 4);
            const __m512i v = _mm512_set1_epi32(four);
#pragma GCC unroll 12
            for (int p = 0; p < panels; p++) dot(&acc[4 * r + p], v, b[p]);
        }
    }
}

PCS_INLINE void codes_block(const pcs_codes_gemm_args *a, size_t m, size_t n, int rows, int panels, bool numbers)
{
    __m512i acc[4 * 12];
    const size_t left = a->n - n;
    __m512 factor[4], bias[4];
    products(a, a->a + m * a->lda, n, rows, panels, acc);
#pragma GCC unroll 12
    for (int p = 0; p < panels; p++) factor[p] = _mm512_loadu_ps(a->factor + n + 16 * p);
    if (numbers) {
#pragma GCC unroll 12
        for (int p = 0; p < panels; p++)
            bias[p] = a->bias ? _mm512_loadu_ps(a->bias + n + 16 * p) : _mm512_setzero_ps();
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 12
            for (int p = 0; p < panels; p++) {
                const __mmask16 mask = (__mmask16)codes_mask(left - 16 * (size_t)p < 16 ? left - 16 * (size_t)p : 16);
                __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[4 * r + p]), factor[p]);
                if (a->bias) y = _mm512_add_ps(y, bias[p]);
                _mm512_mask_storeu_ps(a->yf + (m + (size_t)r) * a->ldy + n + 16 * (size_t)p, mask, y);
            }
        return;
    }
    const codes_limits_512 l = codes_limits_of(a->to);
    const __mmask64 mask = codes_mask(left < 16 * (size_t)panels ? left : 16 * (size_t)panels);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
        __m512i q[4] = { _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                         _mm512_setzero_si512() };
#pragma GCC unroll 12
        for (int p = 0; p < panels; p++) q[p] = codes_scaled(acc[4 * r + p], factor[p], &l);
        _mm512_mask_storeu_epi8(a->y + (m + (size_t)r) * a->ldy + n, mask, codes_pack(q, &l));
    }
}

typedef void block_fn(const pcs_codes_gemm_args *a, size_t m, size_t n);
#define CODES_BLOCK(r, p) \
    static void codes_##r##_##p(const pcs_codes_gemm_args *a, size_t m, size_t n) \
    { \
        codes_block(a, m, n, r, p, false); \
    } \
    static void numbers_##r##_##p(const pcs_codes_gemm_args *a, size_t m, size_t n) \
    { \
        codes_block(a, m, n, r, p, true); \
    }
#define UP_TO_6(p) \
    CODES_BLOCK(1, p) CODES_BLOCK(2, p) CODES_BLOCK(3, p) CODES_BLOCK(4, p) CODES_BLOCK(5, p) CODES_BLOCK(6, p)
#define UP_TO_8(p) UP_TO_6(p) CODES_BLOCK(7, p) CODES_BLOCK(8, p)
#define UP_TO_12(p) UP_TO_8(p) CODES_BLOCK(9, p) CODES_BLOCK(10, p) CODES_BLOCK(11, p) CODES_BLOCK(12, p)
UP_TO_12(1)
UP_TO_12(2)
UP_TO_8(3)
UP_TO_6(4)
#define SIX(f, p) f##_1_##p, f##_2_##p, f##_3_##p, f##_4_##p, f##_5_##p, f##_6_##p
#define TWELVE(f, p) SIX(f, p), f##_7_##p, f##_8_##p, f##_9_##p, f##_10_##p, f##_11_##p, f##_12_##p
#define BLOCKS(f) { { TWELVE(f, 1) }, { TWELVE(f, 2) }, { SIX(f, 3), f##_7_3, f##_8_3 }, { SIX(f, 4) } }
static block_fn *const blocks[2][4][12] = { BLOCKS(codes), BLOCKS(numbers) };

/* Rows are shared out to blocks evenly: a block of one row would wait for its sums. */
static void gemm(const pcs_codes_gemm_args *a, bool numbers)
{
    const size_t all = pcs_codes_panels(a->n);
    for (size_t p = 0; p < all; p += 4) {
        const size_t panels = all - p < 4 ? all - p : 4, most = most_rows[panels];
        for (size_t m = 0; m < a->m;) {
            const size_t left = a->m - m, count = (left + most - 1) / most, rows = (left + count - 1) / count;
            blocks[numbers][panels - 1][rows - 1](a, m, p * PCS_CODES_PANEL);
            m += rows;
        }
    }
}

void pcs_codes_gemm_avx512vnni(const pcs_codes_gemm_args *a) { gemm(a, false); }
void pcs_codes_gemm_f32_avx512vnni(const pcs_codes_gemm_args *a) { gemm(a, true); }

/* ---- depthwise ---------------------------------------------------------------------------------- */

#define COLUMNS 7
#define QUADS 2

/* Lanes of 128 bits of four registers, transposed: r[i] lane j becomes r[j] lane i. Interleaving bytes of 64 channels
 * leaves channels in this order, and packing the sums puts them back. */
PCS_INLINE void transpose_lanes(__m512i *r)
{
    const __m512i a = _mm512_shuffle_i32x4(r[0], r[1], 0x44), b = _mm512_shuffle_i32x4(r[0], r[1], 0xee),
                  c = _mm512_shuffle_i32x4(r[2], r[3], 0x44), d = _mm512_shuffle_i32x4(r[2], r[3], 0xee);
    r[0] = _mm512_shuffle_i32x4(a, c, 0x88);
    r[1] = _mm512_shuffle_i32x4(a, c, 0xdd);
    r[2] = _mm512_shuffle_i32x4(b, d, 0x88);
    r[3] = _mm512_shuffle_i32x4(b, d, 0xdd);
}

/* 64 channels: the weights, with those of a second row of results, which sees a column one row further down. */
typedef struct {
    const pcs_codes_depthwise_args *d;
    size_t c;
    __mmask64 mask;
    codes_limits_512 limits;
    __m512i zero, first[4];
    __m512 factor[4];
    __m512i w[COLUMNS * QUADS][4], below[COLUMNS][4];
} group;

static void load_group(group *g, const pcs_codes_depthwise_args *d, size_t c)
{
    const size_t quads = d->kernel * pcs_codes_quads(d->height);
    __m512i scale[4];
    g->d = d;
    g->c = c;
    g->mask = codes_mask(d->channels - c);
    g->limits = codes_limits_of(d->to);
    g->zero = _mm512_set1_epi8((char)d->zero_in);
    for (size_t i = 0; i < 4; i++) {
        g->first[i] = _mm512_loadu_si512(d->first + c + 16 * i);
        scale[i] = _mm512_loadu_si512(d->factor + c + 16 * i);
    }
    transpose_lanes(g->first);
    transpose_lanes(scale);
    for (size_t i = 0; i < 4; i++) g->factor[i] = _mm512_castsi512_ps(scale[i]);
    for (size_t q = 0; q < quads; q++) {
        for (size_t i = 0; i < 4; i++)
            g->w[q][i] = c + 16 * i < d->channels ? _mm512_loadu_si512(d->w + ((c / 16 + i) * quads + q) * 64)
                                                  : _mm512_setzero_si512();
        transpose_lanes(g->w[q]);
        for (size_t i = 0; i < 4 && q < COLUMNS; i++) g->below[q][i] = _mm512_slli_epi32(g->w[q][i], 8);
    }
}

/* Four rows of one column, the bytes of a channel together. */
PCS_INLINE void column(const group *g, const uint8_t *const *rows, size_t n, int64_t x, __m512i *r)
{
    __m512i v[4];
    const bool inside = x >= 0 && x < (int64_t)g->d->width;
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *row = i < n ? rows[i] : NULL;
        v[i] = inside && row ? _mm512_maskz_loadu_epi8(g->mask, row + (size_t)x * g->d->channels + g->c) : g->zero;
    }
    const __m512i lo0 = _mm512_unpacklo_epi8(v[0], v[1]), hi0 = _mm512_unpackhi_epi8(v[0], v[1]),
                  lo1 = _mm512_unpacklo_epi8(v[2], v[3]), hi1 = _mm512_unpackhi_epi8(v[2], v[3]);
    r[0] = _mm512_unpacklo_epi16(lo0, lo1);
    r[1] = _mm512_unpackhi_epi16(lo0, lo1);
    r[2] = _mm512_unpacklo_epi16(hi0, hi1);
    r[3] = _mm512_unpackhi_epi16(hi0, hi1);
}

PCS_INLINE void codes_dots(__m512i *acc, const __m512i *x, const __m512i *w)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) dot(&acc[i], x[i], w[i]);
}

PCS_INLINE void store_place(const group *g, __m512i *acc, size_t row, size_t p)
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) acc[i] = codes_scaled(acc[i], g->factor[i], &g->limits);
    _mm512_mask_storeu_epi8(g->d->y + (row * g->d->pixels + p) * g->d->channels + g->c, g->mask,
                            codes_pack_lanes(acc, &g->limits));
}

/* n rows that windows of a row of results see; two: of the next one, too. */
typedef struct { const uint8_t *const *rows; size_t n, row; bool two; } seen_rows;

/* Windows of three columns and rows, one after another: a column serves three places, and both rows of results. x: the
 * three columns, of which `at` is the first. */
PCS_INLINE void three(const group *g, seen_rows s, size_t p, __m512i (*x)[4], int at)
{
    const pcs_codes_depthwise_args *d = g->d;
    const int a = at % 3, b = (at + 1) % 3, c = (at + 2) % 3;
    column(g, s.rows, s.n, (int64_t)p - d->pad + 2, x[c]);
    __m512i acc[4] = { g->first[0], g->first[1], g->first[2], g->first[3] };
    codes_dots(acc, x[a], g->w[0]);
    codes_dots(acc, x[b], g->w[1]);
    codes_dots(acc, x[c], g->w[2]);
    store_place(g, acc, s.row, p);
    if (!s.two) return;
    __m512i low[4] = { g->first[0], g->first[1], g->first[2], g->first[3] };
    codes_dots(low, x[a], g->below[0]);
    codes_dots(low, x[b], g->below[1]);
    codes_dots(low, x[c], g->below[2]);
    store_place(g, low, s.row + 1, p);
}

PCS_INLINE void row_of_three(const group *g, const uint8_t *const *rows, size_t n, size_t row, bool two)
{
    const pcs_codes_depthwise_args *d = g->d;
    __m512i x[3][4] = { { g->zero, g->zero, g->zero, g->zero },
                        { g->zero, g->zero, g->zero, g->zero },
                        { g->zero, g->zero, g->zero, g->zero } };
    const seen_rows seen = { rows, n, row, two };
    column(g, rows, n, -d->pad, x[0]);
    column(g, rows, n, 1 - d->pad, x[1]);
    size_t p = 0;
    for (; p + 3 <= d->pixels; p += 3) {
        three(g, seen, p, x, 0);
        three(g, seen, p + 1, x, 1);
        three(g, seen, p + 2, x, 2);
    }
    if (p < d->pixels) three(g, seen, p, x, 0);
    if (p + 1 < d->pixels) three(g, seen, p + 1, x, 1);
}

/* Every second place: its last column is the next one's first. x: the columns, first `a`, then 1, then `c`. */
PCS_INLINE void second(const group *g, seen_rows s, size_t p, __m512i (*x)[4], int a, int c)
{
    const uint8_t *const *rows = s.rows;
    const int64_t at = 2 * (int64_t)p - g->d->pad;
    column(g, rows, 3, at + 1, x[1]);
    column(g, rows, 3, at + 2, x[c]);
    __m512i acc[4] = { g->first[0], g->first[1], g->first[2], g->first[3] };
    codes_dots(acc, x[a], g->w[0]);
    codes_dots(acc, x[1], g->w[1]);
    codes_dots(acc, x[c], g->w[2]);
    store_place(g, acc, s.row, p);
}

PCS_INLINE void row_of_seconds(const group *g, const uint8_t *const *rows, size_t row)
{
    __m512i x[3][4] = { { g->zero, g->zero, g->zero, g->zero },
                        { g->zero, g->zero, g->zero, g->zero },
                        { g->zero, g->zero, g->zero, g->zero } };
    const seen_rows seen = { rows, 3, row, false };
    size_t p = 0;
    column(g, rows, 3, -g->d->pad, x[0]);
    for (; p + 2 <= g->d->pixels; p += 2) {
        second(g, seen, p, x, 0, 2);
        second(g, seen, p + 1, x, 2, 0);
    }
    if (p < g->d->pixels) second(g, seen, p, x, 0, 2);
}

/* Any window: each place makes its columns. */
static void row_of_any(const group *g, size_t row)
{
    const pcs_codes_depthwise_args *d = g->d;
    const size_t quads = pcs_codes_quads(d->height);
    const uint8_t *const *rows = d->rows + row * d->height;
    for (size_t p = 0; p < d->pixels; p++) {
        __m512i acc[4] = { g->first[0], g->first[1], g->first[2], g->first[3] };
        for (size_t e = 0; e < d->kernel; e++)
            for (size_t q = 0; q < quads; q++) {
                __m512i x[4];
                const size_t left = d->height - 4 * q;
                column(g, rows + 4 * q, left < 4 ? left : 4, (int64_t)p * d->stride - d->pad + (int64_t)e * d->dilation,
                       x);
                codes_dots(acc, x, g->w[e * quads + q]);
            }
        store_place(g, acc, row, p);
    }
}

/* Two rows of results whose windows are one row apart see four rows. */
static bool overlap(const pcs_codes_depthwise_args *d)
{
    return d->n_rows == 2 && d->height == 3 && d->rows[3] == d->rows[1] && d->rows[4] == d->rows[2];
}

void pcs_codes_depthwise_avx512vnni(const pcs_codes_depthwise_args *d)
{
    if (d->kernel > COLUMNS || pcs_codes_quads(d->height) > QUADS) {
        pcs_codes_depthwise_scalar(d);
        return;
    }
    const bool threes = d->kernel == 3 && d->height == 3 && d->dilation == 1, by_three = threes && d->stride == 1,
               by_second = threes && d->stride == 2;
    group g;
    for (size_t c = 0; c < d->channels; c += 64) {
        load_group(&g, d, c);
        if (by_three && overlap(d)) {
            const uint8_t *rows[4] = { d->rows[0], d->rows[1], d->rows[2], d->rows[5] };
            row_of_three(&g, rows, 4, 0, true);
        } else
            for (size_t j = 0; j < d->n_rows; j++) {
                if (by_three) row_of_three(&g, d->rows + 3 * j, 3, j, false);
                else if (by_second) row_of_seconds(&g, d->rows + 3 * j, j);
                else row_of_any(&g, j);
            }
    }
}

/* ---- elements ------------------------------------------------------------------------------------ */

PCS_INLINE __m512 decoded_16(const uint8_t *x, __mmask16 mask, __m512i zero, __m512 scale)
{
    const __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, x));
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(code, zero)), scale);
}
PCS_INLINE size_t part(size_t n, size_t i) { return n <= i ? 0 : n - i < 16 ? n - i : 16; }

void pcs_codes_encode_avx512vnni(const pcs_codes_encode_args *a)
{
    const codes_limits_512 l = codes_limits_of(a->to);
    const __m512 scale = _mm512_set1_ps(a->scale), least = _mm512_set1_ps((float)(a->to.lo - a->to.zero));
    for (size_t i = 0; i < a->n; i += 64) {
        __m512i q[4];
        for (size_t k = 0; k < 4; k++) {
            const __mmask16 mask = (__mmask16)codes_mask(part(a->n, i + 16 * k));
            const __m512 t = _mm512_div_ps(_mm512_maskz_loadu_ps(mask, a->x + i + 16 * k), scale);
            q[k] = codes_rounded(_mm512_max_ps(t, least), &l); /* NaN: the second operand */
        }
        _mm512_mask_storeu_epi8(a->y + i, codes_mask(a->n - i), codes_pack(q, &l));
    }
}

void pcs_codes_decode_avx512vnni(const pcs_codes_decode_args *a)
{
    const __m512 scale = _mm512_set1_ps(a->scale);
    const __m512i zero = _mm512_set1_epi32(a->zero);
    for (size_t i = 0; i < a->n; i += 16) {
        const __mmask16 mask = (__mmask16)codes_mask(part(a->n, i));
        _mm512_mask_storeu_ps(a->y + i, mask, decoded_16(a->x + i, mask, zero, scale));
    }
}

void pcs_codes_add_avx512vnni(const pcs_codes_add_args *a)
{
    const codes_limits_512 l = codes_limits_of(a->to);
    const __m512 sa = _mm512_set1_ps(a->sa), sb = _mm512_set1_ps(a->sb), scale = _mm512_set1_ps(a->scale);
    const __m512i za = _mm512_set1_epi32(a->za), zb = _mm512_set1_epi32(a->zb);
    for (size_t i = 0; i < a->n; i += 64) {
        __m512i q[4];
        for (size_t k = 0; k < 4; k++) {
            const __mmask16 mask = (__mmask16)codes_mask(part(a->n, i + 16 * k));
            const __m512 x = decoded_16(a->a + i + 16 * k, mask, za, sa),
                         y = decoded_16(a->b + i + 16 * k, mask, zb, sb);
            q[k] = codes_rounded(_mm512_div_ps(_mm512_add_ps(x, y), scale), &l);
        }
        _mm512_mask_storeu_epi8(a->y + i, codes_mask(a->n - i), codes_pack(q, &l));
    }
}
