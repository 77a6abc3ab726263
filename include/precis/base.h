/* precis/base.h - status codes, the context, progress and cancellation.
 *
 * What is not written here is not promised.
 * Threads: a context belongs to one thread at a time. Different contexts are
 * independent. Objects made from a context share its rule. */
#ifndef PRECIS_BASE_H
#define PRECIS_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PRECIS_API __attribute__((visibility("default")))
#else
#define PRECIS_API
#endif

#define PRECIS_VERSION_MAJOR 0
#define PRECIS_VERSION_MINOR 1
#define PRECIS_VERSION_PATCH 0

/* "0.1.0"; static storage. */
PRECIS_API const char *precis_version(void);

/* Every function that can fail returns one of these. The sentence that says
 * what went wrong and where is precis_ctx_message(). */
typedef enum precis_status {
    PRECIS_OK = 0,
    PRECIS_EINVAL = -1,       /* the caller's arguments do not make sense        */
    PRECIS_EFORMAT = -2,      /* the input file is damaged or breaks its format  */
    PRECIS_EUNSUPPORTED = -3, /* valid, but this build cannot do it              */
    PRECIS_ENOMEM = -4,       /* no memory, or the system's limit on open files  */
    PRECIS_EIO = -5,          /* the system refused to read or write             */
    PRECIS_ENOSPC = -6,       /* the disk is too full; nothing was left behind   */
    PRECIS_ECANCELED = -7,    /* stopped by the progress callback or cancel flag */
    PRECIS_EBUDGET = -8       /* no plan meets the budget                        */
} precis_status;

/* "bad input" and the like; static storage, never NULL. */
PRECIS_API const char *precis_status_name(precis_status status);

typedef struct precis_ctx precis_ctx;

/* Called now and then during long work, on the thread that called the library.
 * stage is a static word ("calibrate", "quantize", ...); done and total have the
 * stage's own unit. Return 0 to go on, anything else to stop: the running
 * function then returns PRECIS_ECANCELED. */
typedef int precis_progress_fn(void *user, const char *stage, uint64_t done, uint64_t total);

/* One whole line without a newline that the user should see (a substitution, a
 * requantization, a fallback). Called on the thread that called the library. */
typedef void precis_warn_fn(void *user, const char *line);

/* Memory for everything but the thread stacks and what libraries allocate.
 * old may be NULL; size 0 frees. Must be thread-safe. */
typedef void *precis_realloc_fn(void *user, void *old, size_t size);

typedef struct precis_ctx_options {
    uint32_t            size;     /* sizeof of this struct, set by _INIT                     */
    uint32_t            threads;  /* 0 (default): one per core that the process may use      */
    uint64_t            seed;     /* for everything random                                   */
    precis_progress_fn *progress; /* may be NULL                                             */
    precis_warn_fn     *warn;     /* may be NULL                                             */
    precis_realloc_fn  *realloc;  /* NULL: the C library's                                   */
    const volatile int *cancel;   /* may be NULL; non-zero stops as progress does; may be set
                                     from a signal handler or another thread                 */
    void               *user;     /* handed to the callbacks, never read                     */
} precis_ctx_options;

#define PRECIS_CTX_OPTIONS_INIT { sizeof(precis_ctx_options), 0, 0, NULL, NULL, NULL, NULL, NULL }

/* opts NULL: the defaults; copied. *out is owned by the caller and NULL on
 * failure. PRECIS_ENOMEM, PRECIS_EINVAL (more than 256 threads). */
PRECIS_API precis_status precis_ctx_open(precis_ctx **out, const precis_ctx_options *opts);

/* Free and set to NULL; NULL and *ctx == NULL are no-ops. Close everything that
 * was made from the context first. */
PRECIS_API void precis_ctx_close(precis_ctx **ctx);

/* The sentence of the last failure; "" when none. Valid until the next call. */
PRECIS_API const char *precis_ctx_message(const precis_ctx *ctx);

/* Where in the input the last failure was: byte offset, or UINT64_MAX. */
PRECIS_API uint64_t precis_ctx_offset(const precis_ctx *ctx);

/* SHA-256 of a file, and of bytes, in hex. */
PRECIS_API precis_status precis_sha256_file(precis_ctx *ctx, const char *path, char hex[65]);
PRECIS_API void precis_sha256(const void *data, size_t len, char hex[65]);
/* A file that appears whole or not at all: written beside its name, read back, synced, renamed. PRECIS_EINVAL when
 * something that is no regular file has the name; PRECIS_ENOSPC, PRECIS_EIO. */
PRECIS_API precis_status precis_write_file(precis_ctx *ctx, const char *path, const void *data, size_t len);
/* Threads that the context uses. */
PRECIS_API uint32_t precis_ctx_threads(const precis_ctx *ctx);

/* Keep the whole process's private memory (RssAnon and VmSwap of /proc/self/status) at or below `bytes`, as far as it
 * is this context's: a call that would pass it fails with PRECIS_ENOMEM. Tables that can be streamed go to files
 * without names in `folder` (NULL: $TMPDIR or /tmp). 0: no limit. What the process holds already counts. PRECIS_ENOMEM
 * when that is more than the limit. */
PRECIS_API precis_status precis_ctx_set_memory_limit(precis_ctx *ctx, uint64_t bytes, const char *folder);
/* The most that this context's blocks took at one time, and what the process held beside them when the limit was
 * set. */
PRECIS_API uint64_t precis_ctx_memory_peak(const precis_ctx *ctx);

/* Instruction-set level in use: "scalar", "avx2", "avxvnni", "avx512vnni". The
 * environment's PRECIS_CPU masks higher ones when the context is opened. */
PRECIS_API const char *precis_ctx_cpu(const precis_ctx *ctx);

/* Is this a name that PRECIS_CPU may have? */
PRECIS_API int precis_cpu_known(const char *name);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_BASE_H */
