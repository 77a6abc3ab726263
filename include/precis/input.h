/* precis/input.h - files that a user names, and standard input.
 *
 * Regular files only: opening never blocks, and a folder, a pipe, a device or a socket is refused by what it is.
 * Threads: as the context. */
#ifndef PRECIS_INPUT_H
#define PRECIS_INPUT_H

#include "precis/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a file is expected to hold. All but bytes must be UTF-8: UTF-16, compressed files, documents and binary data are
 * PRECIS_EFORMAT with what they are and the remedy, and a byte order mark at the start is dropped with a warning. */
typedef enum precis_input_kind {
    PRECIS_INPUT_BYTES = 0, /* not looked at                                                          */
    PRECIS_INPUT_TEXT = 1,  /* text as a model reads it: line ends that are CRLF are kept, and warned of */
    PRECIS_INPUT_TABLE = 2, /* settings, tables, JSON: line ends do not matter                        */
    PRECIS_INPUT_TEXTS = 3  /* texts that end in a NUL byte each, by a program: UTF-8, as they are       */
} precis_input_kind;

/* A whole file in memory with a NUL after it, or, of text, standard input for "-"; *data is freed with
 * precis_text_free. limit 0: that of the kind (precis list limits). PRECIS_EIO; PRECIS_EFORMAT: no regular file, too
 * long, or not of the kind; PRECIS_ENOMEM; PRECIS_ECANCELED. */
PRECIS_API precis_status precis_input_read(precis_ctx *ctx, const char *path, precis_input_kind kind, size_t limit,
                                           char **data, size_t *len);

/* Could it be read? For files that another library opens. The same statuses. */
PRECIS_API precis_status precis_input_check(precis_ctx *ctx, const char *path);

#ifdef __cplusplus
}
#endif
#endif /* PRECIS_INPUT_H */
