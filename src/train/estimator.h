/* estimator.h - how a net learns although it is rounded: what of a weight a type encodes, which ranges are learned, and
 * what passes back. One row of estimators.def each.
 *
 * Whatever the estimator, the last step is the type's own: its encoder, on what `ready` gives. So a file that method
 * rtn writes of these numbers has the very weights that were trained with, and any estimator goes with any type. */
#ifndef PCS_ESTIMATOR_H
#define PCS_ESTIMATOR_H

#include "graph/graph.h"

/* A weight w[rows][k] that is rounded to a type. */
typedef struct pcs_estimate {
    precis_graph *g;
    const char *name;     /* of the weight, for nodes */
    const pcs_format *f;  /* NULL: it stays as `ready` gives it */
    int64_t rows, k;
    precis_value w, range; /* range: -1 without one */
} pcs_estimate;

typedef enum { PCS_RANGE_NONE, PCS_RANGE_TENSOR, PCS_RANGE_ROW } pcs_range_of;

/* Scales of weights of nets of arrays, where a file has a whole number for each and a scale by channel or tensor: of
 * the largest magnitude, learned, or the mean magnitude with three levels. NONE: the estimator is not for them. */
typedef enum { PCS_GRID_NONE, PCS_GRID_LARGEST, PCS_GRID_LEARNED, PCS_GRID_MEAN } pcs_array_grid;

typedef struct pcs_estimator {
    const char *name;
    pcs_range_of ranges; /* that are learned, of weights */
    /* Where they begin. */
    void (*begin)(const pcs_format *f, const float *w, size_t rows, size_t k, float *range);
    /* What the type encodes. */
    precis_value (*ready)(const pcs_estimate *e);
    bool steps; /* ranges learn by what rounding adds, too (op range_step) */
    bool turns; /* weights and their inputs are turned by a Hadamard matrix (pcs_turned_by) */
    bool learns_activations; /* activations that have one scale for all learn it */
    bool clips_only;         /* ... by what is clipped alone */
    pcs_array_grid grid;
} pcs_estimator;

extern const pcs_estimator *const pcs_estimators[]; /* NULL ends it */
const pcs_estimator *pcs_estimator_by_name(const char *name);

/* Bits of a type's codes, 1 to 8: what a grid of so many levels is taken as, whatever else it stores. */
int pcs_code_bits(const pcs_format *f);
/* The part of a row that is turned at once: a power of two up to 128 that divides k; 1: nothing is. */
int64_t pcs_turned_by(int64_t k);
/* The range's gradient is times this, so that it is of the size of a weight's (1902.08153, section 2.2). */
double pcs_range_factor(const pcs_format *f, int64_t n);

#endif
