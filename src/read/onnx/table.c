/* table.c - the rows of onnx.def. */
#include "read/onnx/functions.h"

const pcs_onnx_row pcs_onnx_rows[] = {
#define ROW(domain, op, since, until, contents, function, with) { domain, op, since, until, contents, function, with },
#include "read/onnx/onnx.def"
#undef ROW
    { 0 },
};
