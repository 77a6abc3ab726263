/* products.h - what NEON without dot products multiplies with. */
#ifndef PCS_PRODUCTS_H
#define PCS_PRODUCTS_H

#include "kernel/simd/vec.h"

/* sum of each 32-bit lane and its four products, two of which are added in 16 bits: twice 127 x 128 fits. */
PCS_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    return vpadalq_s16(sum, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
}

#endif
