/* rank.h - ranks of values, and how well two lists of numbers go together (Spearman 1904: the second of the first). */
#ifndef PCS_RANK_H
#define PCS_RANK_H

#include "base/base.h"

/* out[n]: ranks from 0 on, ties at their mean. PRECIS_ENOMEM. */
precis_status pcs_ranks(precis_ctx *ctx, const double *v, size_t n, double *out);
/* Pearson's; 0 where one of both is constant. */
double pcs_correlation(const double *x, const double *y, size_t n);

#endif
