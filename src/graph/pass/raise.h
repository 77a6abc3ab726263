/* raise.h - how passes see what exporters made of one op: who makes a value, constants of one element, polynomials and
 * products that are spread over many nodes in any order. Only looks; a pass makes the node. */
#ifndef PCS_PASS_RAISE_H
#define PCS_PASS_RAISE_H

#include "graph/pass.h"

/* The node that makes v; NULL: none does, or it is another op. */
const pcs_node *pcs_made_by(const precis_graph *g, precis_value v, const pcs_op *op);
/* An f32 constant of one element. */
bool pcs_one_number(const precis_graph *g, precis_value v, double *number);
/* Equal but for what f32 rounds off a constant: 1e-6 of the larger. */
bool pcs_about(double a, double b);
bool pcs_same_shape(const precis_graph *g, precis_value a, precis_value b);
/* The operand beside one that is such a number; false: neither is. */
bool pcs_beside_number(const precis_graph *g, const pcs_node *n, precis_value *other, double *number);

/* c[0] + c[1] x + c[2] x^2 + c[3] x^3. */
typedef struct pcs_cubic { double c[4]; } pcs_cubic;
/* v as sums, products and whole powers of x and of numbers; false: it is something else. */
bool pcs_cubic_of(const precis_graph *g, precis_value v, precis_value x, pcs_cubic *out);

#define PCS_FACTORS 4
/* v = by * of[0] * ... * of[n - 1]: products and quotients by numbers taken apart. */
typedef struct pcs_factors {
    double by;
    uint32_t n;
    precis_value of[PCS_FACTORS];
} pcs_factors;
/* x is not taken apart. False: there are too many. */
bool pcs_factors_of(const precis_graph *g, precis_value v, precis_value x, pcs_factors *out);
/* Each product and quotient of the graph is shown to a pass, which may make another node of it. */
typedef precis_status pcs_raise_fn(precis_graph *g, pcs_node *n);
precis_status pcs_raise_products(precis_graph *g, pcs_raise_fn *raise);

#endif
