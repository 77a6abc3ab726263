/* threads.c - what is lost with more threads than this machine has: strips of weights are whole panels, so that some
 * thread has more of them than its share, and the others wait for it at the next barrier; and barriers take time
 * themselves. Both are counted from the program; the cost of a barrier is measured with the threads that there are. */
#include "measure/threads.h"

#include "base/pool.h"
#include "kernel/kernel.h"
#include "precis/memory.h"

enum { BARRIERS = 4000, ROUNDS = 5 };

typedef struct { precis_ctx *ctx; uint32_t threads; } meeting;

static void meet(void *arg, uint32_t ith, uint32_t nth)
{
    meeting *m = arg;
    if (!ith) m->threads = nth;
    for (int i = 0; i < BARRIERS; i++) pcs_barrier(m->ctx, ith);
}

/* Seconds of a barrier with all processors that the context's process may use, in *threads; 0 where that is one, or
 * where other processes have the processors and the pool works on the caller alone: rounds on fewer threads measure no
 * barrier. PRECIS_ENOMEM: there are not as many threads to be had. */
static precis_status barrier_seconds(precis_ctx *outer, uint32_t *threads, double *least)
{
    precis_ctx *ctx;
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    *least = 0;
    *threads = 1;
    if (precis_ctx_open(&ctx, &o)) return PRECIS_ENOMEM;
    *threads = precis_ctx_threads(ctx);
    const bool all = pcs_run_threads(ctx) == *threads && !precis_ctx_refused(ctx);
    for (int round = 0; round < ROUNDS && *threads > 1 && all; round++) {
        meeting m = { ctx, 0 };
        const double begun = pcs_now();
        pcs_run(ctx, meet, &m);
        const double each = (pcs_now() - begun) / BARRIERS;
        if (m.threads == *threads && (*least == 0 || each < *least)) *least = each;
    }
    precis_ctx_close(&ctx);
    if (all) return PRECIS_OK;
    return pcs_fail(outer, PRECIS_ENOMEM, "%u threads to measure a barrier with cannot be had", *threads);
}

/* Bytes of weights that the slowest threads read between barriers, times the threads, over all bytes: 1 where strips
 * are even. */
static double unevenness(const precis_program *p, uint32_t threads, size_t *barriers)
{
    uint64_t load[PCS_SCALING_MOST] = { 0 }, all = 0, slowest = 0;
    *barriers = 1; /* the end of the token */
    for (size_t i = 0; i <= p->n_steps; i++) {
        const pcs_step *s = i < p->n_steps ? &p->steps[i] : NULL;
        if (!s || s->barrier_one) {
            uint64_t most = 0;
            for (uint32_t t = 0; t < threads; t++) most = load[t] > most ? load[t] : most;
            slowest += most;
            memset(load, 0, sizeof load);
            *barriers += s != NULL;
        }
        if (!s || !s->op || !s->op->reads_stored) continue;
        const pcs_value *w = &p->slots[s->in[s->op->reads_stored]].v;
        if (w->dtype != PCS_STORED || w->dims != 2) continue;
        const uint64_t row = pcs_row_bytes(w->format, (uint64_t)w->shape[1]);
        for (uint32_t t = 0; t < threads; t++) {
            uint64_t begin, end;
            pcs_share((uint64_t)w->shape[0], PCS_PANEL, t, threads, &begin, &end);
            load[t] += (end - begin) * row;
            all += (end - begin) * row;
        }
    }
    return all ? (double)slowest * threads / (double)all : 1;
}

/* Arrivals that come one after the other at a barrier of n threads. */
static double arrivals(uint32_t n)
{
    enum { GROUP = PCS_BARRIER_GROUP };
    return n <= GROUP ? n : GROUP + (n + GROUP - 1) / GROUP;
}

precis_status pcs_scaling_estimate(const precis_program *p, double bytes, double read_bytes_s,
                                   precis_bench_result *out)
{
    static const uint32_t threads[PRECIS_SCALINGS] = { 2, 4, 8, 16 };
    uint32_t met;
    double barrier;
    const double each = read_bytes_s / precis_ctx_threads(p->ctx);
    const precis_status st = barrier_seconds(p->ctx, &met, &barrier);
    if (st) return st;
    out->barrier_threads = met;
    out->barrier_s = barrier;
    for (int i = 0; i < PRECIS_SCALINGS; i++) {
        size_t barriers;
        const double uneven = unevenness(p, threads[i], &barriers), read = bytes / (each * threads[i]);
        out->barriers = (uint32_t)barriers;
        out->scaling[i].threads = threads[i];
        out->scaling[i].strips = 1 / uneven;
        const double waits = (double)barriers * barrier * arrivals(threads[i]) / arrivals(met);
        out->scaling[i].share = barrier > 0 ? read / (read * uneven + waits) : 0;
    }
    return PRECIS_OK;
}
