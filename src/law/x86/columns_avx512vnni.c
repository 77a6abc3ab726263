/* columns_avx512vnni.c - columns for AVX-512. */
#define PCS_COLUMNS_NAME pcs_columns_avx512
#include "law/columns_body.h"
