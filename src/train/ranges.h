/* ranges.h - where learned ranges of fake quantization begin. */
#ifndef PCS_RANGES_H
#define PCS_RANGES_H

#include "base/base.h"

/* LSQ (1902.08153, section 2.1): twice the mean magnitude over the root of the largest code. */
float pcs_lsq_step(const float *v, size_t n, int high);
/* ParetoQ, of a row: 0 (ternary) and 2 bits: the largest magnitude; 1: the mean one; more: the largest over the largest
 * code. */
float pcs_pareto_alpha(const float *w, size_t n, int bits);

#endif
