/* scaling.h - moving scale from activations into weights: what smoothquant and awq share. */
#ifndef PCS_SCALING_H
#define PCS_SCALING_H

#include "quant/methods.h"

/* A value that several weights read, and what makes it: a norm, or the rows of another weight. */
typedef struct pcs_scale_group {
    char producer[96], bias[96]; /* tensors; bias "" when there is none */
    int64_t first;               /* row of the producer that makes number 0; -1: it is a vector */
    char weights[6][96];
    pcs_tensor_role read_by; /* the first of them */
    size_t n_weights;
    int64_t width;
} pcs_scale_group;

/* Group number i of a layer; false when there is none. `inner`: those after a linear layer too. */
bool pcs_scale_group_at(const precis_model *m, int layer, size_t i, bool inner, pcs_scale_group *g);
/* Producer / s, weights * s by column. */
precis_status pcs_scale_apply(pcs_work *w, const pcs_scale_group *g, const float *s);

#endif
