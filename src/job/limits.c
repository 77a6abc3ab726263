/* limits.c - what this machine can do at best. */
#include "job/limits.h"

#include "base/pool.h"
#include "kernel/kernel.h"

typedef struct { const uint8_t *data; uint64_t len; uint64_t sums[256]; } reading;

static void read_region(void *arg, uint32_t ith, uint32_t nth)
{
    reading *r = arg;
    const uint64_t begin = r->len / 64 * ith / nth * 64, end = r->len / 64 * (ith + 1) / nth * 64;
    uint64_t s[8] = { 0 };
    for (uint64_t i = begin; i < end; i += 64)
        for (int k = 0; k < 8; k++) {
            uint64_t v;
            memcpy(&v, r->data + i + 8 * (uint64_t)k, 8);
            s[k] += v;
        }
    for (int k = 0; k < 8; k++) r->sums[ith] += s[k];
}

double pcs_read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len)
{
    double best = 0;
    for (int i = 0; i < 3; i++) {
        reading r = { .data = data, .len = len };
        const double t = pcs_now();
        pcs_run(ctx, read_region, &r);
        const double s = (double)len / (pcs_now() - t);
        if (s > best) best = s;
    }
    return best;
}

typedef struct { pcs_kernel_fn *peak; uint64_t rounds, counts[PCS_LIMIT_THREADS]; } multiplying;

static void multiply_region(void *arg, uint32_t ith, uint32_t nth)
{
    (void)nth;
    multiplying *m = arg;
    volatile uint32_t sink;
    uint64_t count = 0;
    m->peak(&(pcs_peak_args){ m->rounds, &count, &sink });
    m->counts[ith] = count;
}

double pcs_multiply_speed(precis_ctx *ctx, const char *op)
{
    multiplying m = { pcs_kernel_find(op, ctx->cpu)->run, 1000, { 0 } };
    double best = 0;
    for (int good = 0; good < 5;) {
        const double t = pcs_now();
        pcs_run(ctx, multiply_region, &m);
        const double took = pcs_now() - t;
        if (took < 4e-3) {
            m.rounds *= 2;
            continue;
        }
        uint64_t sum = 0;
        for (size_t i = 0; i < PCS_LIMIT_THREADS; i++) sum += m.counts[i];
        if ((double)sum / took > best) best = (double)sum / took;
        good++;
    }
    return best;
}
