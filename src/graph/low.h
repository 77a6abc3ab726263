/* low.h - arithmetics of few bits for the three products of training: y = x w^T, dx = dy w, dw = dy^T x (op
 * matmul_low).
 *
 * Of each product it is said whether it is real (the codes themselves are multiplied, by the kernels that serve them)
 * or simulated (what the codes mean, as f32). */
#ifndef PCS_LOW_H
#define PCS_LOW_H

#include "base/base.h"

typedef enum { PCS_LOW_FORWARD, PCS_LOW_BY_INPUT, PCS_LOW_BY_WEIGHTS, PCS_LOW_PRODUCTS } pcs_low_product;

/* How operands become codes: a[m][ld] or b[c][ld] along the sum, in place; rows after the last number are zeros. */
typedef struct pcs_low_operand {
    float *x;
    size_t rows, depth, ld; /* ld: depth rounded up to 32 */
    uint64_t seed;          /* of this step, node and operand; the same for both where they must turn alike: `turn` */
    uint64_t turn;
} pcs_low_operand;
typedef void pcs_low_fn(const pcs_low_operand *o);

typedef enum { PCS_LOW_F32, PCS_LOW_BF16, PCS_LOW_INT8 } pcs_low_kind; /* the multiplication itself */

typedef struct pcs_low {
    const char *name;
    /* "forward: bf16, real; by inputs: ...": for people */
    const char *says;
    struct { pcs_low_fn *left, *right; pcs_low_kind kind; } product[PCS_LOW_PRODUCTS]; /* NULL: as it is */
    bool turned; /* x and w come turned and rounded by their own nodes (MXFP4, Quartet) */
    const char *head; /* the row by which the head multiplies; NULL: in f32 */
} pcs_low;

extern const pcs_low pcs_lows[]; /* a name of NULL ends it */
const pcs_low *pcs_low_by_name(const char *name);

#endif
