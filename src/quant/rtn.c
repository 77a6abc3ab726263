/* rtn - round to nearest under scales from the largest weights; importance is not used. */
#include "quant/quant.h"

static void row(const pcs_row_job *j, size_t n, const float *x, void *dst, float *y)
{
    j->kernels->encode(&(pcs_encode_args){ j->f, n, x, NULL, j->rounding, j->shared, dst, y });
}

const pcs_method pcs_method_rtn = { .name = "rtn", .kind = PCS_CODER, .row = row, .uses_rounding = true };
