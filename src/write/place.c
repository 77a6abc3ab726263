/* place.c - finished files get their names: one, several that belong together, or a folder of them. */
#include "base/leftovers.h"
#include "write/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WAITS = 3000 }; /* of 10 ms: renaming takes less than one; who holds the lock longer is no writer of ours */

static void sync_folder(precis_ctx *ctx, const char *folder)
{
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    if (fsync(fd)) pcs_warn(ctx, "%s: the folder could not be synced: %s", folder, strerror(errno));
    close(fd);
}

/* *fd is -1 where a folder cannot be locked (no right to read it, or a file system without locks): nobody holds such a
 * lock then. */
static precis_status lock_folder(precis_ctx *ctx, const char *folder, int *fd)
{
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; *fd >= 0 && flock(*fd, LOCK_EX | LOCK_NB); i++) {
        const int why = errno;
        if ((why == EWOULDBLOCK || why == EINTR) && i < WAITS) {
            nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
            continue;
        }
        close(*fd);
        *fd = -1;
        if (why == EWOULDBLOCK)
            return pcs_fail(ctx, PRECIS_EIO, "%s: another process has locked this folder for %d s", folder,
                            WAITS / 100);
    }
    return PRECIS_OK;
}

precis_status pcs_out_name(precis_ctx *ctx, pcs_out *const *outs, size_t n)
{
    precis_status st = PRECIS_OK;
    int lock = -1;
    for (size_t i = 0; i < n && !st; i++) st = pcs_out_hide(outs[i]);
    if (!st && n > 1) st = lock_folder(ctx, outs[0]->folder, &lock);
    for (size_t i = 0; i < n && !st; i++) {
        pcs_out *o = outs[i];
        if (!rename(o->temp, o->path)) {
            pcs_leftover_gone(ctx, o->temp);
            o->temp[0] = 0;
            continue;
        }
        st = pcs_io_fail(ctx, o->path, "renamed into place");
        /* it would describe the file that was there before */
        for (size_t k = i; i && k < n; k++) unlink(outs[k]->path);
    }
    if (!st) sync_folder(ctx, outs[0]->folder);
    if (lock >= 0) close(lock);
    return st;
}

precis_status pcs_out_name_new(precis_ctx *ctx, pcs_out *const *outs, size_t n)
{
    precis_status st = PRECIS_OK;
    size_t named = 0;
    for (size_t i = 0; i < n && !st; i++) st = pcs_out_hide(outs[i]);
    for (; named < n && !st; named += !st) {
        const pcs_out *o = outs[named];
        if (!link(o->temp, o->path)) continue;
        st = errno == EEXIST ? pcs_fail(ctx, PRECIS_EIO, "%s exists; it must not yet", o->path)
                             : pcs_io_fail(ctx, o->path, "named");
    }
    for (size_t i = 0; i < named && st; i++) unlink(outs[i]->path);
    if (!st) sync_folder(ctx, outs[0]->folder);
    return st; /* the hidden names go when the files are closed */
}

precis_status pcs_out_commit(pcs_out *o)
{
    const precis_status st = pcs_out_finish(o);
    return st ? st : pcs_out_name(o->ctx, &o, 1);
}

precis_status pcs_write_file(precis_ctx *ctx, const char *path, const void *data, size_t len)
{
    pcs_out o;
    precis_status st = pcs_out_open(ctx, &o, path, len, NULL);
    if (!st) st = pcs_out_add(&o, data, len);
    if (!st) st = pcs_out_commit(&o);
    pcs_out_close(&o);
    return st;
}

