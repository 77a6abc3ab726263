/* kv_scores and kv_values, AVX-512. */
#define VEC 64
#include "kernel/simd/attend.h"

ATTEND(avx512vnni)
