/* pages.h - where the KV caches of a program lie: in pages, which sequences take as they fill.
 *
 * A page holds the keys and the values of so many tokens that follow one another in a sequence, of all layers. A table
 * says which page a part of a sequence lies in; a page may belong to several sequences that begin alike, and is copied
 * when one of them writes into it. Memory comes in chunks of pages and is kept until the program is closed.
 *
 * Pages change hands between the runs of a program alone: while one runs, the table stays as it is. What a call takes
 * is written down, so that a call that fails gives it back. */
#ifndef PCS_PAGES_H
#define PCS_PAGES_H

#include "base/heap.h"

enum { PCS_PAGE_SHIFT = 6 }; /* a page has 64 tokens, or as many as a shorter context needs */
#define PCS_NO_PAGE UINT32_MAX

typedef struct pcs_pages {
    precis_ctx *ctx;
    const pcs_heap *heap;
    uint32_t shift;           /* a page has 1 << shift tokens, 16 at least */
    uint32_t sequences, each; /* pages of a sequence at most */
    uint32_t most;            /* that sequences may hold between calls */
    uint32_t room;            /* of the arrays: during a call, pages that all their users are leaving are there, too */
    uint64_t bytes;           /* of a page; caches add theirs before any is taken */
    uint32_t *table;          /* [sequences][each] */
    uint8_t **at;             /* [room] where a page lies; the first `made` have memory */
    uint32_t *users;          /* [room] sequences that hold it */
    uint32_t *leaving;        /* [room] those of them that this call gave another one */
    uint32_t left;            /* pages that all are leaving: the call's end frees them */
    uint32_t *spare;          /* pages that have memory and no user, the last one is taken first */
    uint32_t made, n_spare;
    struct { void *memory; uint64_t bytes; } *chunks;
    uint32_t n_chunks;
    struct { uint32_t *slot, old; } *log; /* of the table, in this call, and what stood there */
    uint32_t n_log, cap_log;
} pcs_pages;

/* For sequences of `capacity` tokens; `most` pages in all (0: as many as all of them need), of which a call takes
 * `batch`. */
typedef struct pcs_pages_size { uint32_t sequences, capacity, most, batch; } pcs_pages_size;
/* PRECIS_EINVAL when there would be too many. */
precis_status pcs_pages_open(precis_ctx *ctx, pcs_pages *p, const pcs_heap *heap, const pcs_pages_size *size);
void pcs_pages_close(pcs_pages *p);
/* Room of a cache in each page: where it begins. */
uint64_t pcs_pages_room(pcs_pages *p, uint64_t bytes);
/* Memory of all pages at once, so that none can be refused later. */
precis_status pcs_pages_reserve(pcs_pages *p);
/* The sequence will write at this position: its page is there, and is its own. PRECIS_ENOMEM when no page is left. */
precis_status pcs_pages_take(pcs_pages *p, uint32_t sequence, uint32_t position);
/* The end of a call: what it took stays, or goes back. */
void pcs_pages_commit(pcs_pages *p);
void pcs_pages_undo(pcs_pages *p);
/* The sequence ends after so many tokens. */
void pcs_pages_cut(pcs_pages *p, uint32_t sequence, uint32_t tokens);
/* The first tokens of a sequence become another's as well, in place of what that one had. */
void pcs_pages_share(pcs_pages *p, uint32_t from, uint32_t to, uint32_t tokens);

static inline uint32_t pcs_pages_of(const pcs_pages *p, uint32_t tokens)
{
    return (uint32_t)(((uint64_t)tokens + (1u << p->shift) - 1) >> p->shift);
}
/* The page of a position that was taken. */
static inline uint8_t *pcs_page_at(const pcs_pages *p, uint32_t sequence, uint32_t position)
{
    return p->at[p->table[(size_t)sequence * p->each + (position >> p->shift)]];
}

#endif
