/* swiglu, geglu, softmax, log_sum, divergence, dot, avx2: the suffix gives the flags. */
#include "kernel/pointwise.h"

void pcs_swiglu_avx2(const pcs_glu_args *args) { pcs_swiglu_loop(args); }
void pcs_geglu_avx2(const pcs_glu_args *args) { pcs_geglu_loop(args); }
void pcs_softmax_avx2(const pcs_softmax_args *args) { pcs_softmax_loop(args); }
void pcs_log_sum_avx2(const pcs_log_sum_args *args) { pcs_log_sum_loop(args); }
void pcs_divergence_avx2(const pcs_divergence_args *args) { pcs_divergence_loop(args); }
void pcs_dot_avx2(const pcs_dot_args *args) { pcs_dot_loop(args); }
