/* times.h - how long a job is going to take, by its pieces, from a look at this machine of less than a second. */
#ifndef PCS_JOB_TIMES_H
#define PCS_JOB_TIMES_H

#include "precis/job.h"
#include "quant/method_set.h"

/* What a job is going to do. */
typedef struct pcs_times_job {
    const precis_model *m;
    const precis_job_options *opt;
    const precis_quant_options *quant;
    const pcs_method_set *set;
    bool own; /* nobody chose the method, so that what it codes from is the job's choice, too (measure/amounts.h) */
    bool calibrates, profiles, plans, evaluates;
} pcs_times_job;

/* Seconds of each piece. All of them 0, and PRECIS_OK: it cannot be told (a limit on memory, a model that cannot be
 * run). */
precis_status pcs_times_expect(precis_ctx *ctx, const pcs_times_job *job, precis_times *out);
/* In one line; nothing where the total is 0. */
void pcs_times_say(precis_ctx *ctx, const char *what, const precis_times *t);

#endif
