/* eval.h - what scores of logits are made of, in a fixed order. */
#ifndef PCS_EVAL_H
#define PCS_EVAL_H

#include <stddef.h>

/* Log of the sum of exponentials of x[n]; *best (NULL: not asked for): the first place of the largest. */
double pcs_log_sum(const float *x, size_t n, size_t *best);
/* KL(p || q) in nats of two rows of logits, whose log sums are lp and lq. */
double pcs_divergence(const float *p, double lp, const float *q, double lq, size_t n);

#endif
