/* file.c - reading files. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

precis_status pcs_file_open(precis_ctx *ctx, pcs_file *f, const char *path)
{
    memset(f, 0, sizeof *f);
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block us */
    if (f->fd < 0) return pcs_fail(ctx, PRECIS_EIO, "%s: %s", path, strerror(errno));
    struct stat st;
    if (fstat(f->fd, &st)) {
        close(f->fd);
        f->fd = -1;
        return pcs_fail(ctx, PRECIS_EIO, "%s: %s", path, strerror(errno));
    }
    precis_status status = PRECIS_OK;
    f->size = (uint64_t)st.st_size;
    f->dev = (uint64_t)st.st_dev;
    f->ino = (uint64_t)st.st_ino;
    f->path = pcs_alloc(ctx, strlen(path) + 1, 1);
    if (!f->path) status = PRECIS_ENOMEM;
    else if (!S_ISREG(st.st_mode)) status = pcs_fail(ctx, PRECIS_EFORMAT, "%s: not a regular file", path);
    if (status == PRECIS_OK && f->size) {
        void *map = mmap(NULL, f->size, PROT_READ, MAP_SHARED, f->fd, 0);
        if (map == MAP_FAILED) status = pcs_fail(ctx, PRECIS_EIO, "%s: cannot map: %s", path, strerror(errno));
        else f->map = map;
    }
    if (status != PRECIS_OK) {
        pcs_file_close(ctx, f);
        return status;
    }
    strcpy(f->path, path);
    return PRECIS_OK;
}

void pcs_file_close(precis_ctx *ctx, pcs_file *f)
{
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

precis_status pcs_file_read(precis_ctx *ctx, const pcs_file *f, uint64_t offset, void *dst, size_t len, const char *field)
{
    if (offset > f->size || len > f->size - offset)
        return pcs_fail_at(ctx, PRECIS_EFORMAT, offset, field, "needs %zu bytes, the file ends after %llu", len,
                           (unsigned long long)(offset > f->size ? 0 : f->size - offset));
    size_t got;
    const precis_status st = pread_all(ctx, f, offset, dst, len, &got);
    if (st != PRECIS_OK) return st;
    if (got < len) return pcs_fail_at(ctx, PRECIS_EFORMAT, offset + got, field, "the file became shorter while it was read");
    return PRECIS_OK;
}

precis_status pcs_file_slurp(precis_ctx *ctx, const char *path, size_t limit, char **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    pcs_file f;
    precis_status st = pcs_file_open(ctx, &f, path);
    if (st != PRECIS_OK) return st;
    if (f.size > limit) {
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: %llu bytes, more than the limit of %zu", path, (unsigned long long)f.size, limit);
    } else if (!(*data = pcs_alloc(ctx, (size_t)f.size + 1, 1))) {
        st = PRECIS_ENOMEM;
    } else {
        st = pread_all(ctx, &f, 0, *data, (size_t)f.size, len);
        if (st != PRECIS_OK) {
            pcs_free(ctx, *data);
            *data = NULL;
        }
    }
    pcs_file_close(ctx, &f);
    return st;
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
