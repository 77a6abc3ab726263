/* int2.c - integer schemes of 2 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1040, 2)
