/* eval.h - what scores of logits are made of. */
#ifndef PCS_EVAL_H
#define PCS_EVAL_H

#include "kernel/kernel.h"
#include "model/model.h"

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

/* Logit rows of a call: half a window where they fit into 64 MiB, so that weights are
 * decoded once for the whole window; 64 at least. */
static inline uint32_t pcs_eval_outputs(const precis_model *m, uint32_t window)
{
    const pcs_tensor *embedding = pcs_model_tensor(m, "token_embd.weight");
    const uint64_t vocabulary = embedding && embedding->ne[1] ? embedding->ne[1] : 1,
                   fit = (64u << 20) / sizeof(float) / vocabulary;
    const uint64_t half = window / 2 > 64 ? window / 2 : 64, rows = fit < 64 ? 64 : fit < half ? fit : half;
    return rows < window ? (uint32_t)rows : window;
}

#endif
