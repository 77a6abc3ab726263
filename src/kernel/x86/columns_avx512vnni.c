/* columns, AVX-512: the suffix gives the flags. */
#include "kernel/columns_loop.h"

COLUMNS(avx512vnni)
