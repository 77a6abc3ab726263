/* mv of float weights, AVX-512. */
#define VEC 64
#include "kernel/simd/mvf.h"

MVF(avx512vnni)
