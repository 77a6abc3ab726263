/* spread.c - work on all threads of all processes. */
#include "base/stop.h"
#include "law/solve.h"

typedef struct {
    precis_ctx *ctx;
    char *items;
    size_t size, n, begin;
    pcs_item_fn *fn;
    void *arg;
    pcs_worker *workers;
    uint32_t rank, ranks;
} spread_work;

static void some(void *arg, uint64_t begin, uint64_t end, uint32_t ith)
{
    spread_work *s = arg;
    for (uint64_t k = begin; k < end; k++) {
        const size_t i = (s->begin + k) * s->ranks + s->rank;
        if (i < s->n && !pcs_stopped(s->ctx, 0)) s->fn(s->arg, &s->workers[ith], i, s->items + i * s->size);
    }
}

precis_status pcs_spread_work(pcs_fitting *f, const char *stage, pcs_items items, pcs_item_fn *fn, void *arg)
{
    const precis_spread *sp = f->opts->spread;
    const uint32_t threads = pcs_run_threads(f->ctx);
    spread_work s = { .ctx = f->ctx, .items = items.at, .size = items.size, .n = items.n, .fn = fn, .arg = arg };
    s.rank = sp ? sp->rank : 0;
    s.ranks = sp ? sp->size : 1;
    s.workers = pcs_alloc(f->ctx, threads, sizeof *s.workers);
    precis_status st = s.workers ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint32_t i = 0; i < threads && !st; i++) st = pcs_worker_open(&s.workers[i], &f->problem);
    const size_t mine = (items.n + s.ranks - 1) / s.ranks, part = mine / 50 + threads;
    for (s.begin = 0; s.begin < mine && !st; s.begin += part) {
        pcs_for(f->ctx, mine - s.begin < part ? mine - s.begin : part, 1, some, &s);
        st = pcs_progress(f->ctx, stage, s.begin + part < mine ? s.begin + part : mine, mine);
    }
    for (uint32_t i = 0; i < threads && s.workers; i++) pcs_worker_close(&s.workers[i]);
    pcs_free(f->ctx, s.workers);
    if (sp && sp->size > 1 && sp->gather(sp->user, items.at, items.size, items.n) && !st)
        st = pcs_fail(f->ctx, PRECIS_EIO, "the processes cannot exchange their results");
    return st;
}
