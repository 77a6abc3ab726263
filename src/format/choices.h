/* choices.h - the sums that tell how good a choice of parameters is, for 16 choices at once.
 *
 * A lane is one choice and goes through the weights in order, so that nothing is summed across lanes and every
 * instruction set gives the same bits: products are fused into sums, everywhere. The including file's flags say
 * which of the three bodies is compiled. */
#ifndef PCS_CHOICES_H
#define PCS_CHOICES_H

#include "base/builtins.h"
#include "base/f16.h"
#include "format/format.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { CHOICES = 16, SPAN = 256 }; /* weights that are summed in f32 */
#define LANES(l) PCS_LANES(l, CHOICES)

/* Codes are those of (x + m) * inv. */
typedef struct { float inv[CHOICES], m[CHOICES]; } choices;
/* n weights and their importances (w NULL: all count alike); with other, the upper half of the lanes is of the
 * weights that lie `other` behind. */
typedef struct { const float *x, *w; size_t n, other; } weights;
/* sum w q (of choices with an m), sum w q q, sum w q x */
typedef struct { float q[CHOICES], qq[CHOICES], qx[CHOICES]; } sums;
/* Constants where span() is called, so that each has a loop of its own: choices have an m; the format has a book; the
 * lanes are of two groups. */
typedef struct { bool affine, book, two; } kind;

#if defined(__AVX512F__)
PCS_INLINE void extremes(const float *x, size_t n, float *lo, float *hi)
{
    __m512 low = _mm512_set1_ps(x[0]), high = low;
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 in = (__mmask16)(n - i < 16 ? (1u << (n - i)) - 1 : 0xffffu);
        const __m512 v = _mm512_mask_loadu_ps(low, in, x + i);
        low = _mm512_min_ps(low, v);
        high = _mm512_max_ps(high, _mm512_mask_mov_ps(high, in, v));
    }
    *lo = _mm512_reduce_min_ps(low) + 0.0f; /* of zeros of two signs any may come first */
    *hi = _mm512_reduce_max_ps(high) + 0.0f;
}

/* The first lane of the least number, of 16 and of 8; of the largest. No NaN. */
PCS_INLINE int least_of_8(const double *e)
{
    const __m512d a = _mm512_loadu_pd(e);
    return pcs_lowest_bit(_mm512_cmpeq_pd_mask(a, _mm512_set1_pd(_mm512_reduce_min_pd(a))));
}
PCS_INLINE int least_of(const double *e)
{
    const __m512d a = _mm512_loadu_pd(e), b = _mm512_loadu_pd(e + 8);
    const __m512d least = _mm512_set1_pd(_mm512_reduce_min_pd(_mm512_min_pd(a, b)));
    return pcs_lowest_bit((unsigned)_mm512_cmpeq_pd_mask(a, least) | (unsigned)_mm512_cmpeq_pd_mask(b, least) << 8);
}
PCS_INLINE int largest_of(const float *x)
{
    const __m512 v = _mm512_loadu_ps(x);
    return pcs_lowest_bit(_mm512_cmpeq_ps_mask(v, _mm512_set1_ps(_mm512_reduce_max_ps(v))));
}

/* Book: a search tree in three registers; a node's children are 2 node and 2 node + 1, and leaves are 16 to 31. */
typedef struct { __m512 lo, hi, first, tree, book; } codes16;

PCS_INLINE codes16 codes_of(const pcs_format *f)
{
    const __m512 none = _mm512_setzero_ps();
    codes16 c = { _mm512_set1_ps(f->code_lo), _mm512_set1_ps(f->code_hi), none, none, none };
    if (!f->book) return c;
    float tree[16] = { 0 }, book[16];
    for (int step = 8, node = 1; step; step /= 2)
        for (int at = step; at < 16; at += 2 * step) tree[node++] = 0.5f * (float)(f->book[at - 1] + f->book[at]);
    for (int i = 0; i < 16; i++) book[i] = f->book[i];
    c.first = _mm512_set1_ps(tree[1]);
    c.tree = _mm512_loadu_ps(tree);
    c.book = _mm512_loadu_ps(book);
    return c;
}

PCS_INLINE __m512 code16(const codes16 *c, __m512 t, bool book)
{
    if (!book) return _mm512_roundscale_ps(_mm512_min_ps(c->hi, _mm512_max_ps(c->lo, t)), 0);
    const __m512i one = _mm512_set1_epi32(1), left = _mm512_set1_epi32(2);
    __m512i node = _mm512_mask_add_epi32(left, _mm512_cmp_ps_mask(t, c->first, _CMP_GT_OQ), one, left);
    for (int level = 0; level < 3; level++) {
        const __mmask16 above = _mm512_cmp_ps_mask(t, _mm512_permutexvar_ps(node, c->tree), _CMP_GT_OQ);
        node = _mm512_add_epi32(node, node);
        node = _mm512_mask_add_epi32(node, above, node, one);
    }
    return _mm512_permutexvar_ps(node, c->book);
}

