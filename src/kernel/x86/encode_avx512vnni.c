/* encode, fit, error, avx512vnni: the suffix gives the flags. */
#include "kernel/encode.h"

ENCODE(avx512vnni)
