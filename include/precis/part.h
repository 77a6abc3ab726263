/* precis/part.h - libraries that a build may lack, and that are opened when they are first needed: linked, each start
 * of each command would load all of them and what they need. A program or a system without one lacks what it is for,
 * and nothing else. Stage: BASE. */
#ifndef PRECIS_PART_H
#define PRECIS_PART_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A library that a build may lack, by a name of precis_list("parts") or its option's ("SQLite", "SQLITE"): PRECIS_OK,
 * or PRECIS_EUNSUPPORTED with a sentence that begins with `what` and names the package and cmake's option;
 * PRECIS_EINVAL: there is no such part. libcurl, libedit and MPI are the command line's. Any thread. */
PRECIS_API precis_status precis_part_need(precis_ctx *ctx, const char *part, const char *what);

/* functions[i] = the part's function names[i], of the library on this machine, which stays open to the end of the
 * process. PRECIS_EUNSUPPORTED: built without, not on this machine, or too old for one of them (the sentence begins
 * with `what` and names the package), PRECIS_ENOMEM; then all are NULL. Any thread. */
PRECIS_API precis_status precis_part_functions(precis_ctx *ctx, const char *part, const char *what, size_t n,
                                               const char *const *names, void **functions);

#ifdef __cplusplus
}
#endif

/* For a file that includes a part's header: a type `type` with a pointer for each function of LIST, which is
 * `#define LIST(F) F(zip_open) F(zip_close)`, and type_open(ctx, what, &functions), which fails as
 * precis_part_functions does. With PRECIS_PARTS_LINKED (a static program) they are the linked ones. */
#define PRECIS_PART_MEMBER(f) __typeof__(f) *f;
#define PRECIS_PART_NAME(f) #f,
#define PRECIS_PART_LINKED(f) f,
#ifdef PRECIS_PARTS_LINKED
#define PRECIS_PART_FUNCTIONS(part, type, LIST)                                                    \
    typedef struct type { LIST(PRECIS_PART_MEMBER) } type;                                         \
    static precis_status type##_open(precis_ctx *ctx, const char *what, type *out)                 \
    {                                                                                              \
        const type linked = { LIST(PRECIS_PART_LINKED) };                                          \
        (void)ctx, (void)what;                                                                     \
        *out = linked;                                                                             \
        return PRECIS_OK;                                                                          \
    }
#else
#define PRECIS_PART_FUNCTIONS(part, type, LIST)                                                    \
    typedef struct type { LIST(PRECIS_PART_MEMBER) } type;                                         \
    static precis_status type##_open(precis_ctx *ctx, const char *what, type *out)                 \
    {                                                                                              \
        static const char *const names[] = { LIST(PRECIS_PART_NAME) };                             \
        union { type functions; void *each[sizeof names / sizeof *names]; } found;                 \
        const precis_status st =                                                                   \
            precis_part_functions(ctx, part, what, sizeof names / sizeof *names, names, found.each); \
        *out = found.functions;                                                                    \
        return st;                                                                                 \
    }
#endif

#endif /* PRECIS_PART_H */
