/* calls.c - preloaded: calls as they are on another system, or at a bad moment.
 *
 * NO_TMPFILE=1: files without names cannot be made (O_TMPFILE), as on NFS, overlays and older kernels.
 * STOP_AT=K MARK=FILE: the K-th fsync makes FILE and does not return, so that a signal comes just then.
 * CUT=FILE BYTES=N: when FILE has been mapped, N bytes are cut off its end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_tmpfile(int flags)
{
    if ((flags & O_TMPFILE) != O_TMPFILE || !getenv("NO_TMPFILE")) return 0;
    errno = EOPNOTSUPP;
    return 1;
}

#define OPEN(name)                                                                          \
    int name(const char *path, int flags, ...)                                              \
    {                                                                                       \
        static int (*next)(const char *, int, ...);                                         \
        if (!next) next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);         \
        va_list ap;                                                                         \
        va_start(ap, flags);                                                                \
        const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;       \
        va_end(ap);                                                                         \
        return no_tmpfile(flags) ? -1 : next(path, flags, mode);                            \
    }
OPEN(open)
OPEN(open64)

int fsync(int fd)
{
    static int (*next)(int), count;
    if (!next) next = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    const char *at = getenv("STOP_AT"), *mark = getenv("MARK");
    if (!at || ++count != strtol(at, NULL, 10)) return next(fd);
    close(creat(mark, 0666));
    for (;;) pause();
}

static void cut(int fd)
{
    static int done;
    const char *path = getenv("CUT");
    struct stat a, b;
    if (done || !path || fd < 0 || fstat(fd, &a) || stat(path, &b)) return;
    if (a.st_ino != b.st_ino || a.st_dev != b.st_dev) return;
    done = 1;
    if (truncate(path, a.st_size - strtol(getenv("BYTES"), NULL, 10))) perror(path);
}

#define MAP(name, offset)                                                                                             \
    void *name(void *at, size_t bytes, int prot, int flags, int fd, offset from)                                      \
    {                                                                                                                 \
        static void *(*next)(void *, size_t, int, int, int, offset);                                                  \
        if (!next) next = (void *(*)(void *, size_t, int, int, int, offset))dlsym(RTLD_NEXT, #name);                  \
        void *map = next(at, bytes, prot, flags, fd, from);                                                           \
        cut(fd);                                                                                                      \
        return map;                                                                                                   \
    }
MAP(mmap, off_t)
MAP(mmap64, off64_t)
