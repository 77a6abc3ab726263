/* unpack_kv, NEON. */
#define VEC 16
#include "kernel/simd/unpack_kv.h"

UNPACK_KV(neon)
