/* fmath.h - exp, log, sine and friends without libm, so that results are the same on every machine.
 *
 * Only + - * / sqrt and integer operations, no fused operation: compile with -ffp-contract=off.
 * The float functions have no branches, so that loops over them vectorize. */
#ifndef PCS_FMATH_H
#define PCS_FMATH_H

#include "base/f16.h"

/* e^x, relative error below 2^-22 for |x| <= 87; 0 below -87.3, 2^127.9 above 88.7.
 * Cody-Waite reduction by ln 2, degree-6 Taylor polynomial on |r| <= ln(2)/2 (remainder r^7/5040 < 1.2e-7). */
static inline float pcs_expf(float x)
{
    const float lo = -87.33654f, hi = 88.3762626f;
    const float c = x < lo ? lo : x > hi ? hi : x;
    const float t = c * 1.44269504f + 12582912.0f;
    const float n = t - 12582912.0f;
    const float r = (c - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    const float y = p * pcs_bits_f32((pcs_f32_bits(t) << 23) + 0x3f800000u);
    return x < lo ? 0.0f : y;
}

static inline float pcs_sigmoidf(float x) { return 1.0f / (1.0f + pcs_expf(-x)); }
static inline float pcs_tanhf(float x) { return 1.0f - 2.0f / (1.0f + pcs_expf(2.0f * x)); }

/* Doubles, for tables and statistics: relative error about 1e-15. */
static inline double pcs_exp(double x)
{
    if (x != x) return x;
    if (x > 709.78271289338397) return (double)pcs_bits_f32(0x7f800000);
    if (x < -745.0) return 0.0;
    const double t = x * 1.4426950408889634 + 6755399441055744.0, n = t - 6755399441055744.0;
    const double r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    double p = 1.0;
    for (int i = 16; i > 0; i--) p = p * r / i + 1.0;
    int k = (int)n;
    while (k < -1000) p *= 0x1p-500, k += 500;
    if (k > 1000) p *= 0x1p500, k -= 500;
    uint64_t u;
    double two;
    u = (uint64_t)(k + 1023) << 52;
    memcpy(&two, &u, 8);
    return p * two;
}

/* Natural logarithm of a positive, normal double: atanh series on [sqrt(1/2), sqrt(2)). */
static inline double pcs_log(double x)
{
    uint64_t u;
    memcpy(&u, &x, 8);
    int e = (int)(u >> 52) - 1023;
    u = (u & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &u, 8);
    if (m > 1.4142135623730951) m *= 0.5, e++;
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 0.0;
    for (int i = 25; i >= 1; i -= 2) p = p * z + 1.0 / i;
    return 2.0 * s * p + e * 0.69314718055994530942;
}

static inline double pcs_pow(double x, double y) { return pcs_exp(y * pcs_log(x)); }

/* Quarters of a turn in x, of which the last two bits count, and what is left of it (quarter.c): x is finite, from 2^20
 * on. */
unsigned pcs_quarter(double x, double *rest);

/* Sine and cosine, to a few units in the last place: reduction by pi/2 in three parts (from 2^20 on by pcs_quarter),
 * then Taylor. What is infinite gives NaN. */
static inline void pcs_sincos(double x, double *s, double *c)
{
    const double a = __builtin_fabs(x);
    if (!(a < __builtin_inf())) {
        *s = *c = __builtin_nan("");
        return;
    }
    double r;
    unsigned q;
    if (a < 0x1p20) {
        const double t = a * 0.63661977236758134308 + 6755399441055744.0, n = t - 6755399441055744.0;
        const double most = (a - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11;
        r = most - n * 2.02226624879595063154e-21;
        q = (unsigned)n;
    } else q = pcs_quarter(a, &r);
    const double z = r * r;
    double sn = 0.0, cs = 0.0;
    for (int i = 19; i >= 1; i -= 2) sn = 1.0 - sn * z / ((i + 1) * (i + 2.0));
    for (int i = 18; i >= 0; i -= 2) cs = 1.0 - cs * z / ((i + 1) * (i + 2.0));
    sn *= r;
    q &= 3;
    const double sine = q == 0 ? sn : q == 1 ? cs : q == 2 ? -sn : -cs;
    *s = x < 0 ? -sine : sine;
    *c = q == 0 ? cs : q == 1 ? -sn : q == 2 ? -cs : sn;
}

/* Error function: its series near 0, a continued fraction beyond (Abramowitz and Stegun 7.1.6, 7.1.14), to 1e-12. */
static inline double pcs_erf(double x)
{
    const double a = x < 0 ? -x : x;
    double r;
    if (a > 6) r = 1;
    else if (a < 2.5) {
        double term = a, sum = a;
        for (int n = 1; n < 60; n++) {
            term *= 2 * a * a / (2 * n + 1);
            sum += term;
        }
        r = 1.12837916709551257390 * pcs_exp(-a * a) * sum;
    } else {
        double f = a;
        for (int n = 50; n > 0; n--) f = a + n * 0.5 / f;
        r = 1 - pcs_exp(-a * a) * 0.56418958354775628695 / f;
    }
    return x < 0 ? -r : r;
}

/* Correctly rounded on every machine by IEEE 754; the instruction, not libm. */
static inline float pcs_sqrtf(float x) { return __builtin_sqrtf(x); }

#endif
