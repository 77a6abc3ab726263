/* quantize_act, avx2: the suffix gives the flags. */
#include "kernel/quantize_act.h"

void pcs_quantize_act_avx2(const pcs_quantize_act_args *args) { pcs_quantize_rows(args); }
