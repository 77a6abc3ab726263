/* mv of float weights, AVX2. */
#define VEC 32
#include "kernel/simd/mvf.h"

MVF(avx2)
