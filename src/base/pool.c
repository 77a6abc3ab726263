/* pool.c - threads, regions, barriers. */
#include "base/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN 2000

struct pcs_pool {
    precis_ctx *ctx;
    uint32_t n; /* threads, the caller's included */
    pthread_t *threads;
    pcs_region_fn *fn;
    void *arg;
    bool stop;
    _Alignas(64) _Atomic uint32_t start;   /* epoch: a region begins when it changes */
    _Alignas(64) _Atomic uint32_t arrived; /* at the current barrier                 */
    _Alignas(64) _Atomic uint32_t phase;   /* barriers passed                        */
    _Atomic uint32_t sleepers;
};

typedef struct { pcs_pool *pool; uint32_t ith; } worker_arg;

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
    while (atomic_load(word) == old) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, old, NULL, NULL, 0);
    atomic_fetch_sub(&p->sleepers, 1);
}

static void wake(pcs_pool *p, _Atomic uint32_t *word)
{
    atomic_fetch_add(word, 1);
    if (atomic_load(&p->sleepers)) syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void barrier(pcs_pool *p)
{
    if (p->n == 1) return;
    const uint32_t phase = atomic_load_explicit(&p->phase, memory_order_acquire);
    if (atomic_fetch_add(&p->arrived, 1) + 1 == p->n) {
        atomic_store(&p->arrived, 0);
        wake(p, &p->phase);
    } else {
        wait_change(p, &p->phase, phase);
    }
}

void pcs_barrier(precis_ctx *ctx)
{
    if (ctx->pool) barrier(ctx->pool);
}

static void *worker(void *a)
{
    const worker_arg w = *(worker_arg *)a;
    pcs_pool *p = w.pool;
    uint32_t seen = 0;
    pcs_barrier(p->ctx); /* `a` lives on the creator's stack until here */
    for (;;) {
        wait_change(p, &p->start, seen);
        seen++;
        if (p->stop) return NULL;
        p->fn(p->arg, w.ith, p->n);
        barrier(p);
    }
}

/* Signals belong to the caller's threads: a worker must not run its handlers. */
static uint32_t start_workers(pcs_pool *p, worker_arg *args, uint32_t want)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    uint32_t n = 1;
    p->n = want;
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
    p->n = 1;
    ctx->pool = p;
    if (ctx->threads < 2) return;
    worker_arg args[256];
    p->threads = pcs_alloc(ctx, ctx->threads, sizeof *p->threads);
    if (!p->threads) return;
    const uint32_t got = start_workers(p, args, ctx->threads);
    /* Those that did not start are counted as arrived. */
    if (got < ctx->threads) atomic_fetch_add(&p->arrived, ctx->threads - got);
    barrier(p);
    if (got < ctx->threads) {
        p->n = got;
        pcs_warn(ctx, "only %u of %u threads could be started", got, ctx->threads);
    }
}

uint32_t pcs_run_threads(precis_ctx *ctx)
{
    pool_open(ctx);
    return ctx->pool ? ctx->pool->n : 1;
}

void pcs_run(precis_ctx *ctx, pcs_region_fn *fn, void *arg)
{
    pool_open(ctx);
    pcs_pool *p = ctx->pool;
    if (!p || p->n == 1) {
        fn(arg, 0, 1);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    wake(p, &p->start);
    fn(arg, 0, p->n);
    barrier(p);
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
    pcs_run(ctx, for_region, &f);
}

void pcs_pool_close(precis_ctx *ctx)
{
    pcs_pool *p = ctx->pool;
    if (!p) return;
    p->stop = true;
    wake(p, &p->start);
    for (uint32_t i = 1; i < p->n; i++) pthread_join(p->threads[i], NULL);
    pcs_free(ctx, p->threads);
    pcs_free(ctx, p);
    ctx->pool = NULL;
}
