/* columns_loop.h - the columns' code, compiled once per instruction set: COLUMNS(isa) makes the kernels. */
#ifndef PCS_COLUMNS_LOOP_H
#define PCS_COLUMNS_LOOP_H

#include "kernel/kernel.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EACH for (size_t i = 0; i < n; i++)

#define BINARY(name, op)                                                                         \
    static void name(double *restrict o, const double *restrict a, int a_step,                  \
                     const double *restrict b, int b_step, size_t n)                            \
    {                                                                                           \
        const double x = *a, y = *b;                                                            \
        if (a_step && b_step) EACH o[i] = a[i] op b[i];                                         \
        else if (a_step) EACH o[i] = a[i] op y;                                                 \
        else EACH o[i] = x op b[i];                                                             \
    }
BINARY(add, +)
BINARY(sub, -)
BINARY(mul, *)
BINARY(div_, /)

/* Cody and Waite's reduction, Taylor's polynomial of degree 13 on |r| <= ln(2) / 2: remainder 4e-18. */
static inline double exp1(double x)
{
    const double c = x < -708.0 ? -708.0 : x > 709.0 ? 709.0 : x;
    const double t = c * 1.4426950408889634 + 6755399441055744.0, k = t - 6755399441055744.0;
    const double r = (c - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    uint64_t u, v;
    memcpy(&u, &t, 8);
    memcpy(&v, &p, 8);
    v += u << 52;
    memcpy(&p, &v, 8);
    p = x < -708.0 ? 0.0 : x > 709.0 ? INFINITY : p;
    return x != x ? x : p;
}

static void exp_(double *restrict o, const double *restrict a, size_t n) { EACH o[i] = exp1(a[i]); }

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh((m - 1) / (m + 1)). The exponent becomes a double
 * through the bits of 2^52 + e. */
static inline double log1(double x)
{
    uint64_t u, e;
    memcpy(&u, &x, 8);
    e = (u + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu)) >> 52; /* biased by 1023 */
    u -= (e - 1023) << 52;
    double m, k;
    memcpy(&m, &u, 8);
    e |= 0x4330000000000000u;
    memcpy(&k, &e, 8);
    k -= 4503599627370496.0 + 1023.0;
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 21;
    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    p = p * z + 1.0;
    double y = (2.0 * s * p + k * 1.90821492927058770002e-10) + k * 0.693147180369123816490;
    y = x < 2.3e-308 ? -708.4 : y; /* one choice at a time: together they do not become masks */
    y = x > 1.7e308 ? INFINITY : y;
    y = x == 0 ? -INFINITY : y;
    y = x < 0 ? NAN : y;
    return x != x ? x : y;
}

static void log_(double *restrict o, const double *restrict a, size_t n) { EACH o[i] = log1(a[i]); }

enum { CHUNK = 64 };

static void lse(double *restrict o, double *const *share, const double *const *t, const int *step, int k, size_t n)
{
    double top[CHUNK], all[CHUNK];
    for (size_t at = 0; at < n; at += CHUNK) {
        const size_t m = n - at < CHUNK ? n - at : CHUNK;
        for (size_t i = 0; i < m; i++) top[i] = -INFINITY, all[i] = 0;
        for (int c = 0; c < k; c++) {
            const double *x = t[c] + (step[c] ? at : 0), y = *x;
            if (step[c]) for (size_t i = 0; i < m; i++) top[i] = x[i] > top[i] ? x[i] : top[i];
            else for (size_t i = 0; i < m; i++) top[i] = y > top[i] ? y : top[i];
        }
        for (int c = 0; c < k; c++) {
            const double *x = t[c] + (step[c] ? at : 0), y = *x;
            double *restrict e = share[c] + at;
            if (step[c]) for (size_t i = 0; i < m; i++) e[i] = exp1(x[i] - top[i]);
            else for (size_t i = 0; i < m; i++) e[i] = exp1(y - top[i]);
            for (size_t i = 0; i < m; i++) all[i] += e[i];
        }
        for (size_t i = 0; i < m; i++) o[at + i] = top[i] + log1(all[i]), all[i] = 1.0 / all[i];
        for (int c = 0; c < k; c++)
            for (size_t i = 0; i < m; i++) share[c][at + i] *= all[i];
    }
}

static void gather(double *restrict o, const double *restrict a, const double *restrict b, int b_step, size_t n)
{
    const double y = *b;
    if (b_step) EACH o[i] += a[i] * b[i];
    else EACH o[i] += a[i] * y;
}

static inline double lanes(const double s[PCS_COLUMN_LANES])
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static double sum(const double *a, size_t n)
{
    double s[PCS_COLUMN_LANES] = { 0 };
    for (size_t i = 0; i < n; i += PCS_COLUMN_LANES)
        for (int j = 0; j < PCS_COLUMN_LANES; j++) s[j] += a[i + j];
    return lanes(s);
}

static double huber(const double *restrict r, const double *restrict w, double delta, double *restrict psi, size_t n)
{
    double s[PCS_COLUMN_LANES] = { 0 };
    for (size_t i = 0; i < n; i += PCS_COLUMN_LANES)
        for (int j = 0; j < PCS_COLUMN_LANES; j++) {
            const double x = r[i + j], c = x > delta ? delta : x < -delta ? -delta : x;
            s[j] += w[i + j] * (c * (x - 0.5 * c));
            psi[i + j] = w[i + j] * c;
        }
    return lanes(s);
}

#define COLUMN_PAIR(name, isa, run) \
    void pcs_column_##name##_##isa(const pcs_column_pair_args *a) { run(a->o, a->a, a->a_step, a->b, a->b_step, a->n); }
#define COLUMNS(isa) \
    COLUMN_PAIR(add, isa, add) \
    COLUMN_PAIR(sub, isa, sub) \
    COLUMN_PAIR(mul, isa, mul) \
    COLUMN_PAIR(div, isa, div_) \
    void pcs_column_gather_##isa(const pcs_column_pair_args *a) { gather(a->o, a->a, a->b, a->b_step, a->n); } \
    void pcs_column_exp_##isa(const pcs_column_args *a) { exp_(a->o, a->a, a->n); } \
    void pcs_column_log_##isa(const pcs_column_args *a) { log_(a->o, a->a, a->n); } \
    void pcs_column_lse_##isa(const pcs_column_lse_args *a) { lse(a->o, a->share, a->t, a->step, a->k, a->n); } \
    void pcs_column_sum_##isa(const pcs_column_sum_args *a) { *a->sum = sum(a->a, a->n); } \
    void pcs_column_huber_##isa(const pcs_column_huber_args *a) { *a->sum = huber(a->r, a->w, a->delta, a->psi, a->n); }

#endif
