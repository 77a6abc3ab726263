/* quantize_act, scalar: the suffix gives the flags. */
#include "kernel/quantize_act.h"

void pcs_quantize_act_scalar(const pcs_quantize_act_args *args) { pcs_quantize_rows(args); }
