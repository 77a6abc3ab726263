/* encode, fit, error, scalar. */
#include "kernel/encode.h"

ENCODE(scalar)
