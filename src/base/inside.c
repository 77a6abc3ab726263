/* inside.c - opening below a folder, one part of the path after another, so that nothing that changes meanwhile leads
 * out of it. */
#include "base/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef O_PATH /* Linux: a folder that may be gone through, and not be read */
#define O_PATH O_RDONLY
#endif

static bool plain(const char *part, size_t n)
{
    return n && n < 256 && !(n == 1 && part[0] == '.') && !(n == 2 && part[0] == '.' && part[1] == '.');
}

/* The open file, or -1 with the message. */
static int descend(precis_ctx *ctx, const char *folder, const char *location, precis_status *st)
{
    int at = open(*folder ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const char *part = location;
    while (at >= 0) {
        const char *slash = strchr(part, '/');
        const size_t n = slash ? (size_t)(slash - part) : strlen(part);
        char name[256];
        if (!plain(part, n)) {
            close(at);
            *st = pcs_fail(ctx, PRECIS_EFORMAT,
                           "%s: external data in \"%s\", which is no plain path below the model's folder",
                           ctx->file ? ctx->file : folder, location);
            return -1;
        }
        memcpy(name, part, n);
        name[n] = 0;
        const int next = openat(
            at, name, O_NOFOLLOW | O_CLOEXEC | (slash ? O_PATH | O_DIRECTORY : O_RDONLY | O_NONBLOCK | O_NOCTTY));
        const int why = errno;
        close(at);
        errno = why;
        at = next;
        if (!slash) break;
        part = slash + 1;
    }
    if (at < 0)
        *st = pcs_fail(ctx, errno == ELOOP || errno == ENOTDIR ? PRECIS_EFORMAT : pcs_errno_status(errno),
                       "%s: external data %s%s: %s", ctx->file ? ctx->file : "input", folder, location,
                       errno == ELOOP || errno == ENOTDIR ? "is a link, or behind one; links are not followed"
                                                          : strerror(errno));
    return at;
}

precis_status pcs_file_open_inside(precis_ctx *ctx, pcs_file *f, const char *folder, const char *location)
{
    struct stat sb;
    precis_status st = PRECIS_OK;
    *f = (pcs_file){ .fd = -1 };
    const int fd = descend(ctx, folder, location, &st);
    if (fd < 0) return st;
    f->fd = fd;
    if (fstat(fd, &sb)) st = pcs_fail(ctx, PRECIS_EIO, "%s%s: %s", folder, location, strerror(errno));
    else if (!S_ISREG(sb.st_mode))
        st = pcs_fail(ctx, PRECIS_EFORMAT, "%s: external data %s%s are no regular file",
                      ctx->file ? ctx->file : "input", folder, location);
    else if (sb.st_nlink > 1)
        st =
            pcs_fail(ctx, PRECIS_EFORMAT,
                     "%s: external data %s%s have a second name (a hard link); copy the file to make it one of its own",
                     ctx->file ? ctx->file : "input", folder, location);
    const size_t n = strlen(folder), k = strlen(location);
    if (!st && !(f->path = pcs_alloc(ctx, n + k + 1, 1))) st = PRECIS_ENOMEM;
    if (!st) {
        f->size = (uint64_t)sb.st_size;
        f->dev = (uint64_t)sb.st_dev;
        f->ino = (uint64_t)sb.st_ino;
        memcpy(f->path, folder, n);
        memcpy(f->path + n, location, k + 1);
        void *map = f->size ? mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0) : NULL;
        if (map == MAP_FAILED)
            st = pcs_fail(ctx, pcs_errno_status(errno), "%s: cannot map: %s", f->path, strerror(errno));
        else f->map = map;
    }
    if (st) pcs_file_close(ctx, f);
    return st;
}
