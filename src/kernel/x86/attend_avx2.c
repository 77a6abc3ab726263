/* kv_scores and kv_values, AVX2. */
#define VEC 32
#include "kernel/simd/attend.h"

ATTEND(avx2)
