/* encode, fit, error, avx512vnni: the suffix gives the flags. */
#include "format/fit.h"
#include "kernel/kernel.h"

void pcs_encode_avx512vnni(const void *args)
{
    const pcs_encode_args *a = args;
    encode_row(a->f, a->n, a->x, a->w, a->effort, a->shared, a->dst, a->y);
}

void pcs_fit_avx512vnni(const void *args)
{
    const pcs_fit_args *a = args;
    if (a->params) fit_block(a->f, a->x, a->w, a->effort, a->params);
    else fit_row(a->f, a->n, a->x, a->w, a->effort, a->shared, a->d, a->zero);
}

void pcs_error_avx512vnni(const void *args)
{
    const pcs_error_args *a = args;
    error_row(a->n, a->x, a->y, a->w, a->err, a->norm);
}
