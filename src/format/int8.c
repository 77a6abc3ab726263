/* int8.c - integer schemes of 8 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1160, 8)
