/* mv of float weights, NEON. */
#define VEC 16
#include "kernel/simd/mvf.h"

MVF(neon)
