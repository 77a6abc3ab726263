/* file.c - reading files. */
#include "base/file.h"
#include "base/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct { uint64_t expected; size_t limit; precis_input_kind kind; } slurping;

precis_status pcs_errno_status(int error)
{
    switch (error) {
    case ENOSPC: case EDQUOT: case EFBIG: return PRECIS_ENOSPC;
    case EMFILE: case ENFILE: case ENOMEM: return PRECIS_ENOMEM;
    default: return PRECIS_EIO;
    }
}

static precis_status system_fail(precis_ctx *ctx, const char *path, int error)
{
    return pcs_fail(ctx, pcs_errno_status(error), "%s: %s", path, strerror(error));
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe (FIFO)"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a character device"
           : S_ISBLK(mode)  ? "a block device"
                            : "something else";
}

static precis_status not_regular(precis_ctx *ctx, const char *path, mode_t mode)
{
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: not a regular file but %s%s", path, kind_of(mode),
                    !S_ISFIFO(mode) && !S_ISCHR(mode) ? "" : "; write its content to a file first");
}

precis_status pcs_open_regular(precis_ctx *ctx, const char *path, int flags, int *fd, struct stat *sb)
{
    *fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666);
    if (*fd < 0) {
        const int why = errno; /* of a socket, and of a folder to be written, it does not say what they are */
        if ((why == ENXIO || why == EISDIR || why == ENODEV) && !stat(path, sb) && !S_ISREG(sb->st_mode))
            return not_regular(ctx, path, sb->st_mode);
        return system_fail(ctx, path, why);
    }
    precis_status st = PRECIS_OK;
    if (fstat(*fd, sb)) st = system_fail(ctx, path, errno);
    else if (!S_ISREG(sb->st_mode)) st = not_regular(ctx, path, sb->st_mode);
    if (st) {
        close(*fd);
        *fd = -1;
    }
    return st;
}

bool pcs_absent(const char *path)
{
    struct stat sb;
    return stat(path, &sb) && (errno == ENOENT || errno == ENOTDIR);
}

precis_status pcs_file_open(precis_ctx *ctx, pcs_file *f, const char *path)
{
    struct stat sb;
    memset(f, 0, sizeof *f);
    precis_status st = pcs_open_regular(ctx, path, O_RDONLY, &f->fd, &sb);
    if (st) return st;
    f->size = (uint64_t)sb.st_size;
    f->dev = (uint64_t)sb.st_dev;
    f->ino = (uint64_t)sb.st_ino;
    f->path = pcs_alloc(ctx, strlen(path) + 1, 1);
    if (!f->path) st = PRECIS_ENOMEM;
    if (!st && f->size) {
        void *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
        if (map == MAP_FAILED)
            st = pcs_fail(ctx, pcs_errno_status(errno), "%s: cannot map: %s", path, strerror(errno));
        else f->map = map;
    }
    if (st) {
        pcs_file_close(ctx, f);
        return st;
    }
    memcpy(f->path, path, strlen(path) + 1);
    return PRECIS_OK;
}

void pcs_file_close(precis_ctx *ctx, pcs_file *f)
{
    struct stat sb;
    /* nobody is told of a cut within the last page: it reads as zeros */
    if (f->map && f->path && (fstat(f->fd, &sb) || (uint64_t)sb.st_size != f->size)) pcs_changed(ctx, f->path);
    if (f->map) munmap((void *)(uintptr_t)f->map, f->size);
    if (f->fd > 0) close(f->fd);
    pcs_free(ctx, f->path);
    memset(f, 0, sizeof *f);
    f->fd = -1;
}

