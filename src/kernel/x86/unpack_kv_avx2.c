/* unpack_kv, AVX2. */
#define VEC 32
#include "kernel/x86/unpack_kv_vec.h"

UNPACK_KV(avx2)
