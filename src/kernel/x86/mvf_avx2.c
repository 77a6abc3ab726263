/* mv of float weights, AVX2. */
#define VEC 32
#include "kernel/x86/mvf.h"

MVF(avx2)
