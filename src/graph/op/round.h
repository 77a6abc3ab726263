/* round.h - rounding to whole numbers and to E2M1, for the ops that do as hardware or a file's format would. */
#ifndef PCS_ROUND_H
#define PCS_ROUND_H

#include "base/f16.h"
#include "base/lane_sums.h"

/* Nearest whole number, ties to even; beyond 4e6 a number is left as it is (a clamp follows), and so is a NaN: what is
 * not finite must be seen in the loss. */
static inline float pcs_nearest(float x) { return x >= -4e6f && x <= 4e6f ? (float)pcs_round(x) : x; }

static inline float pcs_clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* The largest magnitude, by 16 lanes: the order does not matter. A NaN is passed over. */
static inline float pcs_largest(const float *x, size_t n)
{
    const size_t whole = n / 16 * 16;
    float lane[16] = { 0 }, top = 0;
    for (size_t i = 0; i < whole; i += 16)
        PCS_LANES(l, 16) {
            const float a = x[i + l] < 0 ? -x[i + l] : x[i + l];
            lane[l] = a > lane[l] ? a : lane[l];
        }
    for (size_t i = whole; i < n; i++) top = x[i] > top ? x[i] : -x[i] > top ? -x[i] : top;
    PCS_LANES(l, 16) top = lane[l] > top ? lane[l] : top;
    return top;
}

/* Mean magnitude, summed in 16 lanes. */
static inline double pcs_mean_magnitude(const float *x, size_t n)
{
    double lane[16] = { 0 };
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        PCS_LANES(l, 16) lane[l] += x[i + l] < 0 ? -(double)x[i + l] : (double)x[i + l];
    for (; i < n; i++) lane[i % 16] += x[i] < 0 ? -(double)x[i] : (double)x[i];
    return n ? pcs_sixteen_lanes(lane) / (double)n : 0;
}

/* The nearest of 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives, ties to the even code; a NaN stays one. */
static inline float pcs_e2m1_nearest(float x)
{
    static const float edge[7] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5.0f },
                       value[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    const float a = x < 0 ? -x : x;
    int c = 0;
    if (x != x) return x;
    for (int i = 0; i < 7; i++) c += i % 2 ? a >= edge[i] : a > edge[i];
    return x < 0 ? -value[c] : value[c];
}

#endif
