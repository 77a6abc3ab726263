/* pool.c - threads, regions, barriers; and fewer threads where other programs want the cores.
 *
 * When a core is shared, each barrier waits for a time slice: two threads beside busy programs are ten times
 * slower than one. So the pool looks how long its threads waited for a core (Linux: run_delay of
 * /proc/self/task/TID/schedstat); when that is a good part of the time it works on the caller alone, and
 * tries all threads again after a while. Results do not depend on it. */
#include "base/pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define SPIN 2000

#define WINDOW 0.03    /* seconds of regions that are judged together */
/* The part of the threads' time on a run queue that is too much: two programs on a core make it a half, a quiet machine
 * a hundredth. */
#define WAITING 0.1
#define PATIENCE 4
#define REST 0.25      /* seconds on one thread, the first time; doubled each time up to ... */
#define REST_MOST 4.0

/* Threads whose arrivals are counted together: arrivals at one counter come one after the
 * other, each a journey of its line from core to core. */
typedef struct { _Alignas(64) _Atomic uint32_t arrived; } group;

struct pcs_pool {
    precis_ctx *ctx;
    uint32_t n;      /* threads, the caller's included */
    uint32_t active; /* of them, in the running region; changes between regions only */
    pthread_t *threads;
    pcs_region_fn *fn;
    void *arg;
    bool stop;
    _Alignas(64) _Atomic uint32_t start;   /* epoch: a region begins when it changes */
    _Alignas(64) _Atomic uint32_t arrived; /* at the current barrier: threads, or groups of them */
    _Alignas(64) _Atomic uint32_t phase;   /* barriers passed                        */
    _Atomic uint32_t sleepers;
#ifndef __linux__
    pthread_mutex_t lock; /* for those who sleep */
    pthread_cond_t woken;
#endif
    group groups[(PCS_LIMIT_THREADS + PCS_BARRIER_GROUP - 1) / PCS_BARRIER_GROUP];
    int *delay_fd;              /* of each thread's schedstat; -1: none */
    uint64_t delay;             /* of all threads when the window began, ns */
    uint32_t bad;               /* windows in a row that were crowded */
    double busy, until, rest;   /* seconds of the window; when all threads are tried again; how long the next rest is */
};

typedef struct { pcs_pool *pool; uint32_t ith; } worker_arg;

#ifdef __linux__
static void sleep_while(pcs_pool *p, _Atomic uint32_t *word, uint32_t old)
{
    (void)p;
    while (atomic_load(word) == old) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
}

static void wake_sleepers(pcs_pool *p, _Atomic uint32_t *word)
{
    (void)p;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}
