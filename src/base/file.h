/* file.h - a file opened for reading, mapped; and a bounded stream over its header.
 *
 * Headers are read with pread into private memory, so that a file which changes or shrinks while it
 * is read gives an error, not a crash. Weights are used from the mapping. */
#ifndef PCS_FILE_H
#define PCS_FILE_H

#include "base/base.h"
#include "precis/input.h"

#include <sys/stat.h>

typedef struct pcs_file {
    char *path;
    int fd;
    uint64_t size, dev, ino;
    const unsigned char *map; /* NULL for an empty file */
} pcs_file;

/* What a failed call of the system means: no room, no memory or descriptors (both are resources), else PRECIS_EIO. */
precis_status pcs_errno_status(int error);
/* The one way to a file that a user or a file names: `flags` are O_RDONLY or O_RDWR (with O_CREAT). Opening never
 * blocks; what is no regular file is PRECIS_EFORMAT, and said what it is. The caller closes *fd. */
precis_status pcs_open_regular(precis_ctx *ctx, const char *path, int flags, int *fd, struct stat *sb);
/* True when there is no such file. False when it is there and cannot be opened: that is an error of whoever opens it,
 * not an absence. */
bool pcs_absent(const char *path);

/* A regular file, mapped. PRECIS_EIO, PRECIS_ENOMEM, PRECIS_EFORMAT (not a regular file). */
precis_status pcs_file_open(precis_ctx *ctx, pcs_file *f, const char *path);
void pcs_file_close(precis_ctx *ctx, pcs_file *f);
/* Exactly len bytes from byte `at` on; a short file is PRECIS_EFORMAT with field's name. */
precis_status pcs_file_read(precis_ctx *ctx, const pcs_file *f, uint64_t at, void *dst, size_t len, const char *field);
/* The whole file in memory with a NUL after it, freed with pcs_free. More than limit bytes: PRECIS_EFORMAT. */
precis_status pcs_file_slurp(precis_ctx *ctx, const char *path, size_t limit, char **data, size_t *len);
/* The first room - 1 bytes of a file of the system's own (under /proc, /sys), with a zero after them; false: there are
 * none. It asks for no memory, as stdio does: what the system says does not change where that is short. */
bool pcs_system_text(const char *path, char *text, size_t room);
/* The same, for text: pcs_text_check has passed. */
precis_status pcs_text_slurp(precis_ctx *ctx, const char *path, size_t limit, precis_input_kind kind, char **text,
                             size_t *len);
/* What comes from standard input. */
precis_status pcs_stdin_slurp(precis_ctx *ctx, size_t limit, precis_input_kind kind, char **data, size_t *len);
/* Is the beginning of a file something else than text? PRECIS_EFORMAT says what. */
precis_status pcs_text_is_none(precis_ctx *ctx, const char *path, precis_input_kind kind, const char *head, size_t n);
/* Is it UTF-8 text? PRECIS_EFORMAT says what it is instead, and the remedy (input.c). A byte order mark at its start is
 * dropped, which is said. */
precis_status pcs_text_check(precis_ctx *ctx, const char *path, precis_input_kind kind, char *text, size_t *len);
/* True when a path names a directory; false also when it does not exist. */
bool pcs_is_dir(const char *path);

typedef struct pcs_stream {
    precis_ctx *ctx;
    const pcs_file *file;
    uint64_t at; /* offset of the next byte */
    uint64_t buf_at;
    size_t buf_len;
    unsigned char buf[65536];
} pcs_stream;

void pcs_stream_init(pcs_stream *s, precis_ctx *ctx, const pcs_file *f);
precis_status pcs_stream_read(pcs_stream *s, void *dst, size_t len, const char *field);

#endif
