/* inputs.h - what weights multiply by, seen on samples. */
#ifndef PCS_INPUTS_H
#define PCS_INPUTS_H

#include "graph/graph.h"
#include "precis/run.h"

struct pcs_work;

/* What the input of a group of weights looks like: statistics, and some of its rows. */
typedef struct pcs_inputs {
    precis_value value;   /* of the graph */
    size_t n;             /* width */
    float *top, *mean;    /* [n]: largest and mean |x| */
    float *rows;          /* [n_rows][n] */
    size_t n_rows, cap_rows;
    uint64_t seen;
} pcs_inputs;

/* Statistics of the inputs of all weights, from one pass over the windows. *list is [*n], freed with
 * pcs_inputs_free. */
precis_status pcs_inputs_collect(struct pcs_work *w, precis_runner **r, pcs_inputs **list, size_t *n);
void pcs_inputs_free(precis_ctx *ctx, pcs_inputs *list, size_t n);
const pcs_inputs *pcs_inputs_of(const pcs_inputs *list, size_t n, precis_value v);
/* The node that multiplies by a weight's tensor, or NULL. */
const pcs_node *pcs_weight_node(const precis_graph *g, const char *tensor);

#endif
