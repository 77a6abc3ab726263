/* gptq.h - a run of GPTQ, layer by layer. */
#ifndef PCS_GPTQ_H
#define PCS_GPTQ_H

#include "quant/methods.h"

typedef struct pcs_gptq_run {
    pcs_work *w;
    precis_runner *r;
    const pcs_kernels *kernels;
    pcs_spill states;         /* of all windows at the end of the layers that are done */
    float *hidden;            /* its data */
    struct held *held;        /* weights that are F32 while their layer is in work */
    size_t n_held;
    pcs_samples samples;      /* the job's windows */
    /* the group in work */
    size_t n, pad;
    double *h;
    float *feedback, *importance;
    uint32_t *order;
    uint64_t tokens;
    double damp;
} gptq;

/* A weight: its own bytes, and the numbers that are written over while its layer is in work. */
typedef struct held {
    size_t index;
    const pcs_format *format;
    const uint8_t *data;
    uint64_t bytes;
    float *x;
    precis_value v;
} held;

/* h += x^T x of some tokens, its upper part. Room: xt [pad][tokens], xp [tokens][pad], tile [threads][pad][16]. */
precis_status pcs_gptq_gram(gptq *g, const float *x, size_t tokens, float *xt, float *xp, float *tile);
/* Then the lower part is the upper one's. */
void pcs_gptq_mirror(gptq *g);
/* Weights that will be coded stand in the net as F32; then the tensors are again what they were. */
precis_status pcs_gptq_announce(gptq *g);
void pcs_gptq_withdraw(gptq *g);
/* The weights that nodes [first, end) read, as F32 that is written over; and no longer. */
precis_status pcs_gptq_hold_layer(gptq *g, size_t first_node, size_t end_node);
void pcs_gptq_release(gptq *g);
/* What earlier runs have coded, and the states behind their last layer; and what this one has. */
precis_status pcs_gptq_resume_layers(gptq *g, uint32_t *done);
precis_status pcs_gptq_keep_layer(gptq *g, size_t first_node, size_t end_node, uint32_t layers);

#endif
