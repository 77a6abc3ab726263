/* profiler.h - a profile while it is measured: what sensitivity.c and whole_plans.c share. */
#ifndef PCS_PROFILER_H
#define PCS_PROFILER_H

#include "measure/amounts.h"
#include "measure/divergence.h"
#include "measure/gradients.h"
#include "measure/sensitivity.h"

enum { PCS_WHOLE_PLANS = 16 };

typedef struct pcs_profiler {
    precis_ctx *ctx;
    const precis_model *origin;
    precis_model *m;               /* the copy in which tensors are swapped */
    const precis_profile_options *opt;
    pcs_amounts amounts;
    precis_profile *p;
    const pcs_format *types[PCS_PROBES];
    size_t n_types;
    const pcs_method *coder;       /* search, as quant has it; rtn where there is no time for it */
    const pcs_method *method;      /* by gradients: of the whole model, which codes in its place; NULL: none */
    pcs_wanted_probe *wanted;      /* by gradients: what was coded, */
    pcs_spill *codes;              /* and its rows */
    size_t n_wanted;
    /* the text; by a method: what it codes the probes from, which is not measured, else they would look too good */
    pcs_windows windows, rest;
    /* the text that single weights are measured on; and whole plans, MORE times as much, for the text's own share of
     * the error is theirs */
    pcs_reference few, many;
    size_t plans;                  /* whole ones that are measured */
    char note[200];                /* what it will take */
    float *tops; /* [tensors]: largest magnitudes of those that may be probed */
    size_t n_cuts;
    precis_value *cuts;            /* ends of layers, in order */
    uint32_t vocabulary;
    double begun, coding, numbers; /* coding: predicted seconds of one weight; numbers: weights to code */
    /* each: predicted seconds of a token; runs: on the text of single weights; run, whole: seconds of one there, from
     * the first layer on, and of one of a whole plan */
    double each, runs, run, whole;
    double done, total;        /* predicted seconds */
} pcs_profiler;

/* Whether tensors are swapped one after another; else gradients cost them all. */
bool pcs_by_swaps(const pcs_profiler *r);
/* So many predicted seconds more are done. */
precis_status pcs_profiler_advance(pcs_profiler *r, double seconds);
/* The type that stands for a probe in a tensor; NULL: it takes none, or would not shrink. */
const pcs_format *pcs_probe_type(const pcs_profiler *r, const pcs_tensor *t, const pcs_format *f);
/* Tensor i of the copy in another format, and as it was. *bytes is the caller's, who gives it to put_back. */
precis_status pcs_probe_swap(pcs_profiler *r, size_t i, const pcs_format *f, uint8_t **bytes, double *error);
void pcs_probe_put_back(pcs_profiler *r, size_t i, uint8_t *bytes);
/* r->plans whole plans, those of small and of large budgets in turn, into r->p. */
precis_status pcs_whole_plans(pcs_profiler *r);

#endif
