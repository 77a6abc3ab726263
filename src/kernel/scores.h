/* scores.h - the kernels of rows of logits, as functions. */
#ifndef PCS_SCORES_H
#define PCS_SCORES_H

#include "kernel/kernel.h"

/* Log of the sum of exponentials of x[n]; *best (NULL: not asked for): the first place of the largest. */
static inline double pcs_log_sum(const pcs_kernels *k, const float *x, size_t n, size_t *best)
{
    double sum;
    size_t at;
    k->log_sum(&(pcs_log_sum_args){ x, n, best ? best : &at, &sum });
    return sum;
}

/* KL(p || q) in nats of two rows of logits, whose log sums are lp and lq. */
static inline double pcs_divergence(const pcs_kernels *k, const float *p, double lp, const float *q, double lq,
                                    size_t n)
{
    double kl;
    k->divergence(&(pcs_divergence_args){ p, q, lp, lq, n, &kl });
    return kl;
}

#endif
