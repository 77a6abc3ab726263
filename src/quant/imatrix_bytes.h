/* imatrix_bytes.h - an importance matrix as bytes that give every bit back: sums and counts, as they are in memory. */
#ifndef PCS_IMATRIX_BYTES_H
#define PCS_IMATRIX_BYTES_H

#include "quant/quant.h"

precis_status pcs_imatrix_put(pcs_buf *b, const precis_imatrix *im);
/* *out NULL and PRECIS_OK: the bytes are none of pcs_imatrix_put's. */
precis_status pcs_imatrix_take(precis_ctx *ctx, const uint8_t *data, uint64_t len, precis_imatrix **out);

#endif