precis_status precis_write_file(precis_ctx *ctx, const char *path, const void *data, size_t len)
{
    return pcs_write_file(ctx, path, data, len);
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

static bool is_empty_folder(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    for (const struct dirent *e; d && (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d) closedir(d);
    return d && !n;
}

precis_status pcs_out_folder_open(precis_ctx *ctx, pcs_out_folder *d, const char *path)
{
    *d = (pcs_out_folder){ .ctx = ctx };
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    d->path = pcs_alloc(ctx, n + 1, 1);
    d->wait = pcs_alloc(ctx, n + 3, 1);
    if (!d->path || !d->wait) return PRECIS_ENOMEM;
    memcpy(d->path, path, n);
    const char *base = pcs_base_name(d->path);
    if (!*base || !strcmp(base, ".") || !strcmp(base, "..") || !strcmp(path, "-"))
        return pcs_fail(ctx, PRECIS_EINVAL, "\"%s\" names no new folder", path);
    if (base == d->path) memcpy(d->wait, "./", sizeof "./");
    else memcpy(d->wait, d->path, (size_t)(base - d->path));
    struct stat sb;
    if (!lstat(d->path, &sb) && (!S_ISDIR(sb.st_mode) || !is_empty_folder(d->path)))
        return pcs_fail(ctx, PRECIS_EINVAL, "%s exists and is no empty folder; choose another output", d->path);
    if (access(d->wait, W_OK | X_OK)) {
        const int e = errno;
        return pcs_fail(ctx, pcs_errno_status(e), "%s: its folder %s cannot be written: %s", d->path, d->wait,
                        strerror(e));
    }
    return PRECIS_OK;
}

precis_status pcs_out_folder_begin(pcs_out_folder *d, const char *name, uint64_t bytes, pcs_out **o)
{
    char path[4096];
    *o = NULL;
    if (d->n == PCS_FOLDER_FILES || snprintf(path, sizeof path, "%s/%s", d->path, name) >= (int)sizeof path)
        return pcs_fail(d->ctx, PRECIS_EINVAL, "%s: the folder's name is too long", d->path);
    *o = &d->files[d->n++];
    return pcs_out_begin(d->ctx, *o, &(pcs_out_how){ .path = path, .bytes = bytes, .wait = d->wait });
}

precis_status pcs_out_folder_add(pcs_out_folder *d, const char *name, const void *data, size_t len)
{
    pcs_out *o;
    precis_status st = pcs_out_folder_begin(d, name, len, &o);
    if (!st) st = pcs_out_add(o, data, len);
    return st ? st : pcs_out_finish(o);
}

/* Where file i lies in the hidden folder. */
static bool place_of(const pcs_out_folder *d, const char *folder, size_t i, char path[4200])
{
    return snprintf(path, 4200, "%s/%s", folder, pcs_base_name(d->files[i].path)) < 4200;
}

static precis_status fill_folder(pcs_out_folder *d, const char *folder)
{
    char path[4200];
    for (size_t i = 0; i < d->n; i++) {
        pcs_out *o = &d->files[i];
        const precis_status st = pcs_out_hide(o);
        if (st) return st;
        if (!place_of(d, folder, i, path) || rename(o->temp, path)) return pcs_io_fail(d->ctx, o->path, "named");
        pcs_leftover_add(d->ctx, path);
        pcs_leftover_gone(d->ctx, o->temp);
        o->temp[0] = 0;
    }
    sync_folder(d->ctx, folder);
    return PRECIS_OK;
}

precis_status pcs_out_folder_commit(pcs_out_folder *d, pcs_folder_check *check, void *user)
{
    char folder[4096], path[4200];
    bool made = false;
    for (int i = 0; i < 100 && !made; i++) {
        const char *base = pcs_base_name(d->path);
        const int len = snprintf(folder, sizeof folder, "%s.%s.%d-%d.part", d->wait, base, (int)getpid(), i);
        if (len >= (int)sizeof folder) errno = ENAMETOOLONG;
        else if (!mkdir(folder, 0777)) made = true;
        if (!made && errno != EEXIST) break;
    }
    if (!made) return pcs_io_fail(d->ctx, d->path, "made");
    pcs_leftover_add(d->ctx, folder);
    precis_status st = fill_folder(d, folder);
    if (!st && check) st = check(user, folder);
    if (!st && rename(folder, d->path)) st = pcs_io_fail(d->ctx, d->path, "renamed into place");
    if (!st) sync_folder(d->ctx, d->wait);
    else {
        for (size_t i = 0; i < d->n; i++)
            if (place_of(d, folder, i, path)) unlink(path);
        rmdir(folder);
    }
    for (size_t i = 0; i < d->n; i++)
        if (place_of(d, folder, i, path)) pcs_leftover_gone(d->ctx, path);
    pcs_leftover_gone(d->ctx, folder);
    return st;
}

void pcs_out_folder_close(pcs_out_folder *d)
{
    for (size_t i = 0; i < d->n; i++) pcs_out_close(&d->files[i]);
    pcs_free(d->ctx, d->path);
    pcs_free(d->ctx, d->wait);
    *d = (pcs_out_folder){ .ctx = d->ctx };
}
