/* amounts.h - how much a job looks at where nobody said so. By the sizes of the model and of its text alone, never by a
 * clock, so that a plan and a file are the same on every machine. */
#ifndef PCS_AMOUNTS_H
#define PCS_AMOUNTS_H

#include "model/model.h"
#include "precis/quant.h"

/* Tokens: that importance is taken from, where the method does not code by it; that gradients are taken of and
 * whole plans are measured on; that a method of the whole model codes a probe from; that it codes the file from, of a
 * text and where the model makes its own. The types of its probes, and how many plans are measured whole. */
typedef struct pcs_amounts {
    uint32_t seen, measured, probed, coded, sampled;
    const char *types;
    size_t n_types, plans;
} pcs_amounts;
pcs_amounts pcs_amounts_of(const precis_model *m, const precis_calibrate_options *text);

#endif
