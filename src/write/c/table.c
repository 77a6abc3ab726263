/* table.c - the tables of parts and ops. */
#include "write/c/functions.h"

#define C_OP(op, emit, same, fuses, in_place) extern const pcs_op pcs_op_##op;
#include "write/c/ops.def"
#undef C_OP
/* Kernels have the bits of the formulas beside them. */
#define UNARY_KERNEL(name, of, narrow, real, slope) UNARY_F32(name, narrow, real, slope)
#define UNARY_BOTH_KERNEL(name, of, real, whole, natural, slope) UNARY_BOTH(name, real, whole, natural, slope)
#define BINARY_KERNEL(name, of, real, whole, natural, by_x, by_y) BINARY(name, real, whole, natural, by_x, by_y)
#define BINARY_DIM BINARY_KERNEL
#define UNARY_REAL(name, real, slope) extern const pcs_op pcs_op_##name;
#define UNARY_F32(name, narrow, real, slope) extern const pcs_op pcs_op_##name;
#define UNARY_TEST(name, real) extern const pcs_op pcs_op_##name;
#define UNARY_BOTH(name, real, whole, natural, slope) extern const pcs_op pcs_op_##name;
#define UNARY_WHOLE(name, whole) extern const pcs_op pcs_op_##name;
#include "graph/op/unary.def"
#undef UNARY_REAL
#undef UNARY_F32
#undef UNARY_TEST
#undef UNARY_BOTH
#undef UNARY_WHOLE
#define BINARY(name, real, whole, natural, by_x, by_y) extern const pcs_op pcs_op_##name;
#define BINARY_WHOLE(name, whole, natural) extern const pcs_op pcs_op_##name;
#define COMPARE(name, holds) extern const pcs_op pcs_op_##name;
#include "graph/op/binary.def"
#undef BINARY
#undef BINARY_WHOLE
#undef COMPARE

#define UNARY_CALL pcs_c_unary, NULL, pcs_c_fuses_unary, true, NULL
#define BINARY_CALL pcs_c_binary, NULL, pcs_c_fuses_binary, true, NULL
#define TYPED_UNARY_CALL pcs_c_typed_unary, NULL, NULL, true, NULL
#define TYPED_BINARY_CALL pcs_c_typed_binary, NULL, NULL, true, NULL
const pcs_c_row pcs_c_rows[] = {
#define C_OP(op, emit, same, fuses, in_place) { &pcs_op_##op, emit, same, fuses, in_place, NULL },
#define C_OP_MANY(op, emit, room) { &pcs_op_##op, emit, NULL, NULL, false, room },
#include "write/c/ops.def"
#define UNARY_REAL(name, real, slope) { &pcs_op_##name, UNARY_CALL },
#define UNARY_F32(name, narrow, real, slope) { &pcs_op_##name, UNARY_CALL },
#define UNARY_BOTH(name, real, whole, natural, slope) { &pcs_op_##name, UNARY_CALL },
#define UNARY_TEST(name, real) { &pcs_op_##name, TYPED_UNARY_CALL },
#define UNARY_WHOLE(name, whole) { &pcs_op_##name, TYPED_UNARY_CALL },
#include "graph/op/unary.def"
#define BINARY(name, real, whole, natural, by_x, by_y) { &pcs_op_##name, BINARY_CALL },
#define BINARY_WHOLE(name, whole, natural) { &pcs_op_##name, TYPED_BINARY_CALL },
#define COMPARE(name, holds) { &pcs_op_##name, TYPED_BINARY_CALL },
#include "graph/op/binary.def"
#undef UNARY_REAL
#undef UNARY_F32
#undef UNARY_TEST
#undef UNARY_BOTH
#undef UNARY_WHOLE
#undef BINARY
#undef BINARY_WHOLE
#undef COMPARE
    { 0 },
};

/* What each computes of f32, as text; of f64 where that is what the reference does. */
const pcs_c_formula pcs_c_formulas[] = {
#define UNARY_REAL(name, real, slope) { &pcs_op_##name, #real, NULL, NULL, true },
#define UNARY_F32(name, narrow, real, slope) { &pcs_op_##name, #narrow, NULL, NULL, false },
#define UNARY_TEST(name, real) { &pcs_op_##name, #real, NULL, NULL, true },
#define UNARY_BOTH(name, real, whole, natural, slope) { &pcs_op_##name, #real, #whole, #natural, false },
#define UNARY_WHOLE(name, whole) { &pcs_op_##name, NULL, #whole, #whole, false },
#include "graph/op/unary.def"
#define BINARY(name, real, whole, natural, by_x, by_y) { &pcs_op_##name, #real, #whole, #natural, false },
#define BINARY_WHOLE(name, whole, natural) { &pcs_op_##name, NULL, #whole, #natural, false },
#define COMPARE(name, holds) { &pcs_op_##name, #holds, #holds, #holds, false },
#include "graph/op/binary.def"
    { 0 },
};

const pcs_c_part pcs_c_parts[] = {
#define C_PART(name, code, needs) { #name, needs, code, 0 },
#define C_PART_WITH(name, code, needs, ram) { #name, needs, code, ram },
#include "write/c/parts.def"
    { 0 },
};
