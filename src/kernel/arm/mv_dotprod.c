/* mv, NEON with dot products. */
#define VEC 16
#include "kernel/simd/vec.h"

PCS_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t codes, int8x16_t x) { return vdotq_s32(sum, codes, x); }

#include "kernel/arm/mv_arm.h"

#define DECODER(name, ...) MV(name, dotprod, __VA_ARGS__)
#define BOOK(name, slots, pairs) MV_LINES(name, dotprod, slots, pairs, false, 0, NULL)
#include "kernel/simd/decoders.def"
