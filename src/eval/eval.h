/* eval.h - what scores of logits are made of. */
#ifndef PCS_EVAL_H
#define PCS_EVAL_H

#include "kernel/scores.h"
#include "model/model.h"

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
