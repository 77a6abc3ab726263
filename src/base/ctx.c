/* ctx.c - the context: messages, warnings, progress, memory. */
#define _DEFAULT_SOURCE /* madvise */
#include "base/base.h"
#include "base/cpu.h"
#include "base/json.h"
#include "base/lack.h"
#include "base/leftovers.h"
#include "base/pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* What only this file looks at lies after what all may. */
typedef struct {
    precis_ctx ctx;
    _Atomic uint64_t refused;
    pcs_leftovers left;
} whole;

pcs_leftovers *pcs_leftovers_of(precis_ctx *ctx) { return &((whole *)ctx)->left; }

uint64_t precis_ctx_refused(const precis_ctx *ctx) { return ((const whole *)ctx)->refused; }

#define STR_(x) #x
#define STR(x) STR_(x)

const char *precis_version(void)
{
    return STR(PRECIS_VERSION_MAJOR) "." STR(PRECIS_VERSION_MINOR) "." STR(PRECIS_VERSION_PATCH);
}

const char *precis_status_name(precis_status status)
{
    static const char *const names[] = { "ok", "invalid argument", "bad input", "unsupported", "out of memory",
                                         "input/output error", "no space left", "canceled", "budget cannot be met" };
    const unsigned i = (unsigned)-(int)status;
    return i < sizeof names / sizeof *names ? names[i] : "unknown status";
}

static uint32_t default_threads(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    const int n = CPU_COUNT(&set);
#else
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
    return n < 1 ? 1 : n > 64 ? 64 : (uint32_t)n;
}

precis_status precis_ctx_open(precis_ctx **out, const precis_ctx_options *opts)
{
    *out = NULL;
    precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
    if (opts) {
        if (opts->size > sizeof o || opts->size < 8) return PRECIS_EINVAL;
        memcpy(&o, opts, opts->size);
    }
    if (o.threads > PCS_LIMIT_THREADS) return PRECIS_EINVAL;
    whole *all = o.realloc ? o.realloc(o.user, NULL, sizeof *all) : malloc(sizeof *all);
    if (!all) return PRECIS_ENOMEM;
    memset(all, 0, sizeof *all);
    precis_ctx *ctx = &all->ctx;
    ctx->opt = o;
    ctx->threads = o.threads ? o.threads : default_threads();
    ctx->cpu = pcs_cpu_flags();
    ctx->offset = UINT64_MAX;
    *out = ctx;
    return PRECIS_OK;
}

void precis_ctx_close(precis_ctx **ctx)
{
    if (!ctx || !*ctx) return;
    precis_ctx *c = *ctx;
    pcs_pool_close(c);
    pcs_leftovers_close(c);
    if (c->opt.realloc) c->opt.realloc(c->opt.user, c, 0);
    else free(c);
    *ctx = NULL;
}

const char *precis_ctx_message(const precis_ctx *ctx) { return ctx->message; }
uint64_t precis_ctx_offset(const precis_ctx *ctx) { return ctx->offset; }
uint32_t precis_ctx_threads(const precis_ctx *ctx) { return ctx->threads; }

/* Names and texts in messages may come from the file: what would command a terminal, and
 * what is no text, stays off it. */
static void sanitize(char *s)
{
    for (size_t n, left = strlen(s); left; s += n, left -= n) {
        uint32_t cp;
        n = pcs_utf8(s, left, &cp);
        if (!n || cp < 32 || (cp >= 127 && cp < 160)) {
            if (!n) n = 1;
            memset(s, '?', n);
        }
    }
}

precis_status pcs_fail(precis_ctx *ctx, precis_status status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(ctx->message, sizeof ctx->message, fmt, ap);
    va_end(ap);
    sanitize(ctx->message);
    ctx->offset = UINT64_MAX;
    return status;
}

void pcs_add_lines(precis_ctx *ctx, const char *lines)
{
    const size_t at = strlen(ctx->message);
    snprintf(ctx->message + at, sizeof ctx->message - at, "%s", lines);
}

