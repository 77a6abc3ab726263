/* act_int8, scalar: the suffix gives the flags. */
#include "kernel/act_int8.h"

ACT_INT8(scalar)
