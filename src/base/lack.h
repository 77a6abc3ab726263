/* lack.h - memory that was lacking where nobody could say so: in a library's own allocation, on a pool's thread, in a
 * function whose result is a number. It is counted in the context (precis_ctx_refused), and whoever began the work asks
 * at its end whether all of it had what it needed. */
#ifndef PCS_LACK_H
#define PCS_LACK_H

#include "base/base.h"
#include "precis/memory.h"

/* A library that works for this context had no memory, or could start no thread: counts it. */
precis_status pcs_lack(precis_ctx *ctx, const char *who);
/* The status of work that ended with st: PRECIS_ENOMEM when memory was refused since `before`, a count of then. What
 * found nothing, or found its input wrong, may have had none. */
precis_status pcs_with_memory(precis_ctx *ctx, uint64_t before, precis_status st);

/* Does a status say nothing of the input? Then who asked "can this be done?" has no answer, and passes it on as it is
 * rather than take it for a no. */
static inline bool pcs_no_answer(precis_status st)
{
    return st == PRECIS_ENOMEM || st == PRECIS_ENOSPC || st == PRECIS_EIO || st == PRECIS_ECANCELED;
}

#endif
