/* mv, AVX-512 VNNI and VBMI: of formats that gain by its tables of 64 bytes; their rows of decoders.def. */
#define BOOKS_IN_REGISTERS
#define MV_BOOK_BYTES 1024
#include "kernel/x86/mv_512.h"
#include "kernel/x86/books_512.h"

MV(tq1_0, avx512vbmi, 256, 1, false, 8, 0, 0)
MV_LINES(iq3_s, avx512vbmi, 1, 4, false, 8, book_iq3_s)
MV_LINES(iq3_xxs, avx512vbmi, 1, 0, false, 8, book_iq3_xxs)
MV_LINES(iq2_s, avx512vbmi, 2, 0, true, 0, NULL)
MV_LINES(iq2_xs, avx512vbmi, 2, 0, true, 0, NULL)
MV_LINES(iq2_xxs, avx512vbmi, 1, 0, false, 8, book_iq2_xxs)
MV_LINES(iq1_m, avx512vbmi, 2, 4, true, 0, NULL)
MV_LINES(iq1_s, avx512vbmi, 1, 4, true, 0, NULL)
