/* columns.c - columns at the level that every machine has. */
#define PCS_COLUMNS_NAME pcs_columns_any
#include "law/columns_body.h"
