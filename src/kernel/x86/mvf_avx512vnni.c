/* mv of float weights, AVX-512. */
#define VEC 64
#include "kernel/simd/mvf.h"

#define FLOAT(name, ...) MVF(name, avx512vnni, __VA_ARGS__)
#include "kernel/simd/floats.def"
