/* divergence.h - a model's logits on a text, and how far another's are from them. */
#ifndef PCS_DIVERGENCE_H
#define PCS_DIVERGENCE_H

#include "quant/methods.h"
#include "run/runner.h"

typedef struct pcs_reference {
    precis_ctx *ctx; /* NULL: not open */
    pcs_kernels kernels;
    pcs_windows windows;
    pcs_samples samples; /* these windows */
    uint32_t stride; /* every so many positions of a window's second half are scored, as `eval` does */
    size_t scored;
    const precis_value *cuts; /* ends of layers, in order */
    size_t n_cuts;
    float *states;            /* [cut][token][width] of the original */
    float *logits;            /* [scored][vocabulary] of the original */
    double *log_sums;
    uint32_t width, vocabulary;
} pcs_reference;

/* The original on the first `tokens` of a text. cuts must outlive it. After a failure, too, close. */
precis_status pcs_reference_open(precis_ctx *ctx, pcs_reference *r, const precis_model *origin,
                                 const pcs_windows *text, uint64_t tokens, uint32_t vocabulary,
                                 const precis_value *cuts, size_t n_cuts);
void pcs_reference_close(pcs_reference *r);
/* Mean divergence of m, which is the original up to cut number `cut` (-1: from the start on), and its standard error
 * over the text. k_list, v_list: KV types; NULL: f32. */
precis_status pcs_reference_divergence(pcs_reference *r, const precis_model *m, const char *k_list, const char *v_list,
                                       long cut, double *kld, double *se);

#endif
