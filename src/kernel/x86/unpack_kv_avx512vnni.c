/* unpack_kv, AVX-512. */
#define VEC 64
#include "kernel/x86/unpack_kv_vec.h"

UNPACK_KV(avx512vnni)
