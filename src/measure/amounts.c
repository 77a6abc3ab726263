/* amounts.c - see amounts.h. What a weight is coded in and what a token takes grow with the weights, so the larger a
 * model is, the less its costs are looked at: a default job is to take no more than three times what importance, a
 * search and the file take (docs/planning.md has the times). */
#include "measure/amounts.h"

#include "plan/plan.h"

/* Weights times tokens. */
#define MEASURED 1.4e11
#define CODED 1.1e12
#define FEW 3e7 /* weights of a model that is looked at in full */

static uint32_t between(double tokens, uint32_t least, uint32_t most)
{
    return tokens < (double)least ? least : tokens > (double)most ? most : (uint32_t)tokens;
}

/* Types between those of the probes are told by their errors; below the last nothing tells (TQ1_0 from Q2_K: 20 to 30 %
 * too cheap), so that the smallest type which a plan takes unasked is one of them. */
pcs_amounts pcs_amounts_of(const precis_model *m, const precis_calibrate_options *text)
{
    const double weights = 1 + pcs_quantizable_weights(m);
    double bytes = 0;
    for (size_t i = 0; i < text->n_texts; i++) bytes += (double)text->lengths[i];
    if (weights < FEW)
        return (pcs_amounts){ UINT32_MAX, 4096, 4096, UINT32_MAX, 16384, "Q6_K,Q4_K,Q3_K,Q2_K,TQ1_0", 5, 12 };
    const double tokens = bytes / 4; /* about; 0: the model's own text */
    const double coded = CODED / weights < tokens / 4 ? CODED / weights : tokens / 4;
    return (pcs_amounts){ between(CODED / weights, 4096, UINT32_MAX), between(MEASURED / weights, 512, 4096),
                          between(coded / 2, 2048, 4096), between(coded, 4096, UINT32_MAX), 4096, "Q6_K,Q3_K,TQ1_0", 3,
                          6 };
}
