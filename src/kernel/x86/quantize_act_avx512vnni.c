/* quantize_act, avx512vnni: the suffix gives the flags. */
#include "kernel/quantize_act.h"

void pcs_quantize_act_avx512vnni(const void *args) { pcs_quantize_rows(args); }
