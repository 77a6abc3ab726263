/* dims.h - dimensions that are not numbers yet: symbols, which get their size when a program runs, and what is computed
 * of them.
 *
 * A dimension is a number from 0 on, or an id, which is negative and far from every number that a net holds, so that
 * the contents of a shape tensor (-1 of a Reshape, say) are told from ids. Equal expressions have equal ids: shapes
 * are compared as numbers. */
#ifndef PCS_DIMS_H
#define PCS_DIMS_H

#include "base/base.h"
#include "precis/graph.h"

#define PCS_DIM_FIRST (-((int64_t)1 << 62))
#define PCS_DIM_ERROR INT64_MIN

static inline bool pcs_dim_is_id(int64_t d) { return d < PCS_DIM_FIRST / 2; }

typedef enum {
    PCS_DIM_SYMBOL,
    PCS_DIM_LINEAR, /* floor((a * mul + add) / div) */
    PCS_DIM_SUM,    /* a + b */
    PCS_DIM_PRODUCT, /* a * b */
    PCS_DIM_LEAST    /* the smaller of a and b */
} pcs_dim_kind;

typedef struct pcs_dim {
    pcs_dim_kind kind;
    const char *name; /* of a symbol */
    int64_t most;     /* of a symbol: the largest size that it may have; 0: any */
    int64_t a, b;     /* dimensions */
    int64_t mul, add, div;
} pcs_dim;

/* Expressions; numbers where all operands are numbers. PCS_DIM_ERROR with the graph's error kept: out of memory, or
 * a number that does not fit. Operands that are PCS_DIM_ERROR give it back. */
int64_t pcs_dim_linear(precis_graph *g, int64_t a, int64_t mul, int64_t add, int64_t div);
int64_t pcs_dim_sum(precis_graph *g, int64_t a, int64_t b);
int64_t pcs_dim_product(precis_graph *g, int64_t a, int64_t b);
int64_t pcs_dim_least(precis_graph *g, int64_t a, int64_t b);
/* A graph's own arithmetic on numbers and dimensions; PCS_DIM_ERROR, and no error kept, where the result is none of
 * both or could be taken for the other. */
typedef int64_t pcs_dim_fn(precis_graph *g, int64_t a, int64_t b);
pcs_dim_fn pcs_dim_add, pcs_dim_sub, pcs_dim_mul, pcs_dim_div;
/* The product of n dimensions over that of m others, where it comes out even whatever the sizes; PCS_DIM_ERROR, and no
 * error kept, where it does not. */
int64_t pcs_dim_quotient(precis_graph *g, uint32_t n, const int64_t *over, uint32_t m, const int64_t *under);

/* The number that a dimension is, given one size per id of the graph (of which only symbols' are read); negative:
 * there is none, since a symbol has no size yet or the result is negative or too large. */
int64_t pcs_extent(const precis_graph *g, int64_t d, const int64_t *sizes);
/* "tokens", "(height + 1) / 2"; cut where it does not fit. */
void pcs_dim_text(const precis_graph *g, int64_t d, char *out, size_t cap);

#endif
