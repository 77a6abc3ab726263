/* dtype.c - the table of elements. */
#include "graph/dtype.h"

static const struct { const char *name; size_t bytes; } dtypes[] = {
#define DTYPE(name, bytes, what) { #name, bytes },
#include "graph/dtypes.def"
#undef DTYPE
};

const char *pcs_dtype_name(pcs_dtype d) { return dtypes[d].name; }
size_t pcs_dtype_bytes(pcs_dtype d) { return dtypes[d].bytes; }
