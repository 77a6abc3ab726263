/* claims.h - a step's work in units: each thread takes its own share first, and then what slower ones have left.
 *
 * Threads of one machine are not equally fast: another guest has the other half of a core, or one core's memory is
 * further away. Where all shares are fixed, all wait for the slowest. Here a thread claims its share from the front,
 * piece by piece, and when that is done takes from the back of others' shares. Which thread takes a unit is not
 * fixed, so that its result must not depend on it.
 *
 * A share is one word: the step that it is of, the first unit that is left and the one behind the last. Who comes to a
 * share that is still of an earlier step begins it, be it the owner or another: a thread that is late, or sleeps, is
 * helped before it comes. A share of a later step means that the owner has been helped with all of this one. */
#ifndef PCS_CLAIMS_H
#define PCS_CLAIMS_H

#include "base/pool.h"

#include <stdatomic.h>

typedef struct pcs_claims { _Alignas(64) _Atomic uint64_t share; } pcs_claims; /* one for each thread */

enum { PCS_CLAIM_STEPS = 1 << 20, PCS_CLAIM_UNITS = 1 << 22 }; /* that a word has room for */

/* Before a region: all shares are of step 0, which no step of the region is, and empty. */
static inline void pcs_claims_begin(pcs_claims *claims, uint32_t threads)
{
    for (uint32_t i = 0; i < threads; i++) atomic_store_explicit(&claims[i].share, 0, memory_order_relaxed);
}

/* What a thread claims in one step: units [begin, end) are its next. */
typedef struct pcs_claim {
    pcs_claims *of; /* NULL: its own share at once, and nothing else */
    uint64_t units, begin, end;
    uint32_t step, ith, nth, at; /* at: whose share it takes from */
    bool over;
} pcs_claim;

/* `units` of step `step` (1 and more, ascending in a region) for thread ith of nth, of which all call it or none. */
static inline pcs_claim pcs_claim_open(pcs_claims *of, uint32_t step, uint64_t units, uint32_t ith, uint32_t nth)
{
    const bool fits = of && nth > 1 && step < PCS_CLAIM_STEPS && units < PCS_CLAIM_UNITS;
    return (pcs_claim){ .of = fits ? of : NULL, .units = units, .step = step, .ith = ith, .nth = nth, .at = ith };
}

static inline uint64_t pcs_claim_word(uint64_t step, uint64_t begin, uint64_t end)
{
    return step << 44 | begin << 22 | end;
}

/* From the share of thread `at`: half of what is left there, and at most `most` units. Long pieces come first, since a
 * call has its price; the last are short, so that the slowest thread has begun little when the others are done. */
static inline bool pcs_claim_from(pcs_claim *k, uint64_t most)
{
    _Atomic uint64_t *share = &k->of[k->at].share;
    uint64_t word = atomic_load_explicit(share, memory_order_relaxed), next;
    do {
        uint64_t begin = word >> 22 & (PCS_CLAIM_UNITS - 1), end = word & (PCS_CLAIM_UNITS - 1);
        if (word >> 44 > k->step) return false;
        if (word >> 44 < k->step) pcs_share(k->units, 1, k->at, k->nth, &begin, &end);
        if (begin >= end && word >> 44 == k->step) return false;
        const uint64_t half = (end - begin + 1) / 2, n = half < most ? half : most;
        k->begin = k->at == k->ith ? begin : end - n;
        k->end = k->begin + n;
        next = k->at == k->ith ? pcs_claim_word(k->step, begin + n, end) : pcs_claim_word(k->step, begin, end - n);
    } while (!atomic_compare_exchange_weak_explicit(share, &word, next, memory_order_relaxed, memory_order_relaxed));
    return k->begin < k->end;
}

/* The next units of this thread, at most `most` of them; false: all are taken. */
static inline bool pcs_claim_next(pcs_claim *k, uint64_t most)
{
    if (!k->of) {
        if (k->over) return false;
        k->over = true;
        pcs_share(k->units, 1, k->ith, k->nth, &k->begin, &k->end);
        return k->begin < k->end;
    }
    for (; !k->over; k->over = k->at == k->ith) {
        if (pcs_claim_from(k, most)) return true;
        k->at = k->at + 1 < k->nth ? k->at + 1 : 0;
    }
    return false;
}

#endif
