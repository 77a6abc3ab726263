/* int8.h - products of int8 codes for training: SwitchBack (2304.13013) and Jetfire (2403.12422). */
#ifndef PCS_TRAIN_INT8_H
#define PCS_TRAIN_INT8_H

#include "base/base.h"

/* A matrix x[n][k] in blocks of rows x columns. */
typedef struct pcs_blocks { const float *x; size_t n, k, rows, columns; } pcs_blocks;
/* Symmetric codes: scale = magnitude / 127 (0: the block is zeros), nearest, ties to even. */
void pcs_int8_blocks(const pcs_blocks *of, int8_t *codes, float *scales);
/* y[m][n] = x[m][k] w[n][k]^T. */
typedef struct pcs_product { const float *x, *w; float *y; size_t m, n, k; } pcs_product;
/* x by rows, w by the tensor; sums of codes are whole numbers. PRECIS_ENOMEM. */
precis_status pcs_switchback(precis_ctx *ctx, const pcs_product *p);
/* The same with both in blocks of 32 x 32; each 32 of k are summed as whole numbers, and these in ascending k.
 * PRECIS_ENOMEM. */
precis_status pcs_jetfire(precis_ctx *ctx, const pcs_product *p);

#endif
