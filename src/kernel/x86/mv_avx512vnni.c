/* mv, AVX-512 VNNI. */
#include "kernel/x86/mv_512.h"

#define DECODER(name, ...) MV(name, avx512vnni, __VA_ARGS__)
#include "kernel/simd/decoders.def"
