/* act_bf16, avx512vnni: the suffix gives the flags. */
#include "kernel/act_bf16.h"

ACT_BF16(avx512vnni)
