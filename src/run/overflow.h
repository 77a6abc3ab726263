/* overflow.h - what the kernels' integer accumulators may hold. */
#ifndef PCS_RUN_OVERFLOW_H
#define PCS_RUN_OVERFLOW_H

#include "model/model.h"

typedef struct pcs_accumulator {
    const char *kernel, *isa;
    uint32_t bits, products;
    int32_t offset;
    bool raw;
} pcs_accumulator;
const pcs_accumulator *pcs_accumulators(size_t *n);
/* The largest magnitude that a lane can reach over codes q[n]. */
int64_t pcs_accumulator_bound(const pcs_accumulator *a, const int8_t *q, size_t n);

#endif
