/* precis/memory.h - has a context had all the memory that it asked for? */
#ifndef PRECIS_MEMORY_H
#define PRECIS_MEMORY_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How often the system, your realloc, or the limit that you set has refused memory to this context. A status of
 * PRECIS_ENOMEM says it of one call; this says it of all calls, of those too that give a number or a count, where
 * nothing found and no memory look alike: a caller that has seen it grow does not use what they gave. */
PRECIS_API uint64_t precis_ctx_refused(const precis_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_MEMORY_H */
