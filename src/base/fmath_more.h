/* fmath_more.h - the rest of the elementary functions, for any argument, without libm: the same bits on every machine.
 *
 * Doubles with a relative error of some 1e-14; special values as C's annex F has them. */
#ifndef PCS_FMATH_MORE_H
#define PCS_FMATH_MORE_H

#include "base/fmath.h"

#define PCS_INFINITY __builtin_inf()
#define PCS_NAN __builtin_nan("")

static inline double pcs_abs_(double x) { return __builtin_fabs(x); }

static inline double pcs_m_log(double x)
{
    if (x != x || x < 0) return PCS_NAN;
    if (x == 0) return -PCS_INFINITY;
    if (x > 0x1.fffffffffffffp1023) return x;
    return x < 0x1p-1000 ? pcs_log(x * 0x1p200) - 200 * 0.69314718055994530942 : pcs_log(x);
}

/* e^x - 1 without cancellation. */
static inline double pcs_m_expm1(double x)
{
    if (!(pcs_abs_(x) < 0.5)) return pcs_exp(x) - 1;
    double term = x, sum = x;
    for (int i = 2; i < 18; i++) term *= x / i, sum += term;
    return sum;
}

/* log(1 + x) without cancellation: 2 atanh(x / (2 + x)). */
static inline double pcs_m_log1p(double x)
{
    if (!(pcs_abs_(x) < 0.5)) return pcs_m_log(1 + x);
    const double s = x / (2 + x), z = s * s;
    double p = 0;
    for (int i = 41; i >= 1; i -= 2) p = p * z + 1.0 / i;
    return 2 * s * p;
}

static inline double pcs_m_sin(double x)
{
    double s, c;
    pcs_sincos(x, &s, &c);
    return x == 0 ? x : s;
}
static inline double pcs_m_cos(double x)
{
    double s, c;
    pcs_sincos(x, &s, &c);
    return c;
}
static inline double pcs_m_tan(double x) { return pcs_m_sin(x) / pcs_m_cos(x); }

/* Halving the angle three times, then the series. */
static inline double pcs_m_atan(double x)
{
    if (x != x) return x;
    const double a = pcs_abs_(x);
    double t = a > 1 ? 1 / a : a;
    for (int i = 0; i < 3; i++) t = t / (1 + __builtin_sqrt(1 + t * t));
    const double z = t * t;
    double p = 0;
    for (int i = 25; i >= 1; i -= 2) p = 1.0 / i - p * z;
    double r = 8 * t * p;
    if (a > 1) r = 1.57079632679489661923 - r;
    return x < 0 ? -r : x == 0 ? x : r;
}
static inline double pcs_m_asin(double x)
{
    if (!(x >= -1 && x <= 1)) return PCS_NAN;
    if (x == 1 || x == -1) return x * 1.57079632679489661923;
    return pcs_m_atan(x / __builtin_sqrt((1 - x) * (1 + x)));
}
static inline double pcs_m_acos(double x)
{
    if (!(x >= -1 && x <= 1)) return PCS_NAN;
    if (x == -1) return 3.14159265358979323846;
    return 2 * pcs_m_atan(__builtin_sqrt((1 - x) / (1 + x)));
}
/* From 700 on e^x may have no double where half of it has one. */
static inline double pcs_m_sinh(double x)
{
    const double a = pcs_abs_(x), half = pcs_exp(0.5 * a), e = pcs_m_expm1(a);
    const double r = a > 700 ? 0.5 * half * half : 0.5 * (e + e / (e + 1));
    return x < 0 ? -r : x == 0 ? x : r;
}
static inline double pcs_m_cosh(double x)
{
    const double a = pcs_abs_(x), half = pcs_exp(0.5 * a), e = pcs_exp(a);
    return a > 700 ? 0.5 * half * half : 0.5 * (e + 1 / e);
}
static inline double pcs_m_tanh(double x)
{
    if (x != x) return x;
    const double a = pcs_abs_(x);
    const double e = pcs_m_expm1(2 * (a > 20 ? 20 : a)), r = a > 20 ? 1 : e / (e + 2);
    return x < 0 ? -r : r;
}
static inline double pcs_m_asinh(double x)
{
    const double a = pcs_abs_(x);
    const double r =
        a > 1e150 ? pcs_m_log(a) + 0.69314718055994530942 : pcs_m_log1p(a + a * a / (1 + __builtin_sqrt(a * a + 1)));
    return x < 0 ? -r : x == 0 ? x : r;
}
static inline double pcs_m_acosh(double x)
{
    if (!(x >= 1)) return PCS_NAN;
    return x > 1e150 ? pcs_m_log(x) + 0.69314718055994530942 : pcs_m_log1p(x - 1 + __builtin_sqrt((x - 1) * (x + 1)));
}
static inline double pcs_m_atanh(double x)
{
    if (!(x >= -1 && x <= 1)) return PCS_NAN;
    return 0.5 * (pcs_m_log1p(x) - pcs_m_log1p(-x));
}
/* Nearest whole number, ties to even. */
static inline double pcs_m_round(double x)
{
    const double a = pcs_abs_(x);
    if (!(a < 0x1p52)) return x;
    const double r = (a + 0x1p52) - 0x1p52;
    return x < 0 ? -r : x == 0 ? x : r;
}
static inline double pcs_m_floor(double x)
{
    const double r = pcs_m_round(x);
    return r > x ? r - 1 : r;
}
static inline double pcs_m_ceil(double x) { return -pcs_m_floor(-x); }
static inline double pcs_m_trunc(double x) { return x < 0 ? pcs_m_ceil(x) : pcs_m_floor(x); }
/* The remainder of a truncated quotient, exact. */
static inline double pcs_m_fmod(double a, double b)
{
    double x = pcs_abs_(a), y = pcs_abs_(b), s = y;
    if (!(x < PCS_INFINITY) || !(y > 0)) return PCS_NAN;
    if (y == PCS_INFINITY) return a;
    while (s <= x * 0.5) s *= 2;
    for (; s >= y; s *= 0.5)
        if (x >= s) x -= s;
    return __builtin_copysign(x, a);
}
/* |x|^y where an operand is zero or infinite: zero, one or infinity. */
static inline double pcs_m_pow_end(double x, double y)
{
    if (x == 1) return 1;
    return (x > 1) == (y > 0) ? PCS_INFINITY : 0;
}
/* x to a whole power by squaring; else by logarithms, negative bases to whole powers alone. */
static inline double pcs_m_pow(double x, double y)
{
    if (y == 0 || x == 1) return 1;
    if (x != x || y != y) return PCS_NAN;
    const double a = pcs_abs_(x), b = pcs_abs_(y);
    const bool whole = pcs_m_round(y) == y, odd = whole && b < 0x1p53 && pcs_m_fmod(y, 2) != 0;
    double r = 1, s = a;
    if (a == 0 || a == PCS_INFINITY || b == PCS_INFINITY) r = pcs_m_pow_end(a, y);
    else if (whole && b <= 64) {
        for (unsigned n = (unsigned)b; n; n >>= 1, s *= s)
            if (n & 1) r *= s;
        if (y < 0) r = 1 / r;
    } else if (x < 0 && !whole) return PCS_NAN;
    else r = y == 0.5 ? __builtin_sqrt(a) : pcs_exp(y * pcs_m_log(a));
    return odd ? __builtin_copysign(r, x) : r;
}

