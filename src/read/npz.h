/* npz.h - arrays from memory, and several from a zip archive. */
#ifndef PCS_NPZ_H
#define PCS_NPZ_H

#include "base/base.h"
#include "precis/samples.h"

/* The bytes of a .npy file; name: for messages. As precis_array_read. */
precis_status pcs_array_parse(precis_ctx *ctx, precis_array *out, const char *name, const uint8_t *bytes, uint64_t n);

#endif
