/* schedule.h - the learning rate of each step. One row of schedules.def each. */
#ifndef PCS_SCHEDULE_H
#define PCS_SCHEDULE_H

#include "base/base.h"

typedef struct pcs_schedule_settings {
    uint64_t steps, warmup; /* warmup: steps in which it rises from lr / warmup to lr */
    double lr, final;       /* final: the share of lr that it ends at */
    double second;          /* two_stage: what the second half begins with, as a share of lr at that step */
} pcs_schedule_settings;

typedef struct pcs_schedule {
    const char *name;
    /* The share of lr in step t, from 0 on, after the warm-up. */
    double (*share)(const pcs_schedule_settings *s, uint64_t t);
} pcs_schedule;

extern const pcs_schedule pcs_schedules[]; /* a name of NULL ends it */
const pcs_schedule *pcs_schedule_by_name(const char *name);
double pcs_schedule_lr(const pcs_schedule *schedule, const pcs_schedule_settings *s, uint64_t t);

#endif