PCS_INLINE __m512 number16(const float *x, size_t other, bool two)
{
    const __m512 v = _mm512_set1_ps(x[0]);
    return two ? _mm512_mask_broadcastss_ps(v, 0xff00, _mm_load_ss(x + other)) : v;
}

PCS_INLINE void span(const pcs_format *f, const choices *c, const weights *of, const kind is, sums *s)
{
    const codes16 grid = codes_of(f);
    const float *x = of->x, *w = of->w;
    const __m512 inv = _mm512_loadu_ps(c->inv);
    const __m512 m = is.affine ? _mm512_mul_ps(_mm512_loadu_ps(c->m), inv) : _mm512_setzero_ps();
    __m512 q1 = _mm512_setzero_ps(), qq = q1, qx = q1;
    for (size_t i = 0; i < of->n; i++) {
        const __m512 v = number16(x + i, of->other, is.two);
        const __m512 t = is.affine ? _mm512_fmadd_ps(v, inv, m) : _mm512_mul_ps(v, inv), q = code16(&grid, t, is.book);
        const __m512 wq = w ? _mm512_mul_ps(number16(w + i, of->other, is.two), q) : q;
        if (is.affine) q1 = _mm512_add_ps(q1, wq);
        qq = _mm512_fmadd_ps(wq, q, qq);
        qx = _mm512_fmadd_ps(wq, v, qx);
    }
    _mm512_storeu_ps(s->q, q1);
    _mm512_storeu_ps(s->qq, qq);
    _mm512_storeu_ps(s->qx, qx);
}
#elif defined(__AVX2__)
PCS_INLINE void extremes(const float *x, size_t n, float *lo, float *hi)
{
    __m256 low = _mm256_set1_ps(x[0]), high = low;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        low = _mm256_min_ps(low, _mm256_loadu_ps(x + i));
        high = _mm256_max_ps(high, _mm256_loadu_ps(x + i));
    }
    __m128 a = _mm_min_ps(_mm256_castps256_ps128(low), _mm256_extractf128_ps(low, 1));
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(high), _mm256_extractf128_ps(high, 1));
    a = _mm_min_ps(a, _mm_movehl_ps(a, a));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    *lo = _mm_cvtss_f32(_mm_min_ss(a, _mm_movehdup_ps(a)));
    *hi = _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
    for (; i < n; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
    *lo += 0.0f; /* of zeros of two signs any may come first */
    *hi += 0.0f;
}

PCS_INLINE void span(const pcs_format *f, const choices *c, const weights *of, const kind is, sums *s)
{
    const __m256 lo = _mm256_set1_ps(f->code_lo), hi = _mm256_set1_ps(f->code_hi);
    for (int half = 0; half < CHOICES; half += 8) {
        const size_t from = is.two && half ? of->other : 0;
        const float *x = of->x + from, *w = of->w ? of->w + from : NULL;
        const __m256 inv = _mm256_loadu_ps(c->inv + half);
        const __m256 m = is.affine ? _mm256_mul_ps(_mm256_loadu_ps(c->m + half), inv) : _mm256_setzero_ps();
        __m256 q1 = _mm256_setzero_ps(), qq = q1, qx = q1;
        for (size_t i = 0; i < of->n; i++) {
            const __m256 v = _mm256_set1_ps(x[i]), t = is.affine ? _mm256_fmadd_ps(v, inv, m) : _mm256_mul_ps(v, inv);
            __m256 q;
            if (is.book) {
                q = _mm256_set1_ps(f->book[0]);
                for (int k = 0; k < 15; k++) {
                    const __m256 mid = _mm256_set1_ps(0.5f * (float)(f->book[k] + f->book[k + 1]));
                    const __m256 step = _mm256_set1_ps((float)(f->book[k + 1] - f->book[k]));
                    q = _mm256_add_ps(q, _mm256_and_ps(_mm256_cmp_ps(t, mid, _CMP_GT_OQ), step));
                }
            } else {
                q = _mm256_round_ps(_mm256_min_ps(hi, _mm256_max_ps(lo, t)), 0);
            }
            const __m256 wq = w ? _mm256_mul_ps(_mm256_set1_ps(w[i]), q) : q;
            if (is.affine) q1 = _mm256_add_ps(q1, wq);
            qq = _mm256_fmadd_ps(wq, q, qq);
            qx = _mm256_fmadd_ps(wq, v, qx);
        }
        _mm256_storeu_ps(s->q + half, q1);
        _mm256_storeu_ps(s->qq + half, qq);
        _mm256_storeu_ps(s->qx + half, qx);
    }
}
#else
PCS_INLINE void extremes(const float *x, size_t n, float *lo, float *hi)
{
    *lo = *hi = x[0];
    for (size_t i = 0; i < n; i++) {
        *lo = x[i] < *lo ? x[i] : *lo;
        *hi = x[i] > *hi ? x[i] : *hi;
    }
    *lo += 0.0f; /* of zeros of two signs any may come first */
    *hi += 0.0f;
}

