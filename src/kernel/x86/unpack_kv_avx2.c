/* unpack_kv, avx2. */
#include "kernel/unpack_kv.h"

void pcs_unpack_kv_avx2(const void *args) { pcs_unpack_kv_all(args); }
