/* lines.h - an operand as lines along one of its axes, for ops that make something of each: softmax, running sums, the
 * largest. A line's elements are a stride apart. */
#ifndef PCS_LINES_H
#define PCS_LINES_H

#include "graph/element.h"

typedef struct pcs_lines {
    int64_t n, step, count; /* elements of a line, numbers from one to the next, lines (0 where they are empty) */
} pcs_lines;

static inline pcs_lines pcs_lines_of(const pcs_arg *x, int64_t axis)
{
    const uint32_t along = pcs_axis(axis, x->dims);
    int64_t dense[PCS_GRAPH_DIMS];
    pcs_dense(x->dims, x->shape, dense);
    const int64_t n = x->shape[along];
    return (pcs_lines){ n, dense[along], n ? pcs_arg_count(x) / n : 0 };
}
/* Where line i begins, of lines that have n elements. */
static inline int64_t pcs_line_at(const pcs_lines *l, int64_t i, int64_t n)
{
    return i / l->step * l->step * n + i % l->step;
}

#endif
