/* encode.h - encode, fit and error, compiled once per instruction set around format/fit.h. */
#ifndef PCS_ENCODE_H
#define PCS_ENCODE_H

#include "format/fit.h"
#include "kernel/kernel.h"

#define ENCODE(isa) \
    void pcs_encode_##isa(const pcs_encode_args *a) \
    { \
        encode_row(a); \
    } \
    void pcs_fit_##isa(const pcs_fit_args *a) \
    { \
        if (a->params) fit_block(a->f, a->x, a->w, a->effort, a->params); \
        else fit_row(&(pcs_encode_args){ a->f, a->n, a->x, a->w, a->effort, a->shared, NULL, NULL }, a->d, a->zero); \
    } \
    void pcs_error_##isa(const pcs_error_args *a) \
    { \
        error_row(a->n, a->x, a->y, a->w, a->err, a->norm); \
    }

#endif
