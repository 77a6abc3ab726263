/* search - the scales and mins with the least squared error, weighted by importance (mean squares of the
 * inputs; Nagel et al. 2021, section 3.1, with the diagonal of the Hessian). */
#include "quant/quant.h"

static void row(const pcs_row_job *j, size_t n, const float *x, void *dst, float *y)
{
    j->kernels->encode(&(pcs_encode_args){ j->f, n, x, j->importance, PCS_FIT_SEARCH, j->shared, dst, y });
}

const pcs_method pcs_method_search = {
    .name = "search", .kind = PCS_CODER, .row = row, .uses_importance = true, .does = PCS_CHOOSES_RANGE
};
