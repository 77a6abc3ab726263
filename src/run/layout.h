/* layout.h - where things lie that are alive for a while: one buffer, largest first, each at the lowest offset that
 * nothing alive at the same time uses. */
#ifndef PCS_LAYOUT_H
#define PCS_LAYOUT_H

#include "base/base.h"

typedef struct pcs_span {
    uint64_t bytes, offset; /* offset: the result */
    int32_t first, last;    /* alive from the one to the other, both included */
    int32_t id;             /* decides between equal sizes */
} pcs_span;

/* all: everything is alive all the time. Spans are sorted. What the buffer needs. */
uint64_t pcs_lay_out(pcs_span *spans, size_t n, bool all);

#endif
