/* resize.h - of each place of a resized dimension: which elements it is made of, and their weights (op/resize.c). */
#ifndef PCS_GRAPH_OP_RESIZE_H
#define PCS_GRAPH_OP_RESIZE_H

#include "graph/graph.h"

/* Elements that a place of dimension i is made of; 0: the dimension stays as it is. Of a call, shapes, attributes and
 * inputs 1 and 2 are looked at. */
int64_t pcs_resize_taps(const pcs_call *c, uint32_t i);
/* For each place its first element (there may be some before 0 and behind the end: the outermost stand for them), its
 * weights and whether it is nowhere: arrays of the result's size, weights of as many times taps. */
void pcs_resize_table(const pcs_call *c, uint32_t i, int64_t *first, double *weights, bool *outside);

#endif
