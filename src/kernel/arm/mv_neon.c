/* mv, NEON. */
#define VEC 16
#include "kernel/arm/products.h"

#include "kernel/arm/mv_arm.h"

#define DECODER(name, ...) MV(name, neon, __VA_ARGS__)
#define BOOK(name, slots, pairs) MV_LINES(name, neon, slots, pairs, false, 0, NULL)
#include "kernel/simd/decoders.def"