#else
static void sleep_while(pcs_pool *p, _Atomic uint32_t *word, uint32_t old)
{
    pthread_mutex_lock(&p->lock);
    while (atomic_load(word) == old) pthread_cond_wait(&p->woken, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void wake_sleepers(pcs_pool *p, _Atomic uint32_t *word)
{
    (void)word;
    pthread_mutex_lock(&p->lock); /* who looked at the word before it changed sleeps by now */
    pthread_cond_broadcast(&p->woken);
    pthread_mutex_unlock(&p->lock);
}
#endif

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void wait_change(pcs_pool *p, _Atomic uint32_t *word, uint32_t old)
{
    for (int i = 0; i < SPIN; i++) {
        if (atomic_load_explicit(word, memory_order_acquire) != old) return;
        relax();
    }
    atomic_fetch_add(&p->sleepers, 1);
    sleep_while(p, word, old);
    atomic_fetch_sub(&p->sleepers, 1);
}

static void wake(pcs_pool *p, _Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    if (atomic_load(&p->sleepers)) wake_sleepers(p, word);
}

/* Counts an arrival; the last one leaves the counter as it was before the first. */
static bool is_last(_Atomic uint32_t *arrived, uint32_t of)
{
    if (atomic_fetch_add(arrived, 1) + 1 != of) return false;
    atomic_store_explicit(arrived, 0, memory_order_relaxed); /* nobody arrives again before `phase` changes */
    return true;
}

/* Thread ith arrives: is it the last of all? */
static bool arrive(pcs_pool *p, uint32_t ith, uint32_t all)
{
    if (all <= PCS_BARRIER_GROUP) return is_last(&p->arrived, all);
    const uint32_t g = ith / PCS_BARRIER_GROUP, rest = all - g * PCS_BARRIER_GROUP;
    const uint32_t own = rest < PCS_BARRIER_GROUP ? rest : PCS_BARRIER_GROUP;
    const uint32_t groups = (all + PCS_BARRIER_GROUP - 1) / PCS_BARRIER_GROUP;
    return is_last(&p->groups[g].arrived, own) && is_last(&p->arrived, groups);
}

static void barrier(pcs_pool *p, uint32_t ith)
{
    const uint32_t all = p->active; /* before arriving: afterwards the caller may begin another region */
    if (all == 1) return;
    const uint32_t phase = atomic_load_explicit(&p->phase, memory_order_acquire);
    if (arrive(p, ith, all)) wake(p, &p->phase);
    else wait_change(p, &p->phase, phase);
}

void pcs_barrier(precis_ctx *ctx, uint32_t ith)
{
    if (ctx->pool) barrier(ctx->pool, ith);
}

/* The calling thread's file of scheduling figures; -1: the system has none. */
static int open_delay(void)
{
#ifdef __linux__
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", (long)syscall(SYS_gettid));
    return open(path, O_RDONLY | O_CLOEXEC);
#else
    return -1;
#endif
}

/* Nanoseconds that all threads were ready to run and did not: the second number of each. */
static uint64_t waited(const pcs_pool *p)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        char text[80], *end;
        const ssize_t n = p->delay_fd[i] < 0 ? 0 : pread(p->delay_fd[i], text, sizeof text - 1, 0);
        if (n <= 0) continue;
        text[n] = 0;
        strtoull(text, &end, 10);
        sum += strtoull(end, NULL, 10);
    }
    return sum;
}

static void *worker(void *a)
{
    const worker_arg w = *(worker_arg *)a;
    pcs_pool *p = w.pool;
    uint32_t seen = 0;
    p->delay_fd[w.ith] = open_delay();
    barrier(p, w.ith); /* `a` lives on the creator's stack until here */
    for (;;) {
        wait_change(p, &p->start, seen);
        seen = atomic_load_explicit(&p->start, memory_order_acquire); /* regions without this thread may have passed */
        if (p->stop) return NULL;
        p->fn(p->arg, w.ith, p->active);
        barrier(p, w.ith);
    }
}

/* Signals that others send belong to the caller's threads: a worker must not run their handlers. Those that the worker
 * itself raises cannot go elsewhere: blocked, they would end the process without the handler (a mapped file that was
 * cut short is a SIGBUS). */
static uint32_t start_workers(pcs_pool *p, worker_arg *args, uint32_t want)
{
    sigset_t all, old;
    static const int own[] = { SIGBUS, SIGSEGV, SIGFPE, SIGILL };
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    uint32_t n = 1;
    p->n = p->active = want;
    for (; n < want; n++) {
        args[n] = (worker_arg){ p, n };
        if (pthread_create(&p->threads[n], NULL, worker, &args[n])) break;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return n;
}

static void pool_open(precis_ctx *ctx)
{
    if (ctx->pool) return;
    pcs_pool *p = pcs_alloc(ctx, 1, sizeof *p);
    if (!p) return; /* regions then run on the caller alone */
    p->ctx = ctx;
#ifndef __linux__
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->woken, NULL);
#endif
    p->n = p->active = 1;
    p->rest = REST;
    ctx->pool = p;
    if (ctx->threads < 2) return;
    worker_arg args[256];
    p->threads = pcs_alloc(ctx, ctx->threads, sizeof *p->threads);
    p->delay_fd = pcs_alloc(ctx, ctx->threads, sizeof *p->delay_fd);
    if (!p->threads || !p->delay_fd) return;
    for (uint32_t i = 0; i < ctx->threads; i++) p->delay_fd[i] = i ? -1 : open_delay();
    const uint32_t got = start_workers(p, args, ctx->threads);
    /* Threads that did not start count as arrived. The last of all is none of them: it is the caller, or it started. */
    for (uint32_t i = got; i < ctx->threads; i++) arrive(p, i, ctx->threads);
    barrier(p, 0);
    if (got < ctx->threads) {
        p->n = p->active = got;
        pcs_warn(ctx, "only %u of %u threads could be started", got, ctx->threads);
    }
}

