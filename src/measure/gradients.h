/* gradients.h - probes of a profile by gradients (curvature.h). */
#ifndef PCS_GRADIENTS_H
#define PCS_GRADIENTS_H

#include "quant/methods.h"
#include "plan/profile.h"

/* A tensor of the model, by its place, in another format. */
typedef struct pcs_wanted_probe { size_t tensor; const pcs_format *f; } pcs_wanted_probe;

typedef struct pcs_gradient_job {
    const precis_model *m;
    const precis_imatrix *imatrix; /* weights of the errors; NULL: all alike */
    const pcs_method *coder;       /* of rows */
    /* of the whole model, which codes what it can in the coder's place, from text that is not measured; NULL: none */
    const pcs_method *whole;
    const pcs_windows *text;
    const pcs_windows *windows;
    const pcs_wanted_probe *wanted;
    size_t n;
    pcs_spill *codes;              /* [n]: rows of each; the caller closes them, also after an error */
    precis_status (*step)(void *user); /* after each tensor that was coded, and each window */
    void *user;
} pcs_gradient_job;

/* Adds a probe for each that is wanted. PRECIS_EUNSUPPORTED: the model is none that gradients reach through. */
precis_status pcs_probe_by_gradients(precis_ctx *ctx, const pcs_gradient_job *j, precis_profile *p);

#endif