static precis_status pread_all(precis_ctx *ctx, const pcs_file *f, uint64_t offset, void *dst, size_t len, size_t *got)
{
    *got = 0;
    while (*got < len) {
        const ssize_t n = pread(f->fd, (char *)dst + *got, len - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pcs_fail(ctx, PRECIS_EIO, "%s: %s", f->path, strerror(errno));
        if (n == 0) break;
        *got += (size_t)n;
    }
    return PRECIS_OK;
}

precis_status pcs_file_read(precis_ctx *ctx, const pcs_file *f, uint64_t at, void *dst, size_t len, const char *field)
{
    if (at > f->size || len > f->size - at)
        return pcs_fail_at(ctx, PRECIS_EFORMAT, at, field, "needs %zu bytes, the file ends after %llu", len,
                           (unsigned long long)(at > f->size ? 0 : f->size - at));
    size_t got;
    const precis_status st = pread_all(ctx, f, at, dst, len, &got);
    if (st != PRECIS_OK) return st;
    if (got < len)
        return pcs_fail_at(ctx, PRECIS_EFORMAT, at + got, field, "the file became shorter while it was read");

    return PRECIS_OK;
}

static precis_status too_long(precis_ctx *ctx, const char *path, size_t limit)
{
    return pcs_fail(ctx, PRECIS_EFORMAT, "%s: more than the limit of %zu bytes (precis list limits)", path, limit);
}

/* To the end of what is open, whatever its size was said to be: files of /proc and standard input have none. */
static precis_status read_to_end(precis_ctx *ctx, const char *path, int fd, const slurping *o, char **data, size_t *len)
{
    enum { STEP = 1 << 24, FIRST = 1 << 16 };
    size_t cap = o->expected ? (size_t)o->expected + 1 : FIRST; /* one more, so that the end is seen without growing */
    precis_status st = PRECIS_OK;
    for (bool more = true; more && !st;) {
        if (cap > o->limit) cap = o->limit + 1;
        char *grown = pcs_grow(ctx, *data, *len, cap + 1, 1);
        if (!grown) return PRECIS_ENOMEM;
        *data = grown;
        while (more && !st && *len < cap) {
            const ssize_t n = read(fd, *data + *len, cap - *len < STEP ? cap - *len : STEP);
            if (n < 0 && errno != EINTR) st = system_fail(ctx, path, errno);
            else if (n > 0 && !*len && o->kind) st = pcs_text_is_none(ctx, path, o->kind, *data, (size_t)n);
            if (n == 0) more = false;
            else if (n > 0) *len += (size_t)n;
            if (!st && (n < 0 || n == STEP))
                st = pcs_progress(ctx, "read", *len, o->expected > *len ? o->expected : o->limit);
        }
        if (!st && *len > o->limit) st = too_long(ctx, path, o->limit);
        cap = 2 * cap;
    }
    if (!st) (*data)[*len] = 0;
    return st;
}

static precis_status slurp(precis_ctx *ctx, const char *path, int fd, const slurping *o, char **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    precis_status st =
        o->expected > o->limit ? too_long(ctx, path, o->limit) : read_to_end(ctx, path, fd, o, data, len);
    if (!st && o->kind) st = pcs_text_check(ctx, path, o->kind, *data, len);
    if (st) {
        pcs_free(ctx, *data);
        *data = NULL;
        *len = 0;
    }
    return st;
}

precis_status pcs_stdin_slurp(precis_ctx *ctx, size_t limit, precis_input_kind kind, char **data, size_t *len)
{
    return slurp(ctx, "standard input", STDIN_FILENO, &(slurping){ 0, limit, kind }, data, len);
}

precis_status pcs_text_slurp(precis_ctx *ctx, const char *path, size_t limit, precis_input_kind kind, char **text,
                             size_t *len)
{
    struct stat sb;
    int fd;
    *text = NULL;
    *len = 0;
    precis_status st = pcs_open_regular(ctx, path, O_RDONLY, &fd, &sb);
    if (st) return st;
    st = slurp(ctx, path, fd, &(slurping){ (uint64_t)sb.st_size, limit, kind }, text, len);
    close(fd);
    return st;
}

precis_status pcs_file_slurp(precis_ctx *ctx, const char *path, size_t limit, char **data, size_t *len)
{
    return pcs_text_slurp(ctx, path, limit, PRECIS_INPUT_BYTES, data, len);
}

bool pcs_is_dir(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

void pcs_stream_init(pcs_stream *s, precis_ctx *ctx, const pcs_file *f)
{
    s->ctx = ctx;
    s->file = f;
    s->at = s->buf_at = 0;
    s->buf_len = 0;
}

precis_status pcs_stream_read(pcs_stream *s, void *dst_, size_t len, const char *field)
{
    char *dst = dst_;
    if (s->at > s->file->size || len > s->file->size - s->at)
        return pcs_fail_at(s->ctx, PRECIS_EFORMAT, s->at, field, "needs %zu bytes, the file ends after %llu", len,
                           (unsigned long long)(s->at > s->file->size ? 0 : s->file->size - s->at));
    while (len) {
        if (s->at >= s->buf_at && s->at < s->buf_at + s->buf_len) {
            size_t n = (size_t)(s->buf_at + s->buf_len - s->at);
            if (n > len) n = len;
            memcpy(dst, s->buf + (s->at - s->buf_at), n);
            dst += n;
            len -= n;
            s->at += n;
        } else if (len >= sizeof s->buf) {
            const precis_status st = pcs_file_read(s->ctx, s->file, s->at, dst, len, field);
            if (st == PRECIS_OK) s->at += len;
            return st;
        } else {
            s->buf_at = s->at;
            const uint64_t left = s->file->size - s->at;
            s->buf_len = left < sizeof s->buf ? (size_t)left : sizeof s->buf;
            const precis_status st = pcs_file_read(s->ctx, s->file, s->at, s->buf, s->buf_len, field);
            if (st != PRECIS_OK) return st;
        }
    }
    return PRECIS_OK;
}

bool pcs_system_text(const char *path, char *text, size_t room)
{
    size_t n = 0;
    ssize_t got = 1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    while (n + 1 < room && (got = read(fd, text + n, room - 1 - n)) > 0) n += (size_t)got;
    close(fd);
    text[n] = 0;
    return n > 0;
}
