/* codes.h - products of codes of 8 bits: activations without a sign, weights with one, sums in int32, and what becomes of
 * the sums. The integers are exact at every level, and what follows is rounded in f32 in one order, so all levels give
 * the same bits. */
#ifndef PCS_CODES_H
#define PCS_CODES_H

#include "base/base.h"

/* Weights lie in panels of 16 rows; a line of 64 bytes holds four neighbours in k of 16 rows, which is what vpdpbusd, sdot
 * and a row of an AMX tile read. Lines of a panel: k / 4, rounded up so that tiles of at most 16 lines divide them
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
typedef struct pcs_codes_to { int32_t zero, lo, hi; } pcs_codes_to;

/* codes_gemm: y[m][n] of sums first[n] + sum_k a[m][k] w[n][k]. codes_gemm_f32: yf[m][n] = (float)sum * factor[n], + bias[n]
 * where there is one. Rows of a can be read to 4 * lines. Arrays by n are padded to whole panels. */
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

/* codes_depthwise: y[p][c] of sums first[c] + sum_t taps[p][t][c] w[t][c], for pixels p. w: by groups of 16 channels,
 * [taps / 4][16][4], zero behind the last tap; 4 * quads pointers a pixel, each to `channels` codes. Arrays by c are
 * padded to 64. */
typedef struct pcs_codes_depthwise_args {
    const uint8_t *const *taps;
    size_t quads, pixels, channels;
    const int8_t *w;
    const int32_t *first;
    const float *factor;
    pcs_codes_to to;
    uint8_t *y;
    size_t ldy;
} pcs_codes_depthwise_args;

/* codes_encode: y = nearest-even(x / scale) + zero, held within lo and hi; NaN is lo. codes_decode: (code - zero) * scale.
 * codes_add: of (a - za) sa + (b - zb) sb over scale, as codes_encode; each step rounded to f32. */
typedef struct pcs_codes_encode_args { const float *x; size_t n; float scale; pcs_codes_to to; uint8_t *y; } pcs_codes_encode_args;
typedef struct pcs_codes_decode_args { const uint8_t *x; size_t n; float scale; int32_t zero; float *y; } pcs_codes_decode_args;
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
