/* mv, NEON. */
#define VEC 16
#include "kernel/arm/products.h"

#include "kernel/arm/mv_arm.h"

#define DECODER(name, block, slots, min, pairs) MV(name, neon, block, slots, min, pairs)
#include "kernel/simd/decoders.def"
