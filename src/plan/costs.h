/* costs.h - what a weight's product with one token costs on this machine, by type and shape: measured, kept, looked
 * up. */
#ifndef PCS_COSTS_H
#define PCS_COSTS_H

#include "precis/costs.h"
#include "model/model.h"

/* read: bytes per second that all threads read from memory meanwhile; 0: unknown. prompt: the level that prompts of its
 * type are multiplied at, since others are slower (kernel/choose.h); "": unknown, or not doubted. */
typedef struct pcs_cost {
    const pcs_format *f;
    uint64_t rows, width;
    double seconds, read;
    char prompt[24];
} pcs_cost;

struct precis_costs {
    precis_ctx *ctx;
    char cpu[24];     /* level of the kernels */
    uint32_t threads;
    double overhead;  /* seconds of a token beside its weights */
    pcs_cost *rows;
    size_t n, cap;
};

precis_status pcs_costs_new(precis_ctx *ctx, precis_costs **out);
precis_status pcs_costs_add(precis_costs *c, const pcs_cost *row);
/* NULL: it is not in the table. */
const pcs_cost *pcs_costs_find(const precis_costs *c, const pcs_format *f, uint64_t rows, uint64_t width);
/* Part of a tensor that each token multiplies by: 1, that of its experts, or 0 for an embedding and for vectors. */
double pcs_costs_share(const precis_model *m, const pcs_tensor *t);
/* Seconds of a tensor stored as f, for one token; negative: the table does not say. */
double pcs_costs_of(const precis_costs *c, const precis_model *m, const pcs_tensor *t, const pcs_format *f);

#endif
