/* gain.h - what a method of the whole model gains over search. */
#ifndef PCS_GAIN_H
#define PCS_GAIN_H

#include "plan/plan.h"
#include "plan/profile.h"

/* Does a prediction from tensors alone leave the method out? Those that look beyond one row. *name: as profiles have
 * it. */
precis_status pcs_gain_needed(precis_ctx *ctx, const char *method, bool *needed, char name[96]);
/* Part of a plan's loss that is of tensors which the method can be applied to. */
double pcs_gain_share(precis_ctx *ctx, const precis_plan *plan, const char *method);
/* Plans of three sizes, made by search and by the method from one part of the text and compared on the other: added to
 * p, and p kept in opt->cache after each. Those that p has already are not made again. */
precis_status pcs_gain_measure(precis_ctx *ctx, const precis_model *origin, const precis_profile_options *opt,
                               precis_profile *p, uint32_t vocabulary);

#endif