/* Of f32, without branches: for loops. */
static inline float pcs_m_tanhf(float x)
{
    const float z = x * x,
                series = x * (1 + z * (-1.0f / 3 + z * (2.0f / 15 + z * (-17.0f / 315 + z * (62.0f / 2835)))));
    const float big = 1.0f - 2.0f / (1.0f + pcs_expf(2.0f * x));
    return z < 0.01f ? series : big;
}
static inline float pcs_m_expf(float x)
{
    const float y = pcs_expf(x);
    return x > 88.72283f ? (float)PCS_INFINITY : x < -87.3f ? (float)pcs_exp((double)x) : x != x ? x : y;
}

/* e^x for what is added to 1, infinity where f32 has no more, without a branch; and 1 / (1 + e^-x). */
static inline float pcs_m_decayf(float x)
{
    const float y = pcs_expf(x);
    return x > 88.72283f ? (float)PCS_INFINITY : y;
}
static inline float pcs_m_sigmoidf(float x) { return 1.0f / (1.0f + pcs_m_decayf(-x)); }

/* Error function of f32, by polynomials that were fitted here (least squares on Chebyshev's nodes): erf(x) / x - 1 in
 * x^2 up to 0.9, the logarithm of 1 - erf(|x|) in |x| to 4.1, beyond which it is 1. Relative error below 1e-7; without
 * a branch, so that compilers make vectors of it. */
static inline float pcs_m_erff(float x)
{
    const float a = x < 0 ? -x : x, t = a < 4.1f ? a : 4.1f, s = x * x;
    float p = 8.534120570402592e-05f, q = -1.899090602819342e-05f;
    p = p * s + -0.0008180781151168048f;
    p = p * s + 0.00520433159545064f;
    p = p * s + -0.026860708370804787f;
    p = p * s + 0.11283718794584274f;
    p = p * s + -0.37612634897232056f;
    p = p * s + 0.12837916612625122f;
    q = q * t + 0.00040745807928033173f;
    q = q * t + -0.004027810879051685f;
    q = q * t + 0.024712154641747475f;
    q = q * t + -0.10760954767465591f;
    q = q * t + -0.6339867115020752f;
    q = q * t + -1.129186987876892f;
    q = q * t + 0.00010490440035937354f;
    const float small = p * x + x, far = 1.0f - pcs_expf(q), large = x < 0 ? -far : far;
    return x != x ? x : a <= 0.9f ? small : large;
}
static inline double pcs_m_sqrt(double x) { return __builtin_sqrt(x); }

#endif
