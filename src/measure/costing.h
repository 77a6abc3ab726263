/* costing.h - matrices of a pattern of bytes through the kernels, one token at a time, and how long that takes. */
#ifndef PCS_COSTING_H
#define PCS_COSTING_H

#include "kernel/kernel.h"

#define PCS_RING ((uint64_t)192 << 20) /* bytes: beyond what a core's share of a cache holds */

typedef struct pcs_costing {
    precis_ctx *ctx;
    pcs_kernels kernels;
    uint8_t *ring;
    uint64_t room;
    /* the matrix in work */
    const pcs_format *f;
    size_t rows, width;
    uint64_t stride, copies;
    pcs_mp_fn *run;   /* of codes, */
    pcs_mvf_fn *runf; /* or of floats */
    bool packed;
    pcs_act act;
    float *x, *y;
    char *scratch;
    size_t scratch_size;
} pcs_costing;

precis_status pcs_costing_open(precis_ctx *ctx, pcs_costing *c, uint64_t room);
void pcs_costing_close(pcs_costing *c);
enum { PCS_PASSES = 5 };
/* A matrix of a format, `bytes` of whose copies are read in turn (or as many as there is room for); `passes` times, at
 * most PCS_PASSES. */
typedef struct pcs_matrix { const pcs_format *f; uint64_t rows, width, bytes; int passes; } pcs_matrix;
/* Seconds of one matrix, by mv on panels or, where there is none, by mp on rows: the median of the passes. */
precis_status pcs_costing_measure(pcs_costing *c, const pcs_matrix *m, double *seconds);

#endif
