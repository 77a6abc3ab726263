/* codes.h - products of codes of 8 bits: activations without a sign, weights with one, sums in int32, and what becomes
 * of the sums. The integers are exact at every level, and what follows is rounded in f32 in one order, so all levels
 * give the same bits. */
#ifndef PCS_CODES_H
#define PCS_CODES_H

#include "base/base.h"

/* Weights lie in panels of 16 rows; a line of 64 bytes holds four neighbours in k of 16 rows, which is what vpdpbusd,
 * sdot and a row of an AMX tile read. Lines of a panel: k / 4, rounded up so that tiles of at most 16 lines divide them
 * alike; what is behind k is zero. */
#define PCS_CODES_PANEL 16
static inline size_t pcs_codes_lines(size_t k)
{
    const size_t lines = (k + 3) / 4, tiles = (lines + 15) / 16;
    return tiles ? (lines + tiles - 1) / tiles * tiles : 0;
}
static inline size_t pcs_codes_panels(size_t n) { return (n + PCS_CODES_PANEL - 1) / PCS_CODES_PANEL; }
/* Bytes of the panels of n rows of k weights. */
static inline size_t pcs_codes_bytes(size_t n, size_t k) { return pcs_codes_panels(n) * pcs_codes_lines(k) * 64; }
/* Row r of n, of k weights, `stride` bytes apart, into the panels; they were zero. */
static inline void pcs_codes_pack_row(int8_t *panels, size_t lines, size_t r, const int8_t *w, size_t k)
{
    int8_t *to = panels + r / PCS_CODES_PANEL * lines * 64 + r % PCS_CODES_PANEL * 4;
    for (size_t i = 0; i < k; i++) to[i / 4 * 64 + i % 4] = w[i];
}

/* How sums become codes: nearest-even((float)sum * factor) + zero, held within lo and hi; products in f32. */
typedef struct pcs_codes_to {
    int32_t zero, lo, hi;
} pcs_codes_to;

/* codes_gemm: y[m][n] of sums first[n] + sum_k a[m][k] w[n][k]. codes_gemm_f32: yf[m][n] = (float)sum * factor[n], +
 * bias[n] where there is one. Rows of a can be read to 4 * lines. Arrays by n are padded to whole panels. */
typedef struct pcs_codes_gemm_args {
    const uint8_t *a;
    size_t lda, m;
    const int8_t *w; /* the first panel */
    size_t lines, n;
    const int32_t *first;
    const int32_t *sums; /* of w over k, for levels whose products take two signs */
    const float *factor;
    pcs_codes_to to;
    uint8_t *y;
    float *yf;
    size_t ldy;
    const float *bias; /* of yf; or NULL */
} pcs_codes_gemm_args;

/* codes_depthwise: one or two rows of places of a depthwise convolution, channels last. Row j's place p has sums
 * first[c] + sum over a, e of rows[j * height + a][(p * stride - pad + e * dilation) * channels + c] w[a][e][c]; what
 * lies outside of `width`, and all of a row that is NULL, is zero_in. w: by groups of 16 channels, [kernel
 * width][height / 4][16][4], zero after the last row: four rows of a place stand next to one another. Arrays by c are
 * padded to 64. */
typedef struct pcs_codes_depthwise_args {
    const uint8_t *const *rows;
    size_t n_rows, height, kernel, width, pixels, channels; /* n_rows: of results; height, kernel: of the window */
    int64_t stride, pad, dilation;                          /* along the row */
    const int8_t *w;
    const int32_t *first;
    const float *factor;
    uint8_t zero_in;
    pcs_codes_to to;
    uint8_t *y; /* [n_rows][pixels][channels] */
} pcs_codes_depthwise_args;
static inline size_t pcs_codes_quads(size_t height) { return (height + 3) / 4; }
/* Bytes of the weights of c channels; and where that of row a and column e stands. */
static inline size_t pcs_codes_taps_bytes(size_t c, size_t height, size_t kernel)
{
    return (c + 15) / 16 * kernel * pcs_codes_quads(height) * 64;
}
static inline size_t pcs_codes_tap(size_t c, size_t height, size_t kernel, size_t a, size_t e)
{
    return ((c / 16 * kernel + e) * pcs_codes_quads(height) + a / 4) * 64 + c % 16 * 4 + a % 4;
}
/* Where row a of row j of results has its column e for place p; NULL: outside. */
static inline const uint8_t *pcs_codes_column(const pcs_codes_depthwise_args *d, size_t j, size_t a, int64_t x)
{
    const uint8_t *row = a < d->height ? d->rows[j * d->height + a] : (const uint8_t *)0;
    return row && x >= 0 && x < (int64_t)d->width ? row + (size_t)x * d->channels : (const uint8_t *)0;
}

/* codes_encode: y = nearest-even(x / scale) + zero, held within lo and hi; NaN is lo. codes_decode: (code - zero) *
 * scale. codes_add: of (a - za) sa + (b - zb) sb over scale, as codes_encode; each step rounded to f32. */
typedef struct pcs_codes_encode_args {
    const float *x;
    size_t n;
    float scale;
    pcs_codes_to to;
    uint8_t *y;
} pcs_codes_encode_args;
typedef struct pcs_codes_decode_args {
    const uint8_t *x;
    size_t n;
    float scale;
    int32_t zero;
    float *y;
} pcs_codes_decode_args;
typedef struct pcs_codes_add_args {
    const uint8_t *a, *b;
    size_t n;
    float sa, sb, scale;
    int32_t za, zb;
    pcs_codes_to to;
    uint8_t *y;
} pcs_codes_add_args;

/* One number as a code: t is not yet rounded. */
static inline uint8_t pcs_codes_round(float t, pcs_codes_to to)
{
    const float lo = (float)(to.lo - to.zero), hi = (float)(to.hi - to.zero);
    t = t >= lo ? (t > hi ? hi : t) : lo; /* NaN is lo */
    const float whole = t < 0 ? (t - 8388608.0f) + 8388608.0f : (t + 8388608.0f) - 8388608.0f;
    return (uint8_t)((int32_t)whole + to.zero);
}

#endif
