/* gptq_sparse.c - pruning and rounding in one sweep (SparseGPT, Frantar and Alistarh 2023, 2301.00774, section 3.5):
 * when the sweep comes to four weights of a row, two of them become 0, and what they and the roundings lose is made up
 * for by the columns behind. */
#include "quant/gptq.h"
#include "quant/prune.h"

#include <stdlib.h>

pcs_sparsity pcs_gptq_sparsity(const gptq *g, const pcs_tensor *t)
{
    const pcs_method_set *set = &g->w->set;
    for (size_t i = 0; i < set->n; i++)
        if ((set->all[i]->does & PCS_PRUNES) && pcs_prune_takes(g->w, t))
            return set->all[i]->in_sweep ? PCS_SWEPT : PCS_HELD;
    return PCS_DENSE;
}

typedef struct { double key; uint32_t column; } keyed;
static int by_key(const void *a_, const void *b_)
{
    const keyed *a = a_, *b = b_;
    return a->key != b->key ? (a->key < b->key ? 1 : -1) : a->column < b->column ? -1 : 1;
}

precis_status pcs_gptq_columns(gptq *g, const double *diag)
{
    const size_t n = g->n, per = g->swept && n % 4 == 0 ? 4 : 1;
    keyed *keys = pcs_alloc(g->w->ctx, n + 4, sizeof *keys), four[4];
    if (!keys) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i += per) {
        keys[i / per] = (keyed){ 0, (uint32_t)i };
        for (size_t k = 0; k < per; k++) keys[i / per].key += diag[i + k];
    }
    qsort(keys, n / per, sizeof *keys, by_key);
    for (size_t i = 0; i < n; i += per) {
        for (size_t k = 0; k < per; k++)
            four[k] = (keyed){ diag[keys[i / per].column + k], keys[i / per].column + (uint32_t)k };
        qsort(four, per, sizeof *four, by_key);
        for (size_t k = 0; k < per; k++) g->order[i + k] = four[k].column;
    }
    pcs_free(g->w->ctx, keys);
    return PRECIS_OK;
}

/* The two least of four; of equal ones the first. */
static unsigned least_two(const double score[4])
{
    unsigned out = 0;
    for (int o = 0; o < 2; o++) {
        int best = -1;
        for (int i = 0; i < 4; i++)
            if (!(out >> i & 1) && (best < 0 || score[i] < score[best])) best = i;
        out |= 1u << best;
    }
    return out;
}

void pcs_gptq_thin(const gptq *g, pcs_sparsity sparsity, const float *w, float *x, float *importance)
{
    for (size_t i = 0; i < g->n; i += 4) {
        double score[4] = { 0 };
        for (size_t k = 0; k < 4; k++) score[k] = (double)w[i + k] * w[i + k] * g->pivot[i + k];
        const unsigned out = sparsity == PCS_SWEPT ? least_two(score) : 0;
        for (size_t k = 0; k < 4; k++) {
            const bool zero = w[i + k] == 0 || (out >> k & 1);
            x[i + k] = zero ? 0 : w[i + k];
            importance[i + k] = zero ? 0 : g->importance[i + k];
        }
    }
}

unsigned pcs_gptq_leave_out(const gptq *g, const pcs_format *f, const pcs_quad *q)
{
    double score[4];
    for (int k = 0; k < 4; k++) {
        const uint32_t own = q->column[k];
        const float d = q->d[own / 16], m = q->m[own / 16], x = q->x[k];
        const int8_t code = pcs_code_of(f, d != 0 ? (x + m) / d : 0.0f);
        const double rest = (double)x - (double)(d * (float)code - m);
        score[k] = ((double)x * x - rest * rest) * g->pivot[own];
    }
    return least_two(score);
}
