/* columns.h - arithmetic on columns of doubles, for the tape of laws. The same bits at every level: sums are kept in
 * PCS_COLUMN_LANES lanes, and nothing is fused. Columns do not overlap, and n is a multiple of PCS_COLUMN_LANES. */
#ifndef PCS_COLUMNS_H
#define PCS_COLUMNS_H

#include <stddef.h>

enum { PCS_COLUMN_LANES = 8, PCS_COLUMN_TERMS = 8 };

/* column_add, _sub, _mul, _div: o = a op b; column_gather: o += a b, a is a column. An operand is a column with step
 * 1, or with step 0 a pointer to one number. */
typedef struct { double *o; const double *a; int a_step; const double *b; int b_step; size_t n; } pcs_column_pair_args;

/* column_exp: relative error 2e-16; 0 below -708, inf above 709. column_log: of positive numbers; NAN of others. */
typedef struct { double *o; const double *a; size_t n; } pcs_column_args;

/* column_lse: o = log(sum exp(t[i])); share[i] = exp(t[i] - o), the derivative by t[i]. k: 1 to PCS_COLUMN_TERMS. */
typedef struct {
    double *o, *const *share;
    const double *const *t;
    const int *step;
    int k;
    size_t n;
} pcs_column_lse_args;

/* column_sum. The sum of products is the operation dot. */
typedef struct { const double *a; size_t n; double *sum; } pcs_column_sum_args;

/* column_huber: residuals r of weight w; sum: of w rho(r), and psi = w rho'(r). Huber's rho: r^2 / 2 to delta, then
 * linear. */
typedef struct {
    const double *r, *w;
    double delta, *psi;
    size_t n;
    double *sum;
} pcs_column_huber_args;

#endif
