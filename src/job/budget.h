/* budget.h - the budgets of the main job: a type, a size, a part of the input, bits per weight or a KL divergence. */
#ifndef PCS_JOB_BUDGET_H
#define PCS_JOB_BUDGET_H

#include "precis/job.h"

/* PRECIS_EINVAL unless there is just one, and it is a number that makes sense. */
precis_status pcs_job_one_budget(precis_ctx *ctx, const precis_job_options *o);
/* *bytes: what the file may take under a size, a part or bits per weight. */
precis_status pcs_job_budget_bytes(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                   const precis_quant_options *q, uint64_t *bytes);
/* A budget that no plan meets, or that the model meets as it is, is refused before anything is measured. */
precis_status pcs_job_budget_check(precis_ctx *ctx, const precis_model *m, const precis_job_options *o,
                                   const precis_quant_options *q);
/* job->plan and ->solution under it. origin: whose file a part is of; m may be a copy of it. */
precis_status pcs_job_budget_plan(precis_ctx *ctx, const precis_model *origin, const precis_model *m,
                                  const precis_job_options *o, const precis_quant_options *q, precis_job *job);

#endif
