/* f16.h - half precision and bfloat16 in plain integer arithmetic: the same bits everywhere. */
#ifndef PCS_F16_H
#define PCS_F16_H

#include "base/base.h"

static inline float pcs_bits_f32(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static inline uint32_t pcs_f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

/* Exact, subnormals included. */
static inline float pcs_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000) << 16, mag = h & 0x7fff;
    if (mag >= 0x7c00) return pcs_bits_f32(sign | 0x7f800000 | (mag & 0x3ff) << 13);
    if (mag >= 0x0400) return pcs_bits_f32(sign | ((mag << 13) + (112u << 23)));
    const float f = (float)mag * 0x1p-24f; /* exact: mag < 1024 */
    return pcs_bits_f32(sign | pcs_f32_bits(f));
}

/* Rounds to nearest, ties to even; too large becomes infinity; NaN stays NaN. Subnormals round in 0.5's last place. */
static inline uint16_t pcs_f32_to_f16(float f)
{
    const uint32_t u = pcs_f32_bits(f), sign = u >> 16 & 0x8000, mag = u & 0x7fffffff;
    const uint32_t normal = (mag - (112u << 23) + 0xfff + (mag >> 13 & 1)) >> 13;
    const uint32_t subnormal = pcs_f32_bits(pcs_bits_f32(mag < 0x38800000 ? mag : 0) + 0.5f) - 0x3f000000;
    const uint32_t finite = mag < 0x38800000 ? subnormal : mag < 0x477ff000 ? normal : 0x7c00;
    return (uint16_t)(sign | (mag > 0x7f800000 ? 0x7e00 | (mag >> 13 & 0x1ff) : finite));
}

static inline float pcs_bf16_to_f32(uint16_t h) { return pcs_bits_f32((uint32_t)h << 16); }

static inline uint16_t pcs_f32_to_bf16(float f)
{
    const uint32_t u = pcs_f32_bits(f);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 64);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline uint16_t pcs_load16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline uint32_t pcs_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t pcs_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}
static inline void pcs_store16(void *p, uint16_t v) { memcpy(p, &v, 2); }

/* Nearest integer, ties to even, for |x| < 2^22: no libm, no rounding mode but the default. */
static inline int pcs_round(float x)
{
    const float shift = x + 12582912.0f; /* 1.5 * 2^23 */
    return (int)(pcs_f32_bits(shift) & 0x7fffff) - 0x400000;
}

#endif
