/* functions.h - the functions of lower.def. */
#ifndef PCS_WRITE_ONNX_FUNCTIONS_H
#define PCS_WRITE_ONNX_FUNCTIONS_H

#include "write/onnx/lower.h"

#define LOWER(op, onnx, since, reads, function, take) extern const pcs_op pcs_op_##op;
#include "write/onnx/lower.def"
#undef LOWER

pcs_lower_fn pcs_lower_same, pcs_lower_numbers, pcs_lower_is_inf, pcs_lower_swish, pcs_lower_gelu, pcs_lower_min,
    pcs_lower_mod, pcs_lower_shift, pcs_lower_bits, pcs_lower_cast, pcs_lower_reduce, pcs_lower_arg,
    pcs_lower_normalize, pcs_lower_softmax, pcs_lower_cumulate, pcs_lower_top_k, pcs_lower_einsum, pcs_lower_conv,
    pcs_lower_conv2d, pcs_lower_pool, pcs_lower_pool2d, pcs_lower_batch_norm, pcs_lower_layer_norm, pcs_lower_resize,
    pcs_lower_sample, pcs_lower_recurrent, pcs_lower_reshape, pcs_lower_flatten, pcs_lower_transpose,
    pcs_lower_concat, pcs_lower_expand, pcs_lower_slice, pcs_lower_pad, pcs_lower_take, pcs_lower_take_at,
    pcs_lower_put, pcs_lower_to_codes, pcs_lower_matmul, pcs_lower_scale, pcs_lower_codes, pcs_lower_whole,
    pcs_lower_requantize;
pcs_take_fn pcs_take_clip, pcs_take_dynamic, pcs_take_requantize;
/* to_codes, and the op before it that takes codes in this file (qlinear.c). */
bool pcs_take_form(pcs_lowering *w, const pcs_node *n);
precis_status pcs_lower_form(pcs_lowering *w, const pcs_node *n, const pcs_node *m);

#endif
