/* out.c - safe writing: the file before it has its name. Names are given in place.c. */
#include "base/lack.h"
#include "base/leftovers.h"
#include "precis/convert.h"
#include "write/write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef O_TMPFILE
#define O_TMPFILE 0 /* a folder cannot be opened for writing: hidden names are taken */
#endif

#define BUFFER (2u << 20)

/* Bytes of a path up to and with its last slash. */
static size_t folder_bytes(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The folder of a path with its slash, "./" when it names none; false when it does not fit. */
static bool folder_of(const char *path, char folder[4096])
{
    const size_t n = folder_bytes(path);
    return snprintf(folder, 4096, "%.*s", n ? (int)n : 2, n ? path : "./") < 4096;
}

/* A hidden name in the folder where a file waits, with the process in it, so that two jobs do not meet. */
static void hidden_name(pcs_out *o, int i)
{
    snprintf(o->temp, o->room, "%s.%s.%d-%d.part", o->folder, pcs_base_name(o->path), (int)getpid(), i);
}

static precis_status check_room(precis_ctx *ctx, const char *path, const char *folder, uint64_t bytes)
{
    struct statvfs fs;
    const bool there = !statvfs(folder, &fs);
    if (!there || access(folder, W_OK)) {
        const int e = errno;
        return pcs_fail(ctx, pcs_errno_status(e), "%s: its folder %s cannot be %s: %s", path, folder,
                        there ? "written" : "used", strerror(e));
    }
    const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= bytes) return PRECIS_OK;
    char need[32], have[32];
    return pcs_fail(ctx, PRECIS_ENOSPC, "%s: needs %s, but the disk has %s free", path, pcs_human((double)bytes, need),
                    pcs_human((double)room, have));
}

precis_status pcs_out_check(precis_ctx *ctx, const char *path, uint64_t bytes, const precis_model *source)
{
    char folder[4096];
    if (!folder_of(path, folder)) return pcs_fail(ctx, PRECIS_EINVAL, "%.60s...: the path is too long", path);
    if (!*pcs_base_name(path)) return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" names no file", path);
    if (!strcmp(path, "-"))
        return pcs_fail(ctx, PRECIS_EINVAL, "- would be standard output, and a file that is whole or not there cannot "
                        "go there; name a file (./- for one of that name)");
    struct stat st;
    if (!stat(path, &st)) {
        if (!S_ISREG(st.st_mode)) return pcs_fail(ctx, PRECIS_EINVAL, "%s exists and is no regular file", path);
        for (uint32_t i = 0; source && i < source->n_files; i++)
            if (source->files[i].dev == (uint64_t)st.st_dev && source->files[i].ino == (uint64_t)st.st_ino)
                return pcs_fail(ctx, PRECIS_EINVAL, "%s is the input; choose another output", path);
        const precis_status apart = source ? precis_out_apart(ctx, path, source->path) : PRECIS_OK;
        if (apart) return apart;
    }
    return check_room(ctx, path, folder, bytes);
}

precis_status precis_out_check(precis_ctx *ctx, const char *path, const precis_model *model)
{
    return pcs_out_check(ctx, path, 0, model);
}

precis_status pcs_out_open(precis_ctx *ctx, pcs_out *o, const char *path, uint64_t bytes, const precis_model *source)
{
    return pcs_out_begin(ctx, o, &(pcs_out_how){ .path = path, .bytes = bytes, .source = source });
}

