/* act_bf16, scalar: the suffix gives the flags. */
#include "kernel/act_bf16.h"

ACT_BF16(scalar)