PCS_INLINE void span(const pcs_format *f, const choices *c, const weights *of, const kind is, sums *s)
{
    const float lo = f->code_lo, hi = f->code_hi;
    float m[CHOICES] = { 0 };
    for (int l = 0; l < CHOICES && is.affine; l++) m[l] = c->m[l] * c->inv[l];
    *s = (sums){ { 0 }, { 0 }, { 0 } };
    for (size_t i = 0; i < of->n; i++)
        for (int l = 0; l < CHOICES; l++) {
            const size_t from = i + (is.two && l >= CHOICES / 2 ? of->other : 0);
            const float x = of->x[from], t = is.affine ? pcs_fmaf(x, c->inv[l], m[l]) : x * c->inv[l];
            float q;
            if (is.book) {
                int at = 0;
                for (int step = 8; step; step /= 2)
                    if (t > 0.5f * (float)(f->book[at + step - 1] + f->book[at + step])) at += step;
                q = f->book[at];
            } else {
                const float cut = t < lo ? lo : t > hi ? hi : t;
                q = (cut + 12582912.0f) - 12582912.0f; /* to the nearest, ties to even */
            }
            const float wq = of->w ? of->w[from] * q : q;
            if (is.affine) s->q[l] += wq;
            s->qq[l] = pcs_fmaf(wq, q, s->qq[l]);
            s->qx[l] = pcs_fmaf(wq, x, s->qx[l]);
        }
}
#endif

PCS_INLINE void span_of(const pcs_format *f, const choices *c, const weights *of, bool affine, sums *s)
{
    if (of->other && affine) span(f, c, of, (kind){ .affine = true, .two = true }, s);
    else if (of->other) span(f, c, of, (kind){ .two = true }, s);
    else if (f->book && affine) span(f, c, of, (kind){ .affine = true, .book = true }, s);
    else if (f->book) span(f, c, of, (kind){ .book = true }, s);
    else if (affine) span(f, c, of, (kind){ .affine = true }, s);
    else span(f, c, of, (kind){ 0 }, s);
}

#ifndef __AVX512F__
/* The first lane of the least number, of 16 and of 8; of the largest. No NaN. */
PCS_INLINE int least_among(const double *e, int n)
{
    int best = 0;
    for (int l = 1; l < n; l++) best = e[l] < e[best] ? l : best;
    return best;
}
PCS_INLINE int least_of_8(const double *e) { return least_among(e, 8); }
PCS_INLINE int least_of(const double *e) { return least_among(e, CHOICES); }
PCS_INLINE int largest_of(const float *x)
{
    int best = 0;
    for (int l = 1; l < CHOICES; l++) best = x[l] > x[best] ? l : best;
    return best;
}
#endif

/* affine: choices have an m, and sums a q. Two halves: of formats without a book, and of at most SPAN weights. */
PCS_INLINE void sums_of(const pcs_format *f, const choices *c, const weights *of, bool affine, sums *out)
{
    const size_t n = of->n;
    if (n <= SPAN) {
        span_of(f, c, of, affine, out);
        return;
    }
    double q[CHOICES] = { 0 }, qq[CHOICES] = { 0 }, qx[CHOICES] = { 0 };
    for (size_t at = 0; at < n; at += SPAN) {
        sums s;
        const weights part = { of->x + at, of->w ? of->w + at : NULL, n - at < SPAN ? n - at : SPAN, 0 };
        span_of(f, c, &part, affine, &s);
        for (int l = 0; l < CHOICES; l++) {
            q[l] += affine ? (double)s.q[l] : 0.0;
            qq[l] += (double)s.qq[l];
            qx[l] += (double)s.qx[l];
        }
    }
    for (int l = 0; l < CHOICES; l++) {
        out->q[l] = (float)q[l];
        out->qq[l] = (float)qq[l];
        out->qx[l] = (float)qx[l];
    }
}

#endif
