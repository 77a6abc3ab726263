/* attend.h - kv_scores and kv_values on vectors: a cache's codes become floats in registers, so that one token's
 * attention is one stream of loads. A buffer between would be a second stream, of stores, which costs half of the
 * speed of reading (Zen 4: 5 GB/s instead of 20 and more). */
#ifndef PCS_ATTEND_H
#define PCS_ATTEND_H

#include "kernel/simd/unpack_kv.h"

/* Rows, or rows times tiles, at a time at most; registers of 16 numbers. */
enum { ATTEND_ROWS = VEC == 64 ? 8 : 4, ATTEND_PARTS = 16 / V_ROWS };

/* Lanes h and on of the 16 numbers at `at`; high: of nibbles, the upper ones. */
PCS_INLINE vecf attend_load(const uint8_t *at, int bits, int high, int h)
{
    if (bits == 32) return v_floats(at + 4 * h);
    if (bits == 16) return v_halves(at + 2 * h);
    return codes_at(bits == 8 ? bytes16(at) : nibbles_of(bytes16(at), high), h);
}

/* How far ahead to ask: no further than the part after this one, of which `next` is the first byte. */
PCS_INLINE size_t attend_far(const uint8_t *codes, const uint8_t *end)
{
    const size_t far = pcs_cpu_ahead_parts(), part = end ? (size_t)(end - codes) : far;
    return part < far ? part : far;
}

/* Ask for n bytes from `far` ahead of `at` on, a line at a time, into the L1 cache (into L2, too, is slower). What of
 * them lies past `end` is read at `next` instead, and asked for there: keys of a head are no more than some ten
 * thousand bytes, of which the first would come late each time. far 0: not. */
PCS_INLINE void attend_ask(const uint8_t *at, size_t n, size_t far, const uint8_t *end, const uint8_t *next)
{
    if (!far) return;
    for (size_t i = 0; i < n; i += 64) {
        const size_t left = end ? (size_t)(end - at) : SIZE_MAX;
        __builtin_prefetch(i + far < left ? at + (i + far) : next + (i + far - left));
    }
}

/* Rows r0 .. r0 + rows - 1 (those after the last are the last) with tiles of 16 keys, or numbers of values, from
 * `from` on; bits: of a code or a number; far: bytes ahead to ask for. */
typedef struct {
    size_t from, r0;
    int rows, bits;
    size_t far;
} attend_part;

/* A sum is one chain of fma, and a few rows alone would wait for theirs: so several tiles at a time. */
PCS_INLINE void score_tiles(const pcs_kv_scores_args *a, attend_part part, int tiles)
{
    const size_t t = part.from, r0 = part.r0, far = part.far;
    const int rows = part.rows, bits = part.bits;
    enum { P = ATTEND_PARTS };
    const size_t bytes = (a->dims + 1) / 2 * 4 * (size_t)bits;
    const uint8_t *at = a->codes + t * bytes;
    const float *x[ATTEND_ROWS];
    vecf acc[ATTEND_ROWS * P], scale[4 * P]; /* [tile][row][part] */
    for (int r = 0; r < rows; r++) x[r] = a->x + (r0 + (size_t)r < a->m ? r0 + (size_t)r : a->m - 1) * a->dims;
    for (int i = 0; i < tiles * rows * P; i++) acc[i] = v_zero();
    for (int i = 0; i < tiles * P && bits < 16; i++) scale[i] = loadu(a->d + 16 * t + (size_t)i * V_ROWS);
    for (size_t k = 0; k < a->dims; k++) {
        if (r0 == 0 && k % (size_t)(32 / bits) == 0)
            for (int i = 0; i < tiles; i++) attend_ask(at + (size_t)i * bytes, 64, far, a->end, a->next);
        for (int i = 0; i < tiles * P; i++) {
            vecf v = attend_load(at + (size_t)(i / P) * bytes, bits, k & 1, i % P * V_ROWS);
            if (bits < 16) v = v_mulf(v, scale[i]);
            for (int r = 0; r < rows; r++)
                acc[(i / P * rows + r) * P + i % P] = v_fma(v_setf(x[r][k]), v, acc[(i / P * rows + r) * P + i % P]);
        }
        at += bits == 4 ? (k & 1) * 16 : 2 * (size_t)bits;
    }
    for (int i = 0; i < tiles; i++)
        for (int r = 0; r < rows && r0 + (size_t)r < a->m; r++)
            for (int p = 0; p < P; p++)
                storeu(a->y + (r0 + (size_t)r) * a->ldy + 16 * (t + (size_t)i) + (size_t)p * V_ROWS,
                       acc[(i * rows + r) * P + p]);
}

/* n tiles, `wide` at a time, or one. */
PCS_INLINE void score_some(const pcs_kv_scores_args *a, attend_part part, size_t n, int wide)
{
    if (n % (size_t)wide)
        for (size_t i = 0; i < n; i++, part.from++) score_tiles(a, part, 1);
    else
        for (size_t i = 0; i < n; i += (size_t)wide, part.from += (size_t)wide) score_tiles(a, part, wide);
}

