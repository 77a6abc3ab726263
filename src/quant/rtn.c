/* rtn - round to nearest under scales from the largest weights; importance is not used. */
#include "quant/quant.h"

static void row(const pcs_format *f, size_t n, const float *x, const float *importance, void *dst)
{
    (void)importance;
    pcs_encode(f, n, x, NULL, PCS_FIT_RTN, dst);
}

const pcs_method pcs_method_rtn = { "rtn", row };
