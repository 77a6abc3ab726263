/* base.h - what every folder may use: failing, allocating, checked arithmetic.
 *
 * Nothing here reads a file. Sizes that come from a file go through the pcs_*_ok
 * functions; a bare * or + on them is a defect (SECURITY.md). */
#ifndef PCS_BASE_H
#define PCS_BASE_H

#include "precis/base.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct pcs_pool pcs_pool;

struct precis_ctx {
    precis_ctx_options opt;
    uint32_t threads;
    unsigned cpu; /* mask of PCS_CPU_* levels that may be used */
    pcs_pool *pool;
    uint64_t offset;
    const char *file; /* name for messages while a reader works; borrowed */
    struct {
        uint64_t limit, base; /* of the whole process; what it held beside `used` when the limit was set. 0: none */
        _Atomic uint64_t used, peak; /* of blocks from this context */
        bool counting;        /* large blocks are only counted: nobody computes with them (job/memory.c) */
        char folder[1024];    /* where large tables are spilled; "": they stay in memory */
    } memory;
    char message[1024];
};

/* Limits on inputs: limits.def. */
enum {
#define LIMIT(name, value, what) PCS_LIMIT_##name = value,
#define LIMIT_WIDE(name, value, what)
#include "base/limits.def"
#undef LIMIT
#undef LIMIT_WIDE
};
#define LIMIT(name, value, what)
#define LIMIT_WIDE(name, value, what) static const int64_t PCS_LIMIT_##name = value;
#include "base/limits.def"
#undef LIMIT
#undef LIMIT_WIDE

#if defined(__GNUC__)
#define PCS_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define PCS_INLINE static inline __attribute__((always_inline))
#else
#define PCS_PRINTF(a, b)
#define PCS_INLINE static inline
#endif

/* A loop over n lanes that must become one register: if gcc unrolls it first, it finds nothing to vectorize. */
#define PCS_LANES(l, n) _Pragma("GCC unroll 1") for (int l = 0; l < (n); l++)

/* Record why; returns status, so that `return pcs_fail(...)` works. */
precis_status pcs_fail(precis_ctx *ctx, precis_status status, const char *fmt, ...) PCS_PRINTF(3, 4);
/* Adds lines of our own, without text from a file, after the message. */
void pcs_add_lines(precis_ctx *ctx, const char *lines);
/* The same for damaged input: adds the file's name, the byte offset and the field. */
precis_status pcs_fail_at(precis_ctx *ctx, precis_status status, uint64_t offset, const char *field, const char *fmt,
                          ...) PCS_PRINTF(5, 6);
void pcs_warn(precis_ctx *ctx, const char *fmt, ...) PCS_PRINTF(2, 3);
/* PRECIS_ECANCELED when the caller wants to stop. Call from the calling thread only. */
precis_status pcs_progress(precis_ctx *ctx, const char *stage, uint64_t done, uint64_t total);

static inline bool pcs_mul_ok(uint64_t a, uint64_t b, uint64_t *r) { return !__builtin_mul_overflow(a, b, r); }
static inline bool pcs_add_ok(uint64_t a, uint64_t b, uint64_t *r) { return !__builtin_add_overflow(a, b, r); }
/* Round up to a power of two; false when that does not fit. */
static inline bool pcs_align_ok(uint64_t a, uint64_t align, uint64_t *r)
{
    if (!pcs_add_ok(a, align - 1, r)) return false;
    *r &= ~(align - 1);
    return true;
}

/* n * size bytes aligned to 64, zeroed; NULL and a message when that fails. n * size == 0 gives a
 * valid pointer. */
void *pcs_alloc(precis_ctx *ctx, size_t n, size_t size);
/* Grow to n * size bytes: the first `used` are kept, the rest is zeroed. NULL: the old block stays valid. */
void *pcs_grow(precis_ctx *ctx, void *old, size_t used, size_t n, size_t size);
/* A list of n elements with room for one more: itself, or a grown one; *room is what it has. NULL: it stays valid. */
void *pcs_one_more(precis_ctx *ctx, void *list, size_t n, size_t *room, size_t size);
/* For tables that are read from end to end: aligned to 2 MB, in large pages where there are some, not zeroed. */
void *pcs_alloc_large(precis_ctx *ctx, size_t bytes);
void pcs_free(precis_ctx *ctx, void *p);

/* A large table of zeroed bytes. It is in memory or, when a limit is set, in a mapped file without a name (spill.c). */
typedef struct pcs_spill { void *data; uint64_t bytes; bool mapped; } pcs_spill;
precis_status pcs_spill_open(precis_ctx *ctx, pcs_spill *s, uint64_t bytes);
void pcs_spill_close(precis_ctx *ctx, pcs_spill *s);
/* Anonymous and swapped memory of the process, bytes, from /proc; 0 where there is none. */
uint64_t pcs_private_memory(void);
/* The most that was resident, with shared pages. (getrusage() may give the figure of the program that started us.) */
uint64_t pcs_peak_memory(void);
const char *pcs_temporary_folder(void); /* TMPDIR, or /tmp */

/* Many small allocations with one life. Not thread-safe. */
typedef struct pcs_arena {
    precis_ctx *ctx;
    struct pcs_arena_block *head;
    size_t used, total;
} pcs_arena;
void pcs_arena_init(pcs_arena *a, precis_ctx *ctx);
void *pcs_arena_alloc(pcs_arena *a, size_t n, size_t size); /* zeroed, aligned to 16 (64 when 64 or more bytes) */
char *pcs_arena_copy(pcs_arena *a, const char *s, size_t len); /* adds a NUL */
char *pcs_arena_printf(pcs_arena *a, const char *fmt, ...) PCS_PRINTF(2, 3);
void pcs_arena_free(pcs_arena *a);

static inline bool pcs_ends(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

/* A growing byte buffer with a limit from birth. */
typedef struct pcs_buf {
    precis_ctx *ctx;
    char *data;
    size_t len, cap, limit;
} pcs_buf;
void pcs_buf_init(pcs_buf *b, precis_ctx *ctx, size_t limit);
precis_status pcs_buf_add(pcs_buf *b, const void *data, size_t len);
void pcs_buf_free(pcs_buf *b);

/* Small deterministic generator: splitmix64. */
static inline uint64_t pcs_rand(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline double pcs_rand_unit(uint64_t *s) { return (double)(pcs_rand(s) >> 11) * 0x1p-53; }

/* FNV-1a folded through splitmix; for hash tables over names, not for security. */
static inline uint64_t pcs_hash(const void *p_, size_t n)
{
    const unsigned char *p = p_;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return pcs_rand(&h);
}

/* String -> uint32 table, open addressing. Keys are borrowed. */
typedef struct pcs_map {
    precis_ctx *ctx;
    struct pcs_map_slot { const char *key; uint32_t len, value; uint64_t hash; } *slots;
    size_t n, cap;
} pcs_map;
void pcs_map_init(pcs_map *m, precis_ctx *ctx);
/* *existed tells whether the key was there (its value is then left alone). */
precis_status pcs_map_put(pcs_map *m, const char *key, size_t len, uint32_t value, bool *existed);
bool pcs_map_get(const pcs_map *m, const char *key, size_t len, uint32_t *value);
void pcs_map_free(pcs_map *m);

/* "1.2 GB" style for messages; returns buf. */
const char *pcs_human(double bytes, char buf[32]);

/* For qsort of doubles. */
int pcs_ascending(const void *a, const void *b);

double pcs_now(void); /* monotonic seconds */

#endif
