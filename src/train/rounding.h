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
/* The mean over samples of the squared error summed over rows; lambda * sum(1 - |2h - 1|^beta); and the gradient of
 * their sum by V (NULL: not wanted). PRECIS_ENOMEM. */
precis_status pcs_adaround_loss(precis_ctx *ctx, const pcs_rounding *r, const pcs_adaround *a, const float *v,
                                double *error, double *regularizer, float *dv);

/* ---- sign descent ---- */
/* q = clip(nearest(w / s + V), -2^(bits - 1), 2^(bits - 1) - 1), s = factor * -w_of_largest_magnitude / 2^(bits - 1) by
 * row; V and the factors (kept within [0, 1]) go down by the signs of their gradients at a rate of 1 / iterations that
 * falls to 0. Of the iterations the one of the least loss, the mean of squared errors of the products, is kept: V,
 * factor[rows] and numbers wq (each may be NULL); losses: [iterations] or NULL. PRECIS_ENOMEM. */
precis_status pcs_sign_round(precis_ctx *ctx, const pcs_rounding *r, int bits, int iterations, float *v, float *factor,
                             float *wq, float *losses);

#endif
