/* mv of float weights, AVX2. */
#define VEC 32
#include "kernel/simd/mvf.h"

#define FLOAT(name, ...) MVF(name, avx2, __VA_ARGS__)
#include "kernel/simd/floats.def"
