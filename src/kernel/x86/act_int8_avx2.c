/* act_int8, avx2: the suffix gives the flags. */
#include "kernel/act_int8.h"

ACT_INT8(avx2)
