/* mv, AVX-512 VNNI and VBMI: of formats that gain by its tables of 64 bytes; their rows of decoders.def. */
#include "kernel/x86/mv_512.h"

MV(tq1_0, avx512vbmi, 256, 1, false, 8, 0, 0)
