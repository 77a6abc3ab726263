/* int6.c - integer schemes of 6 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1120, 6)
