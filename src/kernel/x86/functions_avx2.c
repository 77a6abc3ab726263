/* Functions of elements and of rows, avx2: the suffix gives the flags. */
#include "kernel/functions_loop.h"

void pcs_elements_avx2(const pcs_elements_args *args) { pcs_elements_loop(args); }
void pcs_extremes_avx2(const pcs_extremes_args *args) { pcs_extremes_loop(args); }
void pcs_softmax_rows_avx2(const pcs_rows_args *args) { pcs_softmax_rows_loop(args); }
void pcs_layer_norm_avx2(const pcs_rows_args *args) { pcs_layer_norm_loop(args); }
