/* layout.c - offsets by lifetimes. */
#include "run/layout.h"

#include <stdlib.h>

static int by_size(const void *a_, const void *b_)
{
    const pcs_span *a = a_, *b = b_;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : a->id - b->id;
}

uint64_t pcs_lay_out(pcs_span *spans, size_t n, bool all)
{
    uint64_t bytes = 0;
    if (n) qsort(spans, n, sizeof *spans, by_size);
    for (size_t i = 0; i < n; i++) {
        pcs_span *s = &spans[i];
        s->offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t k = 0; k < i; k++) {
                const pcs_span *o = &spans[k];
                const bool alive = all || (o->first <= s->last && s->first <= o->last);
                if (!alive || s->offset >= o->offset + o->bytes || o->offset >= s->offset + s->bytes) continue;
                s->offset = o->offset + o->bytes;
                moved = true;
            }
        }
        if (s->offset + s->bytes > bytes) bytes = s->offset + s->bytes;
    }
    return bytes;
}
