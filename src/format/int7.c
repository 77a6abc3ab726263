/* int7.c - integer schemes of 7 bits; see scheme.h. */
#include "format/scheme.h"

PCS_SCHEMES(1140, 7)
