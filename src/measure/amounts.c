/* amounts.c - see amounts.h. What a weight is coded in and what a token takes grow with the weights, so the larger a
 * model is, the less its costs are looked at: a default job is to take no more than three times what importance, a
 * search and the file take (docs/planning.md has the times). */
#include "measure/amounts.h"

#include "quant/methods.h"

/* Weights times tokens. */
#define MEASURED 1.4e11
#define PROBED 2.8e11
#define CODED 1.1e12
#define FEW 3e7 /* weights of a model that is looked at in full */

static uint32_t between(double tokens, uint32_t least, uint32_t most)
{
    return tokens < (double)least ? least : tokens > (double)most ? most : (uint32_t)tokens;
}

pcs_amounts pcs_amounts_of(const precis_model *m)
{
    double weights = 1;
    for (size_t i = 0; i < m->n_tensors; i++) weights += pcs_quantizable(&m->tensors[i]) ? (double)m->tensors[i].n : 0;
    pcs_amounts a = { .measured = between(MEASURED / weights, 512, 4096),
                      .probed = between(PROBED / weights, 2048, 4096),
                      .coded = between(CODED / weights, 8192, 1u << 30) };
    /* Types between these are told by their errors; below the last nothing tells (TQ1_0 from Q2_K: 20 to 30 % too
     * cheap), so that the smallest type which a plan takes unasked is one of them. */
    if (weights < FEW) a.types = "Q6_K,Q4_K,Q3_K,Q2_K,TQ1_0", a.n_types = 5, a.plans = 12;
    else a.types = "Q6_K,Q3_K,TQ1_0", a.n_types = 3, a.plans = 8;
    return a;
}
