/* encode, fit, error, avx2: the suffix gives the flags. */
#include "kernel/encode.h"

ENCODE(avx2)
