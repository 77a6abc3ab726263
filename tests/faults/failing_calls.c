/* failing_calls.c - preloaded: the calls that reach outputs fail one at a time, as FAIL=CALL:NUMBER:ERROR:once|on says;
 * COUNT=FILE keeps how often each was called. Descriptors 0 to 2 are left alone: what is printed is no output file. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE, SYNC, RENAME, LINK, OPEN, CLOSE, MKDIR, READ, CALLS };
static const char *const names[CALLS] = { "write", "sync", "rename", "link", "open", "close", "mkdir", "read" };
static _Atomic long count[CALLS];
static int call = -1, error;
static long number;
static bool on;

__attribute__((constructor)) static void begin(void)
{
    char name[16] = "", mode[8] = "";
    const char *fail = getenv("FAIL");
    if (!fail || sscanf(fail, "%15[^:]:%ld:%d:%7s", name, &number, &error, mode) != 4) return;
    on = !strcmp(mode, "on");
    for (int i = 0; i < CALLS; i++)
        if (!strcmp(names[i], name)) call = i;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("COUNT");
    const int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    char line[64];
    for (int i = 0; fd >= 0 && i < CALLS; i++) {
        const int n = snprintf(line, sizeof line, "%s %ld\n", names[i], atomic_load(&count[i]));
        if (syscall(SYS_write, fd, line, n) != n) return;
    }
}

static bool fails(int which)
{
    const long n = atomic_fetch_add(&count[which], 1) + 1;
    if (which != call || (on ? n < number : n != number)) return false;
    errno = error;
    return true;
}

#define NEXT(result, name, ...) \
    static result (*next)(__VA_ARGS__); \
    if (!next) next = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t n)
{
    NEXT(ssize_t, write, int, const void *, size_t);
    return fd > 2 && fails(WRITE) ? -1 : next(fd, data, n);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return fails(WRITE) ? -1 : next(fd, data, n, at);
}
ssize_t read(int fd, void *data, size_t n)
{
    NEXT(ssize_t, read, int, void *, size_t);
    return fd > 2 && fails(READ) ? -1 : next(fd, data, n);
}
ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    NEXT(ssize_t, pread, int, void *, size_t, off_t);
    return fails(READ) ? -1 : next(fd, data, n, at);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t at)
{
    NEXT(ssize_t, pread64, int, void *, size_t, off64_t);
    return fails(READ) ? -1 : next(fd, data, n, at);
}
int fsync(int fd)
{
    (void)fd; /* hundreds of runs: the disk is not waited for */
    return fails(SYNC) ? -1 : 0;
}
int rename(const char *a, const char *b)
{
    NEXT(int, rename, const char *, const char *);
    return fails(RENAME) ? -1 : next(a, b);
}
int link(const char *a, const char *b)
{
    NEXT(int, link, const char *, const char *);
    return fails(LINK) ? -1 : next(a, b);
}
int linkat(int x, const char *a, int y, const char *b, int flags)
{
    NEXT(int, linkat, int, const char *, int, const char *, int);
    return fails(LINK) ? -1 : next(x, a, y, b, flags);
}
int mkdir(const char *path, mode_t mode)
{
    NEXT(int, mkdir, const char *, mode_t);
    return fails(MKDIR) ? -1 : next(path, mode);
}
int close(int fd)
{
    NEXT(int, close, int);
    if (fd <= 2 || !fails(CLOSE)) return next(fd);
    next(fd);
    errno = error;
    return -1;
}
static int opens(const char *name, const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    return fails(OPEN) ? -1 : next(path, flags, mode);
}
int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return opens("open", path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    return opens("open64", path, flags, mode);
}