uint32_t pcs_run_threads(precis_ctx *ctx)
{
    pool_open(ctx);
    return ctx->pool ? ctx->pool->n : ctx->threads; /* without memory for it now, the next region may have some */
}

/* After a region on all threads that took `seconds`: too crowded for more than one? */
static void judge(pcs_pool *p, double seconds, double now)
{
    p->busy += seconds;
    if (p->busy < WINDOW) return;
    const uint64_t delay = waited(p);
    if ((double)(delay - p->delay) * 1e-9 <= WAITING * p->busy * p->n) {
        p->rest = REST;
        p->bad = 0;
    } else if (++p->bad >= PATIENCE) { /* not the first ones: new threads share a core until the system moves them */
        p->active = 1;
        p->until = now + p->rest;
        p->rest = p->rest * 2 < REST_MOST ? p->rest * 2 : REST_MOST;
        p->bad = PATIENCE - 1;
    }
    p->busy = 0;
    p->delay = delay;
}

void pcs_run(precis_ctx *ctx, pcs_region_fn *fn, void *arg)
{
    pool_open(ctx);
    pcs_pool *p = ctx->pool;
    if (!p || p->n == 1) {
        fn(arg, 0, 1);
        return;
    }
    const double begin = pcs_now();
    if (p->active == 1 && begin < p->until) {
        fn(arg, 0, 1);
        return;
    }
    if (p->active == 1 || !p->delay) p->delay = waited(p); /* what happened on one thread says nothing of all */
    p->active = p->n;
    p->fn = fn;
    p->arg = arg;
    wake(p, &p->start);
    fn(arg, 0, p->n);
    barrier(p, 0);
    const double end = pcs_now();
    judge(p, end - begin, end);
}

typedef struct { _Atomic uint64_t next; uint64_t n, grain; pcs_range_fn *fn; void *arg; } for_arg;

static void for_region(void *a, uint32_t ith, uint32_t nth)
{
    (void)nth;
    for_arg *f = a;
    for (;;) {
        const uint64_t b = atomic_fetch_add(&f->next, f->grain);
        if (b >= f->n) return;
        f->fn(f->arg, b, b + f->grain < f->n ? b + f->grain : f->n, ith);
    }
}

void pcs_for(precis_ctx *ctx, uint64_t n, uint64_t grain, pcs_range_fn *fn, void *arg)
{
    for_arg f = { 0, n, grain ? grain : 1, fn, arg };
    if (n > f.grain) pcs_run(ctx, for_region, &f);
    else if (n) fn(arg, 0, n, 0); /* one piece is not worth waking threads for */
}

void pcs_pool_close(precis_ctx *ctx)
{
    pcs_pool *p = ctx->pool;
    if (!p) return;
    p->stop = true;
    wake(p, &p->start);
    for (uint32_t i = 1; i < p->n; i++) pthread_join(p->threads[i], NULL);
    for (uint32_t i = 0; p->delay_fd && i < ctx->threads; i++)
        if (p->delay_fd[i] >= 0) close(p->delay_fd[i]);
    pcs_free(ctx, p->delay_fd);
    pcs_free(ctx, p->threads);
#ifndef __linux__
    pthread_cond_destroy(&p->woken);
    pthread_mutex_destroy(&p->lock);
#endif
    pcs_free(ctx, p);
    ctx->pool = NULL;
}
