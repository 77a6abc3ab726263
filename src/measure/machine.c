/* machine.c - what this machine can do at best. */
#include "measure/machine.h"

#include "base/builtins.h"
#include "base/file.h"
#include "base/pool.h"
#include "kernel/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

/* A line of its own for each thread. */
typedef struct { _Alignas(64) uint64_t of; } one_sum;
typedef struct { const uint8_t *data; uint64_t len; int rounds, pattern; one_sum sums[PCS_LIMIT_THREADS]; } reading;

/* A way to read: from so many places in turn, asking for bytes so far ahead, into the L1 cache and into the L2 cache;
 * 0: not. Which is best differs: the prefetcher of a Zen 4 follows one stream by itself; a Xeon's stops at each page
 * and wants more misses under way (one stream: 11 GB/s, 15 with prefetches; four: 16.4; as kernels ask: see
 * pcs_cpu_ahead). */
typedef struct { uint64_t streams, l1, l2; } pattern;
static const pattern patterns[] = { { 1, 0, 0 }, { 4, 2048, 0 }, { 1, 4096, 8192 }, { 2, 4096, 8192 }, { 8, 1024, 0 } };
enum { PATTERNS = sizeof patterns / sizeof *patterns };

PCS_INLINE void read_streams(reading *r, uint32_t ith, uint64_t begin, uint64_t end, const pattern p)
{
    const uint64_t part = (end - begin) / 64 / p.streams * 64;
    uint64_t s[8] = { 0 };
    for (int round = 0; round < r->rounds; round++)
        for (uint64_t i = 0; i < part; i += 64)
            for (uint64_t j = 0; j < p.streams; j++) {
                const uint8_t *line = r->data + begin + j * part + i;
                if (p.l1) pcs_ahead_in_l1(line + p.l1);
                if (p.l2) pcs_ahead_in_l2(line + p.l2);
                for (int k = 0; k < 8; k++) {
                    uint64_t v;
                    memcpy(&v, line + 8 * k, 8);
                    s[k] += v;
                }
            }
    for (int k = 0; k < 8; k++) r->sums[ith].of += s[k];
}

static void read_region(void *arg, uint32_t ith, uint32_t nth)
{
    reading *r = arg;
    uint64_t begin, end;
    pcs_share(r->len / 64 * 64, 64, ith, nth, &begin, &end);
    const bool few = end - begin < 65536; /* parts of a few lines would leave out some */
    /* Each call is of constants, so that loops are unrolled. */
    if (few || r->pattern == 0) read_streams(r, ith, begin, end, patterns[0]);
    else if (r->pattern == 1) read_streams(r, ith, begin, end, patterns[1]);
    else if (r->pattern == 2) read_streams(r, ith, begin, end, patterns[2]);
    else if (r->pattern == 3) read_streams(r, ith, begin, end, patterns[3]);
    else read_streams(r, ith, begin, end, patterns[4]);
}

typedef struct { uint8_t *data; uint64_t bytes; int value; } filling;

static void fill_region(void *arg, uint32_t ith, uint32_t nth)
{
    const filling *f = arg;
    uint64_t begin, end;
    pcs_share(f->bytes, 64, ith, nth, &begin, &end);
    memset(f->data + begin, f->value, end - begin);
}

void pcs_fill_near(precis_ctx *ctx, uint8_t *data, uint64_t bytes, int value)
{
    pcs_run(ctx, fill_region, &(filling){ data, bytes, value });
}

/* The best of two times by each pattern; each time reads all `rounds` times; more where they took less than `seconds`
 * in all, which other guests of a machine may have had. */
static double read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len, int rounds, double seconds)
{
    double best = 0;
    const double start = pcs_now();
    for (int i = 0; i < 2 * PATTERNS || pcs_now() - start < seconds; i++) {
        reading r = { .data = data, .len = len, .rounds = rounds, .pattern = i % PATTERNS };
        const double t = pcs_now();
        pcs_run(ctx, read_region, &r);
        const double s = (double)len * rounds / (pcs_now() - t);
        if (s > best) best = s;
    }
    return best;
}

double pcs_read_speed(precis_ctx *ctx, const uint8_t *data, uint64_t len) { return read_speed(ctx, data, len, 1, 0); }

/* Bytes of cpu0's data cache of a level, 0: unknown. */
#ifdef __APPLE__
static uint64_t cache_bytes(int level)
{
    static const char *const names[] = { "hw.l1dcachesize", "hw.l2cachesize", "hw.l3cachesize" };
    uint64_t bytes = 0;
    size_t size = sizeof bytes;
    if (level < 1 || level > 3 || sysctlbyname(names[level - 1], &bytes, &size, NULL, 0)) return 0;
    return bytes;
}
#else
/* The first line of a file of `folder`, without its end; false: there is none. */
static bool first_line(const char *folder, const char *name, char *line, size_t room)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const bool got = pcs_system_text(path, line, room);
    if (got) line[strcspn(line, "\n")] = 0;
    return got;
}

static uint64_t cache_bytes(int level)
{
    for (int i = 0; i < 8; i++) {
        char folder[64], is[16], kind[16], kib[32], *end;
        snprintf(folder, sizeof folder, "/sys/devices/system/cpu/cpu0/cache/index%d", i);
        if (!first_line(folder, "level", is, sizeof is)) return 0;
        if (!first_line(folder, "type", kind, sizeof kind)) return 0;
        if (!first_line(folder, "size", kib, sizeof kib)) return 0;
        if (strtol(is, NULL, 10) != level || !strcmp(kind, "Instruction")) continue;
        const unsigned long long size = strtoull(kib, &end, 10);
        return end != kib && *end == 'K' && size < 1u << 30 ? size << 10 : 0;
    }
    return 0;
}
#endif

double pcs_panels_speed(precis_ctx *ctx, uint64_t bytes)
{
    uint8_t *data = bytes ? pcs_alloc_large(ctx, bytes) : NULL; /* as panels are */
    if (!data) return 0;
    pcs_fill_near(ctx, data, bytes, 1); /* not written, all pages are one */
    const double speed = read_speed(ctx, data, bytes, (int)(((uint64_t)64 << 20) / bytes) + 1, 0.1);
    pcs_free(ctx, data);
    return speed;
}

pcs_tiers pcs_tier_speeds(precis_ctx *ctx)
{
    const uint64_t l2 = cache_bytes(2), l3 = cache_bytes(3), twice = 2 * (l3 > l2 ? l3 : l2);
    const uint64_t least = (uint64_t)256 << 20, large = twice > least ? twice : least;
    return (pcs_tiers){ .l2 = pcs_panels_speed(ctx, l2 / 2 * precis_ctx_threads(ctx)),
                        .l3 = pcs_panels_speed(ctx, l3 / 2),
                        .memory = pcs_panels_speed(ctx, large) };
}

typedef struct { pcs_peak_fn *peak; uint64_t rounds; one_sum counts[PCS_LIMIT_THREADS]; } multiplying;

static void multiply_region(void *arg, uint32_t ith, uint32_t nth)
{
    (void)nth;
    multiplying *m = arg;
    volatile uint32_t sink;
    uint64_t count = 0;
    m->peak(&(pcs_peak_args){ m->rounds, &count, &sink });
    m->counts[ith].of = count;
}

double pcs_multiply_speed(precis_ctx *ctx, pcs_peak_fn *peak)
{
    multiplying m = { .peak = peak, .rounds = 1000 };
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
        for (size_t i = 0; i < PCS_LIMIT_THREADS; i++) sum += m.counts[i].of;
        if ((double)sum / took > best) best = (double)sum / took;
        good++;
    }
    return best;
}
