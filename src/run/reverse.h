/* reverse.h - gradients of a program's loss: the steps that lead to it, backwards.
 *
 * A program that keeps all its values (keep_all) on the host's memory is run forward; the reverse then runs the
 * backward of each step that lies between something wanted and the loss, in a buffer for adjoints that the program's
 * own planner lays out. An op without a gradient on such a way is refused by name when the reverse is opened.
 *
 * Threads: as the program. The bits of gradients do not depend on how many there are. */
#ifndef PCS_REVERSE_H
#define PCS_REVERSE_H

#include "run/program.h"

typedef struct pcs_reverse pcs_reverse;

/* An f32 parameter of a graph: `data` is the caller's, who may change it between runs, and outlives the programs. */
precis_value pcs_graph_parameter(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape,
                                 const float *data);

/* The same, and nothing trains it: its numbers stay, so that what follows from them alone is computed once. */
precis_value pcs_graph_fixed(precis_graph *g, const char *name, uint32_t dims, const int64_t *shape, const float *data);

/* loss: a value whose gradient is given when it runs. Wanted are all parameters that lead to it, and `more` values
 * (inputs, or results whose gradient shall stay). The program must outlive the reverse. */
precis_status pcs_reverse_open(precis_ctx *ctx, pcs_reverse **out, precis_program *p, precis_value loss,
                               const precis_value *more, size_t n);
void pcs_reverse_close(pcs_reverse **r);
/* After a run of the program. seed: the gradient by each number of the loss; NULL: 1. add: to the gradients that are
 * there, as for a batch in parts; they start from 0 otherwise. */
precis_status pcs_reverse_run(pcs_reverse *r, const float *seed, bool add);
/* The gradient by a wanted value, until the next run; NULL: the value was not wanted. A parameter that nothing leads
 * from to the loss has none. */
const float *pcs_reverse_gradient(const pcs_reverse *r, precis_value v);
/* Bytes of the adjoints' buffer, of what stays, and of the threads' scratch. */
uint64_t pcs_reverse_bytes(const pcs_reverse *r);

#endif
