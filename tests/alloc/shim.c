/* shim.c - for LD_PRELOAD: requests for memory of the whole process (its own and those of its libraries) are counted,
 * and made to fail.
 *
 * ALLOC_AT=K fails request K once, with ALLOC_ON=1 from K on; ALLOC_HIT=FILE then gets the stack of the first failure.
 * ALLOC_RECORD=FILE writes a line for each stack that asked: its hash, and the first and the last request that it made,
 * so that a test tries each place rather than each of 100,000 calls. Counted are malloc and its kin, what libc itself
 * takes (strdup, stdio's buffers, opendir), maps and threads. What starts before main is not. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

enum { DEPTH = 12, SITES = 1 << 16, MODULES = 64, OWN = 2 }; /* OWN: frames of this file on top of each stack */

static _Atomic long asked;
static _Atomic int hit;
static long fail_at;
static int on, started, record_fd = -1, hit_fd = -1;
static __thread int inside; /* the unwinder asks for memory too */

static struct { uintptr_t lo, hi; } modules[MODULES];
static int n_modules;
static struct { uint64_t hash; long first, last; } sites[SITES];

static int module_of(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    uintptr_t end = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD &&
            info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz > end)
            end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
    if (n_modules < MODULES) {
        modules[n_modules].lo = info->dlpi_addr;
        modules[n_modules++].hi = end;
    }
    return 0;
}

/* Addresses are of this run; their places in their modules are of every run. */
static uint64_t placed(void *address)
{
    const uintptr_t a = (uintptr_t)address;
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < n_modules; i++)
            if (a >= modules[i].lo && a < modules[i].hi) return (uint64_t)(i + 1) << 40 | (a - modules[i].lo);
        n_modules = 0;
        dl_iterate_phdr(module_of, NULL);
    }
    return 0;
}

static void note(long k)
{
    void *frames[DEPTH + OWN];
    const int n = backtrace(frames, DEPTH + OWN);
    uint64_t hash = 1469598103934665603u;
    for (int i = OWN; i < n; i++) hash = (hash ^ placed(frames[i])) * 1099511628211u;
    size_t at = hash % SITES;
    while (sites[at].hash && sites[at].hash != hash) at = (at + 1) % SITES;
    if (!sites[at].hash) sites[at].hash = hash, sites[at].first = k;
    sites[at].last = k;
}

static void tell(void)
{
    void *frames[40];
    inside = 1;
    const int n = backtrace(frames, 40);
    if (hit_fd >= 0) backtrace_symbols_fd(frames + OWN, n - OWN, hit_fd);
    inside = 0;
}

static int fails(void)
{
    if (!started || inside) return 0;
    const long k = atomic_fetch_add(&asked, 1) + 1;
    if (record_fd >= 0) {
        inside = 1;
        note(k);
        inside = 0;
    }
    if (!fail_at || (on ? k < fail_at : k != fail_at)) return 0;
    if (!atomic_exchange(&hit, 1)) tell();
    return 1;
}

__attribute__((constructor)) static void start(void)
{
    const char *s = getenv("ALLOC_RECORD");
    void *frame;
    backtrace(&frame, 1); /* loads the unwinder now */
    if (s) record_fd = open(s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if ((s = getenv("ALLOC_HIT"))) hit_fd = open(s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if ((s = getenv("ALLOC_AT"))) fail_at = strtol(s, NULL, 10);

    on = getenv("ALLOC_ON") != NULL;
    unsetenv("LD_PRELOAD"); /* programs that it starts are not under test */
    started = 1;
}

__attribute__((destructor)) static void finish(void)
{
    char line[96];
    inside = 1;
    for (size_t i = 0; record_fd >= 0 && i < SITES; i++) {
        if (!sites[i].hash) continue;
        const int n = snprintf(line, sizeof line, "%016llx %ld %ld\n", (unsigned long long)sites[i].hash,
                               sites[i].first, sites[i].last);
        if (write(record_fd, line, (size_t)n) != n) _exit(99);
    }
}

static void *refuse(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n) { return fails() ? refuse() : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails() ? refuse() : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return n && fails() ? refuse() : __libc_realloc(p, n); }
void *memalign(size_t align, size_t n) { return fails() ? refuse() : __libc_memalign(align, n); }
void *aligned_alloc(size_t align, size_t n) { return fails() ? refuse() : __libc_memalign(align, n); }

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t all;
    return __builtin_mul_overflow(n, size, &all) || (all && fails()) ? refuse() : __libc_realloc(p, all);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    void *p = fails() ? NULL : __libc_memalign(align, n);
    if (!p) return ENOMEM;
    *out = p;
    return 0;
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (fails()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, n, protection, flags, fd, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return fails() ? EAGAIN : real(thread, attributes, run, arg);
}