precis_status pcs_fail_at(precis_ctx *ctx, precis_status status, uint64_t offset, const char *field, const char *fmt,
                          ...)
{
    char why[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    snprintf(ctx->message, sizeof ctx->message, "%s: byte %llu: %s: %s", ctx->file ? ctx->file : "input",
             (unsigned long long)offset, field, why);
    sanitize(ctx->message);
    ctx->offset = offset;
    return status;
}

void pcs_warn(precis_ctx *ctx, const char *fmt, ...)
{
    if (!ctx->opt.warn) return;
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    sanitize(line);
    ctx->opt.warn(ctx->opt.user, line);
}

precis_status pcs_progress(precis_ctx *ctx, const char *stage, uint64_t done, uint64_t total)
{
    if ((ctx->opt.cancel && *ctx->opt.cancel) ||
        (ctx->opt.progress && ctx->opt.progress(ctx->opt.user, stage, done, total)))
        return pcs_fail(ctx, PRECIS_ECANCELED, "stopped during %s", stage);
    return PRECIS_OK;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* The user's realloc promises no alignment, so the start of the real block, and its size, are kept in front. */
typedef struct { void *base; size_t bytes; } front;

static bool within_limit(precis_ctx *ctx, size_t bytes)
{
    const uint64_t now = atomic_fetch_add_explicit(&ctx->memory.used, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&ctx->memory.peak, memory_order_relaxed);
    if (ctx->memory.limit && ctx->memory.base + now > ctx->memory.limit) {
        atomic_fetch_sub_explicit(&ctx->memory.used, bytes, memory_order_relaxed);
        return false;
    }
    while (now > peak && !atomic_compare_exchange_weak_explicit(&ctx->memory.peak, &peak, now, memory_order_relaxed,
                                                                memory_order_relaxed)) { }
    return true;
}

static void *raw_alloc(precis_ctx *ctx, size_t bytes, size_t align)
{
    const size_t all = bytes + align + sizeof(front);
    if (!within_limit(ctx, all)) {
        atomic_fetch_add_explicit(&((whole *)ctx)->refused, 1, memory_order_relaxed);
        const unsigned long long limit = ctx->memory.limit, used = ctx->memory.base + ctx->memory.used;
        pcs_fail(ctx, PRECIS_ENOMEM,
                 "the memory limit of %llu bytes is reached: %llu are in use, and %zu more were wanted",
                 limit, used, bytes);
        return NULL;
    }
    char *base = ctx->opt.realloc ? ctx->opt.realloc(ctx->opt.user, NULL, all) : malloc(all);
    if (!base) {
        atomic_fetch_sub_explicit(&ctx->memory.used, all, memory_order_relaxed);
        atomic_fetch_add_explicit(&((whole *)ctx)->refused, 1, memory_order_relaxed);
        pcs_fail(ctx, PRECIS_ENOMEM, "out of memory: %zu bytes were wanted", bytes);
        return NULL;
    }
    char *p = (char *)(((uintptr_t)base + sizeof(front) + align - 1) & ~(uintptr_t)(align - 1));
    memcpy(p - sizeof(front), &(front){ base, all }, sizeof(front));
    return p;
}

precis_status pcs_lack(precis_ctx *ctx, const char *who)
{
    atomic_fetch_add_explicit(&((whole *)ctx)->refused, 1, memory_order_relaxed);
    return pcs_fail(ctx, PRECIS_ENOMEM, "out of memory in %s", who);
}

precis_status pcs_with_memory(precis_ctx *ctx, uint64_t before, precis_status st)
{
    if (st == PRECIS_ENOMEM || st == PRECIS_ECANCELED || precis_ctx_refused(ctx) == before) return st;
    return pcs_fail(ctx, PRECIS_ENOMEM, "out of memory");
}

/* Blocks from here on are not touched while a plan of memory counts them: they take no room. */
enum { COUNTED = 1 << 17 };

static void *alloc_zero(precis_ctx *ctx, size_t n, size_t size, bool zero)
{
    uint64_t bytes;
    if (!pcs_mul_ok(n, size, &bytes) || bytes > SIZE_MAX / 2) {
        pcs_fail(ctx, PRECIS_ENOMEM, "cannot allocate %zu times %zu bytes", n, size);
        return NULL;
    }
    void *p = raw_alloc(ctx, (size_t)bytes, 64);
    if (p && zero && !(ctx->memory.counting && bytes >= COUNTED)) memset(p, 0, (size_t)bytes);
    return p;
}

void *pcs_alloc(precis_ctx *ctx, size_t n, size_t size) { return alloc_zero(ctx, n, size, true); }

void *pcs_grow(precis_ctx *ctx, void *old, size_t used, size_t n, size_t size)
{
    void *p = alloc_zero(ctx, n, size, false);
    if (!p) return NULL;
    if (!old) used = 0;
    if (used) memcpy(p, old, used);
    const size_t bytes = n * size;
    if (bytes > used && !(ctx->memory.counting && bytes >= COUNTED)) memset((char *)p + used, 0, bytes - used);
    pcs_free(ctx, old);
    return p;
}

void *pcs_one_more(precis_ctx *ctx, void *list, size_t n, size_t *room, size_t size)
{
    if (n < *room) return list;
    const size_t to = *room ? 2 * *room : 64;
    void *grown = pcs_grow(ctx, list, n * size, to, size);
    if (grown) *room = to;
    return grown;
}

void *pcs_alloc_large(precis_ctx *ctx, size_t bytes)
{
    void *p = raw_alloc(ctx, bytes, (size_t)2 << 20);
#ifdef MADV_HUGEPAGE
    if (p) madvise(p, bytes, MADV_HUGEPAGE); /* a machine that has none goes without */
#endif
    return p;
}

void pcs_free(precis_ctx *ctx, void *p)
{
    if (!p) return;
    front f;
    memcpy(&f, (char *)p - sizeof f, sizeof f);
    atomic_fetch_sub_explicit(&ctx->memory.used, f.bytes, memory_order_relaxed);
    if (ctx->opt.realloc) ctx->opt.realloc(ctx->opt.user, f.base, 0);
    else free(f.base);
}

struct pcs_arena_block {
    struct pcs_arena_block *next;
    size_t cap, used;
    char pad[40];
    char data[];
};

void pcs_arena_init(pcs_arena *a, precis_ctx *ctx)
{
    memset(a, 0, sizeof *a);
    a->ctx = ctx;
}

void *pcs_arena_alloc(pcs_arena *a, size_t n, size_t size)
{
    uint64_t bytes;
    if (!pcs_mul_ok(n, size, &bytes) || bytes > SIZE_MAX / 4) {
        pcs_fail(a->ctx, PRECIS_ENOMEM, "cannot allocate %zu times %zu bytes", n, size);
        return NULL;
    }
    const size_t align = bytes >= 64 ? 64 : 16;
    struct pcs_arena_block *b = a->head;
    size_t at = b ? (b->used + align - 1) & ~(align - 1) : 0;
    if (!b || at + bytes > b->cap) {
        const size_t least = a->total < 65536 ? 4096 : 65536; /* of a small arena the blocks are small, too */
        const size_t cap = bytes > least ? (size_t)bytes : least;
        b = raw_alloc(a->ctx, sizeof *b + cap, 64);
        if (!b) return NULL;
        b->cap = cap;
        b->used = 0;
        if (bytes > 65536 && a->head) { /* keep the half-filled block at the head */
            b->next = a->head->next;
            a->head->next = b;
        } else {
            b->next = a->head;
            a->head = b;
        }
        a->total += cap;
        at = 0;
    }
    b->used = at + (size_t)bytes;
    memset(b->data + at, 0, (size_t)bytes);
    return b->data + at;
}

char *pcs_arena_copy(pcs_arena *a, const char *s, size_t len)
{
    char *p = pcs_arena_alloc(a, len + 1, 1);
    if (p && len) memcpy(p, s, len);
    return p;
}

char *pcs_arena_printf(pcs_arena *a, const char *fmt, ...)
{
    char tmp[512];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(tmp, sizeof tmp, fmt, ap);
    va_end(ap);
    if (n < 0) return NULL;
    if ((size_t)n < sizeof tmp) return pcs_arena_copy(a, tmp, (size_t)n);
    char *s = pcs_arena_alloc(a, (size_t)n + 1, 1);
    if (!s) return NULL;
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

void pcs_arena_free(pcs_arena *a)
{
    for (struct pcs_arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        pcs_free(a->ctx, b);
    }
    a->head = NULL;
    a->total = 0;
}

void pcs_buf_init(pcs_buf *b, precis_ctx *ctx, size_t limit)
{
    memset(b, 0, sizeof *b);
    b->ctx = ctx;
    b->limit = limit;
}

precis_status pcs_buf_add(pcs_buf *b, const void *data, size_t len)
{
    if (len > b->limit || b->len > b->limit - len)
        return pcs_fail(b->ctx, PRECIS_ENOMEM, "text grows past its limit of %zu bytes", b->limit);
    if (b->len + len + 1 > b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        while (cap < b->len + len + 1) cap *= 2;
        char *p = pcs_grow(b->ctx, b->data, b->len, cap, 1);
        if (!p) return PRECIS_ENOMEM;
        b->data = p;
        b->cap = cap;
    }
    if (len) memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = 0;
    return PRECIS_OK;
}

void pcs_buf_free(pcs_buf *b)
{
    pcs_free(b->ctx, b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

/* ---- map ----------------------------------------------------------------------------------- */

void pcs_map_init(pcs_map *m, precis_ctx *ctx)
{
    memset(m, 0, sizeof *m);
    m->ctx = ctx;
}

static size_t map_find(const pcs_map *m, const char *key, size_t len, uint64_t hash)
{
    size_t i = (size_t)hash & (m->cap - 1);
    while (m->slots[i].key) {
        const struct pcs_map_slot *s = &m->slots[i];
        if (s->hash == hash && s->len == len && !memcmp(s->key, key, len)) break;
        i = (i + 1) & (m->cap - 1);
    }
    return i;
}

static precis_status map_grow(pcs_map *m)
{
    pcs_map bigger = *m;
    bigger.cap = m->cap ? m->cap * 2 : 64;
    bigger.slots = pcs_alloc(m->ctx, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots) return PRECIS_ENOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        const struct pcs_map_slot *s = &m->slots[i];
        if (s->key) bigger.slots[map_find(&bigger, s->key, s->len, s->hash)] = *s;
    }
    pcs_free(m->ctx, m->slots);
    *m = bigger;
    return PRECIS_OK;
}

precis_status pcs_map_put(pcs_map *m, const char *key, size_t len, uint32_t value, bool *existed)
{
    if (m->n * 2 >= m->cap && map_grow(m) != PRECIS_OK) return PRECIS_ENOMEM;
    const uint64_t hash = pcs_hash(key, len);
    const size_t i = map_find(m, key, len, hash);
    if (existed) *existed = m->slots[i].key != NULL;
    if (m->slots[i].key) return PRECIS_OK;
    m->slots[i] = (struct pcs_map_slot){ key, (uint32_t)len, value, hash };
    m->n++;
    return PRECIS_OK;
}

bool pcs_map_get(const pcs_map *m, const char *key, size_t len, uint32_t *value)
{
    if (!m->cap) return false;
    const size_t i = map_find(m, key, len, pcs_hash(key, len));
    if (!m->slots[i].key) return false;
    if (value) *value = m->slots[i].value;
    return true;
}

void pcs_map_free(pcs_map *m)
{
    pcs_free(m->ctx, m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

/* ---- small things -------------------------------------------------------------------------- */

const char *pcs_human(double bytes, char buf[32])
{
    static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
    int u = 0;
    while (bytes >= 999.5 && u < 4) bytes /= 1000, u++;
    snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return buf;
}

double pcs_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int pcs_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
