/* heap.h - where large blocks come from: the host's memory, or a device's. */
#ifndef PCS_HEAP_H
#define PCS_HEAP_H

#include "base/base.h"

typedef struct pcs_heap {
    /* Zeroed, aligned to 64 bytes; NULL and a message when there is no more. */
    void *(*alloc)(precis_ctx *ctx, uint64_t bytes);
    /* NULL is a no-op. */
    void (*release)(precis_ctx *ctx, void *memory, uint64_t bytes);
    /* From one place of it to another. */
    void (*copy)(void *to, const void *from, uint64_t bytes);
} pcs_heap;

#endif