PCS_INLINE void scores(const pcs_kv_scores_args *a, int bits)
{
    enum { MOST = ATTEND_ROWS };
    const size_t far = attend_far(a->codes, a->end);
    for (size_t t = 0, n; t < a->tiles; t += n) {
        n = a->tiles - t < 4 ? a->tiles - t : 4;
        for (size_t r = 0; r < a->m; r += MOST) {
            const size_t rest = a->m - r;
            if (rest > 4 && MOST > 4) score_some(a, (attend_part){ t, r, MOST, bits, far }, n, 1);
            else if (rest > 3) score_some(a, (attend_part){ t, r, 4, bits, far }, n, MOST / 4);
            else if (rest > 2) score_some(a, (attend_part){ t, r, 3, bits, far }, n, MOST / 4);
            else if (rest > 1) score_some(a, (attend_part){ t, r, 2, bits, far }, n, MOST / 2);
            else score_some(a, (attend_part){ t, r, 1, bits, far }, n, 4);
        }
    }
}

/* 16 `wide` numbers of values. */
PCS_INLINE void value_tile(const pcs_kv_values_args *a, attend_part part, int wide)
{
    const size_t i = part.from, r0 = part.r0, far = part.far;
    const int rows = part.rows, bits = part.bits;
    enum { MOST = 4 * 4 * ATTEND_PARTS };
    const size_t row = a->width * (size_t)bits / 8, half = a->width / 2;
    const bool high = bits == 4 && i >= half;
    const uint8_t *at = a->codes + (bits == 4 ? i - high * half : i * (size_t)bits / 8);
    const int step = bits == 4 ? 16 : 2 * bits, parts = wide * ATTEND_PARTS;
    const float *w[4];
    float *y[4];
    vecf acc[MOST];
    for (int r = 0; r < rows; r++) {
        const size_t real = r0 + (size_t)r < a->m ? r0 + (size_t)r : a->m - 1;
        w[r] = a->w + real * a->ldw;
        y[r] = a->y + real * a->ldy + i;
        for (int p = 0; p < parts; p++) acc[r * parts + p] = a->accumulate ? loadu(y[r] + p * V_ROWS) : v_zero();
    }
    for (size_t j = 0; j < a->n; j++, at += row) {
        if (((uintptr_t)at & 63) < row) attend_ask(at, row, far, a->end, a->next); /* once a line */
        for (int p = 0; p < parts; p++) {
            vecf v = attend_load(at + p / ATTEND_PARTS * step, bits, high, p % ATTEND_PARTS * V_ROWS);
            if (bits < 16) v = v_mulf(v, v_setf(a->d[j]));
            for (int r = 0; r < rows; r++) acc[r * parts + p] = v_fma(v_setf(w[r][j]), v, acc[r * parts + p]);
        }
    }
    for (int r = 0; r < rows && r0 + (size_t)r < a->m; r++)
        for (int p = 0; p < parts; p++) storeu(y[r] + p * V_ROWS, acc[r * parts + p]);
}

PCS_INLINE void value_rows(const pcs_kv_values_args *a, size_t r, int rows, int bits)
{
    enum { WIDE = VEC == 64 ? 4 : 2 }; /* as many sums as there are registers for */
    const size_t far = r ? 0 : attend_far(a->codes, a->end);
    const size_t even = bits == 4 ? a->width / 2 : a->width; /* nibbles: one half after the other */
    for (size_t part = 0; part < a->width; part += even) {
        size_t i = 0;
        for (; i + 16 * WIDE <= even; i += 16 * WIDE)
            value_tile(a, (attend_part){ part + i, r, rows, bits, part + i ? 0 : far }, WIDE);
        for (; i < even; i += 16) value_tile(a, (attend_part){ part + i, r, rows, bits, part + i ? 0 : far }, 1);
    }
}

PCS_INLINE void values(const pcs_kv_values_args *a, int bits)
{
    enum { ROWS = VEC == 32 ? 2 : 4 };
    for (size_t r = 0; r < a->m; r += ROWS) {
        const size_t rest = a->m - r;
        if (rest > 3 && ROWS > 3) value_rows(a, r, ROWS, bits);
        else if (rest > 2 && ROWS > 2) value_rows(a, r, 3, bits);
        else if (rest > 1) value_rows(a, r, 2, bits);
        else value_rows(a, r, 1, bits);
    }
}

#define ATTEND_KERNEL(op, isa, run) \
    void pcs_##op##_##isa(const pcs_##op##_args *a) \
    { \
        if (a->bits == 32) run(a, 32); \
        else if (a->bits == 16) run(a, 16); \
        else if (a->bits == 8) run(a, 8); \
        else run(a, 4); \
    }
#define ATTEND(isa) ATTEND_KERNEL(kv_scores, isa, scores) ATTEND_KERNEL(kv_values, isa, values)

#endif
