/* builtins.h - names of what GNU C has built in. Square roots, roundings and signs are exact by IEEE 754, so their bits
 * are the same with every compiler; fmath.h and fmath_more.h have what is not. */
#ifndef PCS_BUILTINS_H
#define PCS_BUILTINS_H

#include <stdint.h>

static inline double pcs_sqrt(double x) { return __builtin_sqrt(x); }
static inline double pcs_floor(double x) { return __builtin_floor(x); }
static inline double pcs_ceil(double x) { return __builtin_ceil(x); }
static inline double pcs_abs(double x) { return __builtin_fabs(x); }
static inline float pcs_floorf(float x) { return __builtin_floorf(x); }
static inline float pcs_absf(float x) { return __builtin_fabsf(x); }
/* x * y + z, rounded once. */
static inline float pcs_fmaf(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
static inline double pcs_nan(void) { return __builtin_nan(""); }
static inline float pcs_nanf(void) { return __builtin_nanf(""); }
static inline float pcs_infinityf(void) { return __builtin_inff(); }

static inline int pcs_count_bits(uint32_t x) { return __builtin_popcount(x); }
/* Number of the lowest bit that is set; x is not 0. */
static inline int pcs_lowest_bit(uint32_t x) { return __builtin_ctz(x); }

/* Asks for a line of memory that will be read soon: into the L1 cache, or only into the L2 cache. */
static inline void pcs_ahead_in_l1(const void *p) { __builtin_prefetch(p); }
static inline void pcs_ahead_in_l2(const void *p) { __builtin_prefetch(p, 0, 2); }

#endif
