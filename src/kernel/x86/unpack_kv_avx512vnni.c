/* unpack_kv, avx512vnni. */
#include "kernel/unpack_kv.h"

void pcs_unpack_kv_avx512vnni(const void *args) { pcs_unpack_kv_all(args); }
