/* columns, at the level that every machine has: the suffix gives the flags. */
#include "kernel/columns_loop.h"

COLUMNS(scalar)
