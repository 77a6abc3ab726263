/* int8.h - products of int8 codes for training: SwitchBack (2304.13013) and Jetfire (2403.12422). */
#ifndef PCS_INT8_H
#define PCS_INT8_H

#include "base/base.h"

/* Symmetric codes of blocks of rows x columns of x[n][k]: scale = magnitude / 127 (0: the block is zeros), nearest,
 * ties to even. */
void pcs_int8_blocks(const float *x, size_t n, size_t k, size_t rows, size_t columns, int8_t *codes, float *scales);
/* y[m][n] = x[m][k] w[n][k]^T: x by rows, w by the tensor; sums of codes are whole numbers. PRECIS_ENOMEM. */
precis_status pcs_switchback(precis_ctx *ctx, const float *x, const float *w, float *y, size_t m, size_t n, size_t k);
/* The same with both in blocks of 32 x 32; each 32 of k are summed as whole numbers, and these in ascending k.
 * PRECIS_ENOMEM. */
precis_status pcs_jetfire(precis_ctx *ctx, const float *x, const float *w, float *y, size_t m, size_t n, size_t k);

#endif
