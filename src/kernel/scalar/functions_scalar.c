/* Functions of elements and of rows, scalar: the suffix gives the flags. */
#include "kernel/functions_loop.h"

void pcs_elements_scalar(const pcs_elements_args *args) { pcs_elements_loop(args); }
void pcs_extremes_scalar(const pcs_extremes_args *args) { pcs_extremes_loop(args); }
void pcs_softmax_rows_scalar(const pcs_rows_args *args) { pcs_softmax_rows_loop(args); }
void pcs_layer_norm_scalar(const pcs_rows_args *args) { pcs_layer_norm_loop(args); }
