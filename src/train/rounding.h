/* rounding.h - learned roundings of a weight: AdaRound (2004.10568) and AutoRound's sign descent (2309.05516). */
#ifndef PCS_ROUNDING_H
#define PCS_ROUNDING_H

#include "base/base.h"

/* A weight w[rows][k] and inputs x[samples][k] that its rounding shall keep the products of. */
typedef struct pcs_rounding {
    const float *w, *x;
    size_t rows, k, samples;
} pcs_rounding;

/* ---- AdaRound ---- */
typedef struct pcs_adaround {
    float scale;
    int low, high; /* codes */
    double beta, lambda;
} pcs_adaround;
/* V for which h is the fraction of w / scale. */
void pcs_adaround_begin(const pcs_rounding *r, const pcs_adaround *a, float *v);
/* clip(1.2 sigmoid(V) - 0.1, 0, 1). */
float pcs_adaround_h(float v);
/* error: the mean over samples of the squared error summed over rows; regularizer: lambda * sum(1 - |2h - 1|^beta). */
typedef struct pcs_adaround_losses { double error, regularizer; } pcs_adaround_losses;
/* Both, and the gradient of their sum by V (NULL: not wanted). PRECIS_ENOMEM. */
precis_status pcs_adaround_loss(precis_ctx *ctx, const pcs_rounding *r, const pcs_adaround *a, const float *v,
                                pcs_adaround_losses *out, float *dv);

/* ---- sign descent ---- */
/* q = clip(nearest(w / s + V), -2^(bits - 1), 2^(bits - 1) - 1), s = factor * -w_of_largest_magnitude / 2^(bits - 1) by
 * row; V and the factors (kept within [0, 1]) go down by the signs of their gradients at a rate of 1 / iterations that
 * falls to 0. Of the iterations the one of the least loss, the mean of squared errors of the products, is kept. */
typedef struct pcs_sign_rounded {
    float *v, *factor, *wq; /* V[rows][k], factor[rows], the numbers wq[rows][k]; each may be NULL */
    float *losses;          /* [iterations] or NULL */
} pcs_sign_rounded;
/* PRECIS_ENOMEM. */
precis_status pcs_sign_round(precis_ctx *ctx, const pcs_rounding *r, int bits, int iterations,
                             const pcs_sign_rounded *out);

#endif
