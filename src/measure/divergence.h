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

/* The first `tokens` of a text, and values after which states are kept; cuts must outlive the reference. */
typedef struct pcs_reference_text {
    const pcs_windows *text;
    uint64_t tokens;
    uint32_t vocabulary;
    const precis_value *cuts;
    size_t n_cuts;
} pcs_reference_text;
/* The original on a text. After a failure, too, close. */
precis_status pcs_reference_open(precis_ctx *ctx, pcs_reference *r, const precis_model *origin,
                                 const pcs_reference_text *of);
void pcs_reference_close(pcs_reference *r);
/* KV types (NULL: f32), and how many cuts the model is the original up to; 0: it differs from the start on. */
typedef struct pcs_compared { const char *k_list, *v_list; size_t after; } pcs_compared;
/* Mean divergence of m, and its standard error over the text. */
precis_status pcs_reference_divergence(pcs_reference *r, const precis_model *m, const pcs_compared *as, double *kld,
                                       double *se);

#endif
