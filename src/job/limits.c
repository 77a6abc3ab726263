/* limits.c - what this machine can do at best. */
#include "job/limits.h"

#include "base/pool.h"
#include "kernel/kernel.h"

#include <stdio.h>

typedef struct { const uint8_t *data; uint64_t len; int rounds; bool ahead; uint64_t sums[PCS_LIMIT_THREADS]; } reading;

/* Parts of [begin, end) in turn, with prefetches 2 KB ahead or without. */
PCS_INLINE void read_streams(reading *r, uint32_t ith, uint64_t begin, uint64_t end, uint64_t streams, bool ahead)
{
    const uint64_t part = (end - begin) / 64 / streams * 64;
    uint64_t s[8] = { 0 };
    for (int round = 0; round < r->rounds; round++)
        for (uint64_t i = 0; i < part; i += 64)
            for (uint64_t j = 0; j < streams; j++) {
                const uint8_t *line = r->data + begin + j * part + i;
                if (ahead) __builtin_prefetch(line + 2048);
                for (int k = 0; k < 8; k++) {
                    uint64_t v;
                    memcpy(&v, line + 8 * k, 8);
                    s[k] += v;
                }
            }
    for (int k = 0; k < 8; k++) r->sums[ith] += s[k];
}

static void read_region(void *arg, uint32_t ith, uint32_t nth)
{
    reading *r = arg;
    const uint64_t begin = r->len / 64 * ith / nth * 64, end = r->len / 64 * (ith + 1) / nth * 64;
    if (r->ahead && end - begin >= 65536) read_streams(r, ith, begin, end, 4, true); /* parts of a few lines would leave out some */
    else read_streams(r, ith, begin, end, 1, false);
}

/* The best of two times in one stream, which a Zen 4's prefetcher follows by itself, and of two in four with prefetches, which a Xeon needs (one: 11 GB/s, 15 with prefetches; four: 16.4);
 * each reads all `rounds` times; more where they took less than `seconds` in all, which other guests of a machine may have had. */
static double read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len, int rounds, double seconds)
{
    double best = 0;
    const double start = pcs_now();
    for (int i = 0; i < 4 || pcs_now() - start < seconds; i++) {
        reading r = { .data = data, .len = len, .rounds = rounds, .ahead = i % 2 };
        const double t = pcs_now();
        pcs_run(ctx, read_region, &r);
        const double s = (double)len * rounds / (pcs_now() - t);
        if (s > best) best = s;
    }
    return best;
}

double pcs_read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len) { return read_speed(ctx, data, len, 1, 0); }

/* Bytes of cpu0's data cache of a level, 0: unknown. */
static uint64_t cache_bytes(int level)
{
    for (int i = 0; i < 8; i++) {
        char path[96], kind[16] = "";
        int is = 0;
        unsigned long long kib = 0;
        const char *const names[] = { "level", "type", "size" };
        for (int k = 0; k < 3; k++) {
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", i, names[k]);
            FILE *f = fopen(path, "r");
            if (!f) return 0;
            const int got = k == 0 ? fscanf(f, "%d", &is) : k == 1 ? fscanf(f, "%15s", kind) : fscanf(f, "%lluK", &kib);
            fclose(f);
            if (got != 1) return 0;
        }
        if (is == level && strcmp(kind, "Instruction")) return kib << 10;
    }
    return 0;
}

double pcs_panels_speed(precis_ctx *ctx, uint64_t bytes)
{
    uint8_t *data = bytes ? pcs_alloc_large(ctx, bytes) : NULL; /* as panels are */
    if (!data) return 0;
    memset(data, 1, bytes); /* else all pages are one */
    const double speed = read_speed(ctx, data, bytes, (int)(((uint64_t)64 << 20) / bytes) + 1, 0.1);
    pcs_free(ctx, data);
    return speed;
}

pcs_tiers pcs_tier_speeds(precis_ctx *ctx)
{
    const uint64_t l2 = cache_bytes(2), l3 = cache_bytes(3), large = 2 * (l3 > l2 ? l3 : l2);
    return (pcs_tiers){ pcs_panels_speed(ctx, l2 / 2 * precis_ctx_threads(ctx)), pcs_panels_speed(ctx, l3 / 2), pcs_panels_speed(ctx, large > ((uint64_t)256 << 20) ? large : (uint64_t)256 << 20) };
}

typedef struct { pcs_peak_fn *peak; uint64_t rounds, counts[PCS_LIMIT_THREADS]; } multiplying;

static void multiply_region(void *arg, uint32_t ith, uint32_t nth)
{
    (void)nth;
    multiplying *m = arg;
    volatile uint32_t sink;
    uint64_t count = 0;
    m->peak(&(pcs_peak_args){ m->rounds, &count, &sink });
    m->counts[ith] = count;
}

double pcs_multiply_speed(precis_ctx *ctx, pcs_peak_fn *peak)
{
    multiplying m = { peak, 1000, { 0 } };
    double best = 0;
    const double start = pcs_now();
    for (int good = 0; good < 5 || pcs_now() - start < 0.1;) {
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
