/* hadamard.h - products with normalized Hadamard matrices of orders 2^n, and 2^n times 12, 20, 28 or 36.
 *
 * Orders 12, 20, 28: Paley's first construction over primes 11 and 19; 28 by 27 is no prime, so Paley's second over
 * 13; 36 by the second over 17 (Paley 1933). Rows are not sorted; H is orthogonal, so any such matrix serves. */
#ifndef PCS_HADAMARD_H
#define PCS_HADAMARD_H

#include "base/base.h"

/* The odd factor's matrix order that n is made of (1, 12, 20, 28, 36), or 0 when there is none. */
size_t pcs_hadamard_order(size_t n);
/* x := H x / sqrt(n), in place; pcs_hadamard_order(n) is not 0. Fixed order of sums. */
void pcs_hadamard(float *x, size_t n);
/* x := H^T x / sqrt(n). */
void pcs_hadamard_transposed(float *x, size_t n);

#endif
