/* int3.c - integer schemes of 3 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1060, 3)
