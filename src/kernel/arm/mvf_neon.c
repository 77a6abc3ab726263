/* mv of float weights, NEON. */
#define VEC 16
#include "kernel/simd/mvf.h"

#define FLOAT(name, ...) MVF(name, neon, __VA_ARGS__)
#include "kernel/simd/floats.def"
