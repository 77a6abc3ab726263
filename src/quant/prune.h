/* prune.h - which weights to leave out: Wanda (2306.11695) and SparseGPT (2301.00774). Masks: 1 = pruned. */
#ifndef PCS_PRUNE_H
#define PCS_PRUNE_H

#include "quant/methods.h"

/* A weight w[rows][k] and inputs x[samples][k]. */
typedef struct pcs_pruned {
    const float *w, *x;
    size_t rows, k, samples;
} pcs_pruned;

/* Of each group of `of` weights along a row (0: of the whole row) the `out` of the least |w| ||x||; of equal ones the
 * first. PRECIS_ENOMEM. */
precis_status pcs_prune_wanda(precis_ctx *ctx, const pcs_pruned *p, size_t out, size_t of, uint8_t *mask);
/* The same with the others made up for what is lost, column by column: H = X^T X, 0.01 of its mean diagonal added;
 * masks are chosen when the sweep comes to a group. kept: [rows][k], what the weights become. PRECIS_ENOMEM;
 * PRECIS_EFORMAT when H has no factor. */
precis_status pcs_prune_sparsegpt(precis_ctx *ctx, const pcs_pruned *p, size_t out, size_t of, uint8_t *mask,
                                  float *kept);

/* ---- as transforms of a model: 2 of each 4 weights along the rows of layers' matrices that will be quantized ---- */
/* Marks what is left out, and sets what the others become. */
typedef precis_status pcs_prune_fn(precis_ctx *ctx, const pcs_pruned *p, uint8_t *mask, float *kept);
/* method->in_sweep: tensors that the job's coder prunes itself are left to it. */
precis_status pcs_prune_model(pcs_work *w, const pcs_method *method, pcs_prune_fn *by, bool by_inputs);
const char *pcs_prune_refuses(const pcs_format *f);
/* Is it a matrix that is pruned: of a layer, to be quantized, of rows of fours? */
bool pcs_prune_takes(const pcs_work *w, const pcs_tensor *t);

#endif
