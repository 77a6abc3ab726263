/* columns.h - arithmetic on columns of doubles, for the tape. The same bits at every level:
 * lanes of eight, sums in lanes, no fused operation. */
#ifndef PCS_COLUMNS_H
#define PCS_COLUMNS_H

#include <stddef.h>

enum { PCS_LANES = 8, PCS_TERMS = 8 };

/* n is a multiple of PCS_LANES; columns do not overlap. A scalar operand is a pointer to
 * one number with step 0; a column has step 1. */
typedef struct pcs_columns {
    void (*add)(double *o, const double *a, int a_step, const double *b, int b_step, size_t n);
    void (*sub)(double *o, const double *a, int a_step, const double *b, int b_step, size_t n);
    void (*mul)(double *o, const double *a, int a_step, const double *b, int b_step, size_t n);
    void (*div)(double *o, const double *a, int a_step, const double *b, int b_step, size_t n);
    void (*exp)(double *o, const double *a, size_t n); /* relative error 2e-16; 0 below -708, inf above 709 */
    void (*log)(double *o, const double *a, size_t n); /* of positive numbers; NAN of others */
    /* o = log(sum exp(t[i])); share[i] = exp(t[i] - o), the derivative by t[i]. k from 1 to PCS_TERMS. */
    void (*lse)(double *o, double *const *share, const double *const *t, const int *step, int k, size_t n);
    void (*gather)(double *o, const double *a, const double *b, int b_step, size_t n); /* o += a b */
    double (*sum)(const double *a, size_t n);
    double (*dot)(const double *a, const double *b, size_t n);
    /* Residuals r of weight w: sum of w rho(r), psi = w rho'(r). Huber's rho: r^2 / 2 to delta, then linear. */
    double (*huber)(const double *r, const double *w, double delta, double *psi, size_t n);
} pcs_columns;

extern const pcs_columns pcs_columns_any;
#if defined(__x86_64__)
extern const pcs_columns pcs_columns_avx2, pcs_columns_avx512;
#endif

#endif
