/* memory.h - what a job will take, counted before it starts. */
#ifndef PCS_JOB_MEMORY_H
#define PCS_JOB_MEMORY_H

#include "precis/job.h"
#include "quant/methods.h"

typedef struct pcs_memory_job {
    const precis_model *m;
    const precis_job_options *o;
    const precis_quant_options *q;
    const pcs_method_set *set;
    const precis_plan *plan; /* NULL: a budget has none yet */
    bool calibrates, copies, evaluates;
} pcs_memory_job;

/* The most of its stages, in *plan; PRECIS_ENOMEM, with the number that would do, when that is above the context's
 * limit. */
precis_status pcs_memory_plan(precis_ctx *ctx, const pcs_memory_job *j, precis_memory *plan);

#endif
