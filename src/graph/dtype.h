/* dtype.h - what an element of a value is: the rows of dtypes.def. */
#ifndef PCS_DTYPE_H
#define PCS_DTYPE_H

#include <stddef.h>

typedef enum {
#define DTYPE(name, bytes, what) PCS_##name,
#include "graph/dtypes.def"
#undef DTYPE
    PCS_DTYPES
} pcs_dtype;
/* "f32", "i8", ... */
const char *pcs_dtype_name(pcs_dtype d);
/* Bytes of an element; 0: the value is an object. */
size_t pcs_dtype_bytes(pcs_dtype d);

#endif
