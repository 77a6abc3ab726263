/* columns_avx2.c - columns for AVX2. */
#define PCS_COLUMNS_NAME pcs_columns_avx2
#include "law/columns_body.h"
