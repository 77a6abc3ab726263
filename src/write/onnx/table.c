/* table.c - the rows of lower.def. */
#include "write/onnx/functions.h"

const pcs_lower_row pcs_lower_rows[] = {
#define LOWER(op, onnx, since, reads, function, take) { &pcs_op_##op, onnx, since, reads, function, take },
#include "write/onnx/lower.def"
#undef LOWER
    { NULL, NULL, 0, 0, NULL, NULL },
};

const pcs_lower_row *pcs_lower_row_of(const pcs_op *op)
{
    for (const pcs_lower_row *r = pcs_lower_rows; r->op; r++)
        if (r->op == op) return r;
    return NULL;
}
