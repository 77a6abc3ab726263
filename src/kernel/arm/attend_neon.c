/* kv_scores and kv_values, NEON. */
#define VEC 16
#include "kernel/simd/attend.h"

ATTEND(neon)
