/* functions.h - functions of elements and of rows, of f32: what nets of arrays do between their products.
 *
 * No element depends on another but by sums in an order that is said here, and nothing is fused, so every compilation
 * gives the same bits. */
#ifndef PCS_FUNCTIONS_H
#define PCS_FUNCTIONS_H

#include <stddef.h>

typedef enum {
    PCS_NO_FUNCTION,
    PCS_OF_ADD, PCS_OF_SUB, PCS_OF_MUL, PCS_OF_DIV, PCS_OF_MIN, PCS_OF_MAX,      /* of x and y; min and max give NaN where x has it */
    PCS_OF_RELU, PCS_OF_SIGMOID, PCS_OF_TANH, PCS_OF_ERF, PCS_OF_SWISH,       /* of x; swish: x sigmoid(alpha x) */
} pcs_function;

/* elements: to[i] = f(x[i dx], y[i dy]); dx and dy are 1, or 0: one number for all. `to` may be x or y where that has a
 * step of 1. */
typedef struct pcs_elements_args {
    pcs_function f;
    float alpha;
    const float *x, *y;
    size_t dx, dy;
    float *to;
    size_t n;
} pcs_elements_args;

/* extremes: the least and the largest of x and 0. What is not finite makes both NaN. */
typedef struct pcs_extremes_args {
    const float *x;
    size_t n;
    float *least, *most;
} pcs_extremes_args;

/* softmax_rows: e^(x - largest of its row) over their sum, for each of `rows` rows of n; sums in f64, ascending. A row
 * with NaN is NaN. layer_norm: (x - mean) / sqrt(variance + eps) * w + b; sums in 16 lanes; b may be NULL. */
typedef struct pcs_rows_args {
    const float *x;
    float *y;
    size_t rows, n;
    const float *w, *b;
    float eps;
} pcs_rows_args;

#endif
