/* act_bf16, avx2: the suffix gives the flags. */
#include "kernel/act_bf16.h"

ACT_BF16(avx2)
