/* npz.h - arrays from memory, and their types. */
#ifndef PCS_NPZ_H
#define PCS_NPZ_H

#include "base/base.h"
#include "graph/graph.h"
#include "precis/samples.h"

/* The bytes of a .npy file; name: for messages. As precis_array_read. */
precis_status pcs_array_parse(precis_ctx *ctx, precis_array *out, const char *name, const uint8_t *bytes, uint64_t n);

/* The type of an array; false: its name is none. */
bool pcs_array_dtype(const precis_array *a, pcs_dtype *out);

#endif
