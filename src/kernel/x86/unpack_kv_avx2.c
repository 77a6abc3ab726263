/* unpack_kv, AVX2. */
#define VEC 32
#include "kernel/simd/unpack_kv.h"

UNPACK_KV(avx2)
