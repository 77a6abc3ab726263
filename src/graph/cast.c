/* cast.c - see cast.h. */
#include "graph/cast.h"

#include "base/builtins.h"
#include "base/hadamard.h"
#include "graph/op/round.h"

float pcs_cast(const pcs_element *e, float x, bool saturate)
{
    if (x != x) return x;
    const float y = pcs_element_value(e, pcs_element_code(e, x));
    if (saturate || !e->infinities) return y;
    /* Half a unit beyond the largest is where rounding would reach the next power. */
    const float unit = 1.0f / (float)(1 << (e->mantissa_bits + 1)), a = x < 0 ? -x : x;
    const float top = pcs_bits_f32(pcs_f32_bits(e->largest) & 0x7f800000u), edge = e->largest + top * unit;
    return a >= edge ? (x < 0 ? -pcs_infinityf() : pcs_infinityf()) : y;
}

void pcs_cast_scaled(const pcs_element *e, const float *x, float *y, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++) y[i] = pcs_cast(e, x[i] * scale, true) / scale;
}

static float power_below(float x) { return pcs_bits_f32(pcs_f32_bits(x) & 0x7f800000u); }

float pcs_scale_to(const pcs_element *e, float magnitude, int margin, bool power)
{
    if (!(magnitude > 0)) return 1.0f;
    const float by = pcs_bits_f32((uint32_t)(127 - margin) << 23), s = e->largest / magnitude * by;
    const float most = s - s == 0 ? s : 3.4028235e38f; /* of a magnitude so small that its inverse is none */
    return power ? power_below(most) : most;
}

float pcs_delayed_scale(const pcs_delayed *d, const pcs_element *e)
{
    return pcs_scale_to(e, pcs_largest(d->history, d->filled), d->margin, false);
}

void pcs_delayed_see(pcs_delayed *d, float magnitude)
{
    d->history[d->next] = magnitude;
    d->next = (d->next + 1) % d->length;
    if (d->filled < d->length) d->filled++;
}

/* The largest magnitude of a block of rows and columns that starts at x, in rows of k. */
static float largest_of(const float *x, size_t k, size_t rows, size_t columns)
{
    float top = 0;
    for (size_t r = 0; r < rows; r++) {
        const float m = pcs_largest(x + r * k, columns);
        top = m > top ? m : top;
    }
    return top;
}

void pcs_cast_tiles(const pcs_element *e, const pcs_tiling *by, const float *x, float *y, float *scales)
{
    const size_t n = by->n, k = by->k, rows = by->rows, columns = by->columns;
    size_t at = 0;
    for (size_t r = 0; r < n; r += rows)
        for (size_t c = 0; c < k; c += columns, at++) {
            const size_t height = n - r < rows ? n - r : rows, width = k - c < columns ? k - c : columns;
            const float s = largest_of(x + r * k + c, k, height, width) / e->largest;
            scales[at] = s;
            for (size_t i = 0; i < height; i++)
                for (size_t j = 0; j < width; j++) {
                    const size_t p = (r + i) * k + c + j;
                    y[p] = s > 0 ? pcs_cast(e, x[p] / s, true) * s : 0.0f;
                }
        }
}

float pcs_cast_nvfp4(const float *x, float *y, size_t n, size_t k, size_t rows, float *scales)
{
    const float global = pcs_largest(x, n * k) / (448.0f * 6.0f);
    size_t at = 0;
    for (size_t r = 0; r < n; r += rows)
        for (size_t c = 0; c < k; c += 16, at++) {
            const size_t height = n - r < rows ? n - r : rows, width = k - c < 16 ? k - c : 16;
            const float wanted = largest_of(x + r * k + c, k, height, width) / 6.0f;
            const float s = global > 0 ? pcs_cast(&pcs_e4m3, wanted / global, true) * global : 0.0f;
            scales[at] = s;
            for (size_t i = 0; i < height; i++)
                for (size_t j = 0; j < width; j++) {
                    const size_t p = (r + i) * k + c + j;
                    y[p] = s > 0 ? pcs_e2m1_nearest(x[p] / s) * s : 0.0f;
                }
        }
    return global;
}

void pcs_cast_mxfp4(const float *x, float *y, size_t n, float *scales)
{
    for (size_t b = 0; b < n; b += 32) {
        const size_t k = n - b < 32 ? n - b : 32;
        const float s = power_below(pcs_largest(x + b, k)) * 0.25f;
        scales[b / 32] = s;
        for (size_t i = b; i < b + k; i++) y[i] = s > 0 ? pcs_e2m1_nearest(x[i] / s) * s : 0.0f;
    }
}

void pcs_cast_mxfp4_stochastic(const float *x, const float *u, float *y, size_t n)
{
    for (size_t b = 0; b < n; b += 32) {
        const size_t k = n - b < 32 ? n - b : 32;
        const float s = power_below(pcs_largest(x + b, k)) * 0.25f / 0.75f;
        for (size_t i = b; i < b + k; i++) y[i] = s > 0 ? pcs_stochastic_e2m1(x[i] / s, u[i]) * s : 0.0f;
    }
}

float pcs_stochastic_whole(float x, float u) { return pcs_floorf(x + u); }

float pcs_stochastic_bf16(float x, uint16_t r)
{
    const uint32_t bits = pcs_f32_bits(x), low = bits & 0xffff, kept = bits & 0xffff0000u;
    if ((bits & 0x7f800000u) == 0x7f800000u) return x; /* infinities and NaN have nothing to round */
    return pcs_bits_f32(r < low ? kept + 0x10000u : kept);
}

float pcs_stochastic_e2m1(float x, float u)
{
    static const float value[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    const float a = x < 0 ? -x : x;
    int c = 0;
    while (c < 7 && value[c + 1] <= a) c++;
    if (c < 7 && u < (a - value[c]) / (value[c + 1] - value[c])) c++;
    return x < 0 ? -value[c] : value[c];
}

float pcs_uniform(uint64_t seed, uint64_t place)
{
    uint64_t s = seed * 0x9e3779b97f4a7c15u ^ place * 0xd1b54a32d192ed03u;
    return (float)(pcs_rand(&s) >> 40) * 0x1p-24f;
}

void pcs_turn_signed(float *x, size_t rows, size_t n, const float *sign)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < n; i++) x[r * n + i] *= sign[i];
        pcs_hadamard(x + r * n, n);
    }
}
