/* xnor.h - products of signs by counting bits (XNOR-Net, 1603.05279, section 3.2): a row of weights and a row of
 * activations, one bit each, agree in as many places as their xnor has ones. */
#ifndef PCS_XNOR_H
#define PCS_XNOR_H

#include "base/base.h"

/* Bits of 32 numbers in a word, the lowest first, 1: plus. */
static inline size_t pcs_xnor_words(size_t k) { return (k + 31) / 32; }

/* y[t][r] = agree(r, t) * (scale of row r * scale[t]) for rows [begin, end): agree is the number of places of k where
 * the signs are alike less that where they differ. A row of weights is its scale (f32) and its words. */
typedef struct pcs_xnor_args {
    const uint8_t *w;
    size_t row_bytes, k, begin, end, m;
    const uint32_t *x;  /* [m][words]; bits after the last number are 0 */
    const float *scale; /* [m] */
    float *y;           /* [m][ldy] */
    size_t ldy;
} pcs_xnor_args;

/* The signs of a row and the mean of its magnitudes: 0 and more is plus. */
static inline float pcs_xnor_signs(const float *x, size_t k, uint32_t *words)
{
    double sum = 0;
    memset(words, 0, pcs_xnor_words(k) * sizeof *words);
    for (size_t i = 0; i < k; i++) {
        words[i / 32] |= (uint32_t)!(x[i] < 0) << (i % 32);
        sum += x[i] < 0 ? -(double)x[i] : (double)x[i];
    }
    return k ? (float)(sum / (double)k) : 0.0f;
}

/* Words [from, words) of both, one after another: what is left of a level's own width; and the last word's rest. */
static inline int pcs_xnor_rest(const uint8_t *w, const uint32_t *x, size_t from, size_t k)
{
    int differ = 0;
    for (size_t i = from; i < pcs_xnor_words(k); i++) {
        uint32_t word;
        memcpy(&word, w + 4 * i, sizeof word);
        const uint32_t mask = k - 32 * i >= 32 ? 0xffffffffu : (1u << (k - 32 * i)) - 1;
        uint32_t bits = (word ^ x[i]) & mask;
        bits -= bits >> 1 & 0x55555555u; /* without an instruction for it */
        bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
        differ += (int)(((bits + (bits >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24);
    }
    return differ;
}

/* What a level does with how many places differ. */
static inline void pcs_xnor_store(const pcs_xnor_args *a, size_t row, size_t token, int differ)
{
    float scale;
    memcpy(&scale, a->w + row * a->row_bytes, sizeof scale);
    a->y[token * a->ldy + row] = (float)((int64_t)a->k - 2 * (int64_t)differ) * (scale * a->scale[token]);
}

#endif
