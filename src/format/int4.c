/* int4.c - integer schemes of 4 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1080, 4)