precis_status pcs_out_begin(precis_ctx *ctx, pcs_out *o, const pcs_out_how *how)
{
    char own[4096];
    *o = (pcs_out){ .ctx = ctx, .source = how->source, .fd = -1 };
    precis_status st = how->wait ? check_room(ctx, how->path, how->wait, how->bytes)
                                 : pcs_out_check(ctx, how->path, how->bytes, how->source);
    if (st) return st;
    if (!how->wait && !folder_of(how->path, own))
        return pcs_fail(ctx, PRECIS_EINVAL, "%.60s...: the path is too long", how->path);
    const char *folder = how->wait ? how->wait : own;
    const size_t n = strlen(how->path), m = strlen(folder);
    const mode_t mode = how->secret ? 0600 : 0666;
    o->room = n + m + 48;
    o->path = pcs_alloc(ctx, n + 1, 1);
    o->temp = pcs_alloc(ctx, o->room, 1);
    o->folder = pcs_alloc(ctx, m + 1, 1);
    o->buf = pcs_alloc(ctx, BUFFER, 1);
    o->full = pcs_alloc(ctx, BUFFER, 1);
    if (!o->path || !o->temp || !o->folder || !o->buf || !o->full) return PRECIS_ENOMEM;
    o->refused = precis_ctx_refused(ctx);
    pcs_sha256_begin(&o->hash);
    memcpy(o->path, how->path, n);
    memcpy(o->folder, folder, m);
    /* Without a name: a killed process leaves nothing. Not every file system can; then hidden. */
    o->fd = access("/proc/self/fd", X_OK) ? -1 : open(o->folder, O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
    if (o->fd >= 0) return PRECIS_OK;
    for (int i = 0; i < 100 && o->fd < 0; i++) {
        hidden_name(o, i);
        o->fd = open(o->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (o->fd < 0 && errno != EEXIST) break;
    }
    if (o->fd >= 0) {
        pcs_leftover_add(ctx, o->temp);
        return PRECIS_OK;
    }
    o->temp[0] = 0;
    return pcs_io_fail(ctx, o->path, "written");
}

void pcs_out_drain(pcs_out *o)
{
    if (!o->n_full || o->error) return;
    pcs_sha256_add(&o->hash, o->full, o->n_full);
    for (size_t at = 0; at < o->n_full && !o->error;) {
        const ssize_t k = write(o->fd, o->full + at, o->n_full - at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) o->error = k ? errno : EIO;
        else at += (size_t)k;
    }
#ifdef __linux__
    /* the disk begins at once, and the sync at the end has less to wait for */
    (void)sync_file_range(o->fd, (off_t)o->drained, (off_t)o->n_full, SYNC_FILE_RANGE_WRITE);
#endif
    o->drained += o->n_full;
    o->n_full = 0;
}

/* The buffer that is filled becomes the one that waits. */
static precis_status turn(pcs_out *o)
{
    pcs_out_drain(o);
    if (o->error) {
        errno = o->error;
        return pcs_io_fail(o->ctx, o->path, "written");
    }
    unsigned char *const t = o->full;
    o->full = o->buf;
    o->n_full = o->n_buf;
    o->buf = t;
    o->n_buf = 0;
    return PRECIS_OK;
}

/* All that was added is in the file. */
static precis_status flush(pcs_out *o)
{
    const precis_status st = turn(o);
    return st ? st : turn(o);
}

precis_status pcs_out_add(pcs_out *o, const void *data, size_t len)
{
    o->at += len;
    while (len) {
        const size_t k = BUFFER - o->n_buf < len ? BUFFER - o->n_buf : len;
        memcpy(o->buf + o->n_buf, data, k);
        o->n_buf += k;
        data = (const char *)data + k;
        len -= k;
        if (o->n_buf < BUFFER) continue;
        const precis_status st = turn(o);
        if (st) return st;
    }
    return PRECIS_OK;
}

precis_status pcs_out_pad(pcs_out *o, uint64_t align)
{
    static const char zeros[64];
    return pcs_out_add(o, zeros, (size_t)((align - o->at % align) % align));
}

/* The file on the disk has the bytes that were meant. */
static precis_status verify(pcs_out *o)
{
    char got[65];
    precis_status st = PRECIS_OK;
    pcs_sha256_end(&o->hash, o->sha256);
    pcs_sha256_begin(&o->hash);
    for (uint64_t at = 0; at < o->at && !st;) {
        const ssize_t k = pread(o->fd, o->buf, BUFFER, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) st = pcs_io_fail(o->ctx, o->path, "read back");
        else {
            pcs_sha256_add(&o->hash, o->buf, (size_t)k);
            at += (uint64_t)k;
        }
        if (!st) st = pcs_progress(o->ctx, "verify", at < o->at ? at : o->at, o->at);
    }
    pcs_sha256_end(&o->hash, got);
    if (!st && strcmp(o->sha256, got))
        st = pcs_fail(o->ctx, PRECIS_EIO, "%s: what was written reads back differently; the disk or memory is faulty",
                      o->path);
    return st;
}

/* A mapped file that was cut off within its last page is not noticed by the system: what is missing reads as zeros. */
static precis_status check_source(const pcs_out *o)
{
    struct stat st;
    for (uint32_t i = 0; o->source && i < o->source->n_files; i++) {
        const pcs_file *f = &o->source->files[i];
        if (!fstat(f->fd, &st) && (uint64_t)st.st_size == f->size) continue;
        return pcs_fail(o->ctx, PRECIS_EFORMAT, "%s: its size changed while it was read; %s was not written", f->path,
                        o->path);
    }
    return PRECIS_OK;
}

precis_status pcs_out_finish(pcs_out *o)
{
    precis_status st = flush(o);
    if (!st) st = check_source(o);
    /* Whoever made the content may not have looked at each result: what was made while memory lacked is not kept. */
    if (!st && precis_ctx_refused(o->ctx) != o->refused)
        st = pcs_fail(o->ctx, PRECIS_ENOMEM, "%s: memory ran out while it was made", o->path);
    if (!st && fsync(o->fd)) st = pcs_io_fail(o->ctx, o->path, "synced");
    if (!st) st = verify(o);
    pcs_free(o->ctx, o->buf); /* several files may wait for their names together */
    pcs_free(o->ctx, o->full);
    o->buf = o->full = NULL;
    return st;
}

void pcs_out_self(const pcs_out *o, char *path, size_t room)
{
    if (o->temp[0]) snprintf(path, room, "%s", o->temp);
    else snprintf(path, room, "/proc/self/fd/%d", o->fd);
}

precis_status pcs_out_hide(pcs_out *o)
{
    if (o->temp[0]) return PRECIS_OK;
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    for (int i = 0; i < 100; i++) {
        hidden_name(o, i);
        if (!linkat(AT_FDCWD, self, AT_FDCWD, o->temp, AT_SYMLINK_FOLLOW)) {
            pcs_leftover_add(o->ctx, o->temp);
            return PRECIS_OK;
        }
        if (errno != EEXIST) break;
    }
    o->temp[0] = 0;
    return pcs_io_fail(o->ctx, o->path, "named");
}

void pcs_out_close(pcs_out *o)
{
    if (o->fd >= 0) close(o->fd);
    if (o->temp && o->temp[0]) {
        unlink(o->temp);
        pcs_leftover_gone(o->ctx, o->temp);
    }
    pcs_free(o->ctx, o->path);
    pcs_free(o->ctx, o->temp);
    pcs_free(o->ctx, o->folder);
    pcs_free(o->ctx, o->buf);
    pcs_free(o->ctx, o->full);
    *o = (pcs_out){ .ctx = o->ctx, .fd = -1 };
}
