/* swiglu, geglu, softmax, avx512vnni: the suffix gives the flags. */
#include "kernel/pointwise.h"

void pcs_swiglu_avx512vnni(const void *args) { pcs_swiglu_loop(args); }
void pcs_geglu_avx512vnni(const void *args) { pcs_geglu_loop(args); }
void pcs_softmax_avx512vnni(const void *args) { pcs_softmax_loop(args); }
