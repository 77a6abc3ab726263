/* ranges.c - first steps and clips. */
#include "train/ranges.h"

#include "base/builtins.h"
#include "base/fmath.h"
#include "graph/op/round.h"

float pcs_lsq_step(const float *v, size_t n, int high)
{
    return (float)(2 * pcs_mean_magnitude(v, n) / pcs_sqrt((double)high));
}

float pcs_pareto_alpha(const float *w, size_t n, int bits)
{
    if (bits == 1) return (float)pcs_mean_magnitude(w, n);
    return bits < 3 ? pcs_largest(w, n) : pcs_largest(w, n) / (float)((1 << (bits - 1)) - 1);
}
