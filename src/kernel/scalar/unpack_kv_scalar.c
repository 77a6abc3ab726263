/* unpack_kv, reference. */
#include "kernel/unpack_kv.h"

void pcs_unpack_kv_scalar(const void *args) { pcs_unpack_kv_all(args); }
