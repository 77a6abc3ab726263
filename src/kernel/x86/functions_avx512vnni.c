/* Functions of elements and of rows, avx512vnni: the suffix gives the flags. */
#include "kernel/functions_loop.h"

void pcs_elements_avx512vnni(const pcs_elements_args *args) { pcs_elements_loop(args); }
void pcs_extremes_avx512vnni(const pcs_extremes_args *args) { pcs_extremes_loop(args); }
void pcs_softmax_rows_avx512vnni(const pcs_rows_args *args) { pcs_softmax_rows_loop(args); }
void pcs_layer_norm_avx512vnni(const pcs_rows_args *args) { pcs_layer_norm_loop(args); }
