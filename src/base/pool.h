/* pool.h - one pool of threads per context.
 *
 * A region runs a function once per thread; inside it the threads meet at barriers. Waiting spins
 * for a short while (a phase of a decode step is microseconds) and then sleeps on a futex, so that
 * an oversubscribed machine does not collapse (reference: kernels.md, section 2, barriers). */
#ifndef PCS_POOL_H
#define PCS_POOL_H

#include "base/base.h"

typedef void pcs_region_fn(void *arg, uint32_t ith, uint32_t nth);
typedef void pcs_range_fn(void *arg, uint64_t begin, uint64_t end, uint32_t ith);

/* Run fn on every thread of the context and wait. The calling thread is thread 0. When threads
 * cannot be started, fewer are used: nth says how many there are. */
void pcs_run(precis_ctx *ctx, pcs_region_fn *fn, void *arg);
/* Inside a region: thread ith waits until all threads have arrived. */
void pcs_barrier(precis_ctx *ctx, uint32_t ith);
/* Arrivals are counted by groups of this many threads, and then by groups, where there are more threads. */
#define PCS_BARRIER_GROUP 4
/* Threads that a region will have, at most. */
uint32_t pcs_run_threads(precis_ctx *ctx);
/* Cover [0, n) in chunks of at most `grain`, in any order, on all threads. Which thread takes which
 * chunk is not fixed, so fn's result must not depend on it. */
void pcs_for(precis_ctx *ctx, uint64_t n, uint64_t grain, pcs_range_fn *fn, void *arg);
void pcs_pool_close(precis_ctx *ctx);

/* The part of n things, in multiples of `unit`, that thread ith of nth has. */
static inline void pcs_share(uint64_t n, uint64_t unit, uint32_t ith, uint32_t nth, uint64_t *begin, uint64_t *end)
{
    const uint64_t units = (n + unit - 1) / unit, b = units * ith / nth * unit, e = units * (ith + 1) / nth * unit;
    *begin = b < n ? b : n;
    *end = e < n ? e : n;
}

#endif
