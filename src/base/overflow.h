/* overflow.h - sums and products of signed integers that say when they do not fit. */
#ifndef PCS_OVERFLOW_H
#define PCS_OVERFLOW_H

#include <stdbool.h>
#include <stdint.h>

/* *r is the result, modulo 2^64 where false is returned. */
static inline bool pcs_i64_add(int64_t a, int64_t b, int64_t *r) { return !__builtin_add_overflow(a, b, r); }
static inline bool pcs_i64_sub(int64_t a, int64_t b, int64_t *r) { return !__builtin_sub_overflow(a, b, r); }
static inline bool pcs_i64_mul(int64_t a, int64_t b, int64_t *r) { return !__builtin_mul_overflow(a, b, r); }

#endif
