/* int5.c - integer schemes of 5 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1100, 5)
