/* columns, AVX2: the suffix gives the flags. */
#include "kernel/columns_loop.h"

COLUMNS(avx2)
