/* precis/array.h - numbers that are in no file: rows to a format's bytes and back, and the shape of a model's tensors
 * as arrays have it.
 *
 * Bytes are those that a GGUF file has for such a tensor: rows after one another, each of whole blocks. Threads: as
 * the context; rows are shared out over its threads, and the bytes do not depend on how many there are. */
#ifndef PRECIS_ARRAY_H
#define PRECIS_ARRAY_H

#include "precis/read.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of rows * width numbers. PRECIS_EINVAL: no such type, rows that are not whole blocks of it, or more bytes than
 * there can be. */
PRECIS_API precis_status precis_array_bytes(precis_ctx *ctx, const char *type, uint64_t rows, uint64_t width,
                                            uint64_t *bytes);

typedef struct precis_array_options {
    uint32_t     size;       /* sizeof of this struct, set by _INIT                                 */
    const char  *method;     /* a method that looks at one row: "search", "rtn", "hqq"; NULL: search */
    const float *importance; /* [width], not negative: weights of the errors for "search"; NULL: equal */
} precis_array_options;
#define PRECIS_ARRAY_OPTIONS_INIT { sizeof(precis_array_options), NULL, NULL }

/* x[rows][width] to out[precis_array_bytes()]; *error (may be NULL): squared error over squares, weighted by
 * importance. PRECIS_EINVAL as precis_array_bytes, for a type that cannot be written, another method, or importance
 * that is negative or not finite; PRECIS_EFORMAT naming the element: it is NaN, infinite, or more than the type holds;
 * PRECIS_ENOMEM. */
PRECIS_API precis_status precis_array_quantize(precis_ctx *ctx, const char *type, const float *x, uint64_t rows,
                                               uint64_t width, const precis_array_options *opts, void *out,
                                               double *error);
/* The way back. bytes is how many src has: PRECIS_EINVAL when it is not what precis_array_bytes says. */
PRECIS_API precis_status precis_array_dequantize(precis_ctx *ctx, const char *type, const void *src, uint64_t bytes,
                                                 uint64_t rows, uint64_t width, float *out);

enum { PRECIS_ARRAY_DIMS = 8 };
/* The shape of what precis_model_read_f32 gives of tensor i, outermost dimension first in any container; returns how
 * many dimensions, 0 when there is no such tensor. */
PRECIS_API uint32_t precis_array_shape(const precis_model *model, size_t i, int64_t shape[PRECIS_ARRAY_DIMS]);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_ARRAY_H */
