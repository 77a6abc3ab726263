/* precis/files.h - the files that a context works with: an input that changed, and what an output has hidden. */
#ifndef PRECIS_FILES_H
#define PRECIS_FILES_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The first mapped input of this context that, when it was closed, had not the size with which it was opened; NULL:
 * none. What is missing within a file's last page reads as zeros, without a signal, so that results may rest on numbers
 * that are none: who has closed all inputs and finds one here does not use them. Owned by the context. */
PRECIS_API const char *precis_ctx_changed(const precis_ctx *ctx);

/* Removes what this context's unfinished outputs have under hidden names (where the file system has no files without
 * names), for a process that is about to end: it may be called from a signal handler, calls only unlink and rmdir, and
 * the context is not to be used afterwards. */
PRECIS_API void precis_ctx_abandon(precis_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_FILES_H */
