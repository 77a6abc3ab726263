/* amounts.c - see amounts.h. What a weight is coded in and what a token takes grow with the weights, so the larger a
 * model is, the less its costs are looked at: a default job is to take no more than three times what importance, a
 * search and the file take (docs/planning.md has the times). */
#include "measure/amounts.h"

#include "plan/plan.h"

/* Weights times tokens. */
#define SEEN 5.5e11
#define MEASURED 2.8e11
#define CODED 1.1e12
#define FEW 3e7 /* weights of a model that is looked at in full */

static uint32_t between(double tokens, uint32_t least, uint32_t most)
{
    return tokens < (double)least ? least : tokens > (double)most ? most : (uint32_t)tokens;
}

static double least_of(double a, double b) { return a < b ? a : b; }

/* Types between those of the probes are told by their errors; below the last nothing tells (TQ1_0 from Q2_K: 20 to 30 %
 * too cheap), so that the smallest type which a plan takes unasked is one of them. Probes are coded from as many tokens
 * as the file, else they lose more. */
pcs_amounts pcs_amounts_of(const precis_model *m, const precis_calibrate_options *text)
{
    const double weights = 1 + pcs_quantizable_weights(m);
    double bytes = 0;
    for (size_t i = 0; i < text->n_texts; i++) bytes += (double)text->lengths[i];
    if (weights < FEW)
        return (pcs_amounts){ UINT32_MAX, 6144, 8192, UINT32_MAX, 16384, "Q6_K,Q4_K,Q3_K,Q2_K,TQ1_0", 5, 12 };
    const double tokens = bytes / 4; /* about; 0: the model's own text */
    const double measured = tokens > 0 ? least_of(MEASURED / weights, tokens / 14) : MEASURED / weights / 2;
    const uint32_t coded = between(least_of(CODED / weights, 0.3 * tokens), 4096, UINT32_MAX);
    return (pcs_amounts){ between(SEEN / weights, 2048, UINT32_MAX), between(measured, 512, 4096), coded, coded, 4096,
                          "Q6_K,Q5_K,Q3_K,TQ1_0", 4, 6 };
}
