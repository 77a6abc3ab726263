/* functions.h - the emitters that rows of ops.def name, and what they share. */
#ifndef PCS_WRITE_C_FUNCTIONS_H
#define PCS_WRITE_C_FUNCTIONS_H

#include "write/c/file.h"

/* Elements from offset + sum of index * step, steps by the result's dimensions. */
precis_status pcs_c_move(pcs_c_file *w, const pcs_c_step *s, int64_t offset, const int64_t *step, int flip);

pcs_c_emit_fn pcs_c_codes_conv, pcs_c_codes_linear, pcs_c_codes_add, pcs_c_codes_pool, pcs_c_codes_lookup,
    pcs_c_codes_layout;
/* A row of formulas; one of its texts in C with names of the file (NULL: it needs what no part is for); is a function
 * of this name made already? From now on it is. Its call with the step's operands. */
const pcs_c_formula *pcs_c_formula_of(const pcs_op *op);
const char *pcs_c_formula_in_c(pcs_c_file *w, const char *formula);
bool pcs_c_is_made(pcs_c_file *w, const char *name);
precis_status pcs_c_made_call(pcs_c_file *w, const char *name, const pcs_c_step *s, const char *params);
pcs_c_emit_fn pcs_c_typed_unary, pcs_c_typed_binary, pcs_c_typed_cast, pcs_c_choose;
pcs_c_emit_fn pcs_c_to_codes, pcs_c_from_codes, pcs_c_unary, pcs_c_binary, pcs_c_gelu;
pcs_c_emit_fn pcs_c_transpose, pcs_c_slice, pcs_c_expand, pcs_c_concat, pcs_c_pad, pcs_c_resize;
pcs_c_emit_fn pcs_c_matmul, pcs_c_product, pcs_c_conv, pcs_c_deconv, pcs_c_affine;
pcs_c_emit_fn pcs_c_recurrent;
uint64_t pcs_c_recurrent_room(const pcs_c_file *w, const pcs_node *n);
pcs_c_emit_fn pcs_c_codes_mul, pcs_c_codes_matmul;
/* Steps of an operand that is spread over y, as six numbers. */
const char *pcs_c_spread(pcs_c_file *w, const pcs_value *x, const pcs_value *y);
pcs_c_emit_fn pcs_c_take, pcs_c_cast, pcs_c_layer_norm;
pcs_c_emit_fn pcs_c_pool, pcs_c_reduce, pcs_c_softmax, pcs_c_normalize, pcs_c_arg_reduce;
bool pcs_c_same_layout(const pcs_c_file *w, const pcs_node *n);
bool pcs_c_fuses_unary(const pcs_c_file *w, const pcs_node *n);
bool pcs_c_fuses_binary(const pcs_c_file *w, const pcs_node *n);
bool pcs_c_fuses_concat(const pcs_c_file *w, const pcs_node *n);

#endif
