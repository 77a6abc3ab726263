/* layout.h - where things lie that are alive for a while: one buffer, largest first, each at the lowest offset that
 * nothing alive at the same time uses. */
#ifndef PCS_LAYOUT_H
#define PCS_LAYOUT_H

#include "base/base.h"

typedef struct pcs_span {
    uint64_t bytes, offset; /* offset: the result */
    int32_t first, last;    /* alive from the one to the other, both included; 0 <= first <= last */
    int32_t id;             /* decides between equal sizes */
} pcs_span;

/* all: everything is alive all the time. Spans are sorted. *bytes: what the buffer needs. PRECIS_ENOMEM. */
precis_status pcs_lay_out(precis_ctx *ctx, pcs_span *spans, size_t n, bool all, uint64_t *bytes);

#endif
