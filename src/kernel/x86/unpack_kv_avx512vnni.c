/* unpack_kv, AVX-512. */
#define VEC 64
#include "kernel/simd/unpack_kv.h"

UNPACK_KV(avx512vnni)
