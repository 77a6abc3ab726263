/* mv, AVX-512 VNNI. */
#include "kernel/x86/mv_512.h"

#define DECODER(name, ...) MV(name, avx512vnni, __VA_ARGS__)
#define BOOK(name, slots, pairs) MV_LINES(name, avx512vnni, slots, pairs, false, 0, NULL)
#include "kernel/simd/decoders.def"
