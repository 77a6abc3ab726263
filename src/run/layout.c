/* layout.c - offsets by lifetimes. Spans that are placed are found by the time that they are alive in, so that a net of
 * a hundred thousand values takes no more than one of a hundred for each of them. */
#include "run/layout.h"

#include <stdlib.h>

static int by_size(const void *a_, const void *b_)
{
    const pcs_span *a = a_, *b = b_;
    return a->bytes != b->bytes ? (a->bytes < b->bytes ? 1 : -1) : a->id - b->id;
}

/* ---- placed spans by time ----------------------------------------------------------------------------- */

/* Times are shared out to buckets, on several levels: of 64 on the first, and four times as many on each that follows.
 * A span is listed in all buckets that it touches on the first level where these are at most TOUCHES. */
enum { FIRST_BITS = 6, MORE_BITS = 2, LEVELS = 13, TOUCHES = 3 };

typedef struct {
    int32_t span, next; /* -1: none follows */
} entry;

typedef struct {
    uint64_t from, to;
} taken;

typedef struct {
    const pcs_span *spans;
    int32_t *heads[LEVELS];
    entry *entries;
    size_t n_entries;
    taken *found;
    size_t n_found;
} places;

static uint32_t bits_of(int level) { return FIRST_BITS + MORE_BITS * (uint32_t)level; }

static int level_of(const pcs_span *s)
{
    int level = 0;
    while (level + 1 < LEVELS && (s->last >> bits_of(level)) - (s->first >> bits_of(level)) >= TOUCHES) level++;
    return level;
}

static void list(places *p, int32_t i)
{
    const pcs_span *s = &p->spans[i];
    const int level = level_of(s);
    for (int32_t b = s->first >> bits_of(level); b <= s->last >> bits_of(level); b++) {
        p->entries[p->n_entries] = (entry){ i, p->heads[level][b] };
        p->heads[level][b] = (int32_t)p->n_entries++;
    }
}

/* Offsets that spans alive at the same time have. */
static void find(places *p, const pcs_span *s)
{
    p->n_found = 0;
    for (int level = 0; level < LEVELS; level++)
        for (int32_t b = s->first >> bits_of(level); b <= s->last >> bits_of(level); b++)
            for (int32_t e = p->heads[level][b]; e >= 0; e = p->entries[e].next) {
                const pcs_span *o = &p->spans[p->entries[e].span];
                if (o->first <= s->last && s->first <= o->last)
                    p->found[p->n_found++] = (taken){ o->offset, o->offset + o->bytes };
            }
}

static int by_offset(const void *a_, const void *b_)
{
    const taken *a = a_, *b = b_;
    return (a->from > b->from) - (a->from < b->from);
}

static uint64_t lowest(places *p, uint64_t bytes)
{
    uint64_t at = 0;
    qsort(p->found, p->n_found, sizeof *p->found, by_offset);
    for (size_t i = 0; i < p->n_found && p->found[i].from < at + bytes; i++)
        if (p->found[i].to > at) at = p->found[i].to;
    return at;
}

static void *open_places(precis_ctx *ctx, places *p, size_t n, int32_t end)
{
    size_t buckets = 0, at = 0;
    for (int i = 0; i < LEVELS; i++) buckets += (size_t)(end >> bits_of(i)) + 1;
    const size_t listed = TOUCHES * n;
    char *room = pcs_alloc(ctx, listed * (sizeof(taken) + sizeof(entry)) + buckets * sizeof(int32_t), 1);
    if (!room) return NULL;
    p->found = (taken *)(void *)room;
    p->entries = (entry *)(void *)(p->found + listed);
    int32_t *heads = (int32_t *)(void *)(p->entries + listed);
    for (size_t i = 0; i < buckets; i++) heads[i] = -1;
    for (int i = 0; i < LEVELS; at += (size_t)(end >> bits_of(i++)) + 1) p->heads[i] = heads + at;
    return room;
}

/* ---- offsets ------------------------------------------------------------------------------------------ */

/* One after another, as all are alive. */
static uint64_t in_a_row(pcs_span *spans, size_t n)
{
    uint64_t at = 0;
    for (size_t i = 0; i < n; at += spans[i++].bytes) spans[i].offset = at;
    return at;
}

precis_status pcs_lay_out(precis_ctx *ctx, pcs_span *spans, size_t n, bool all, uint64_t *bytes)
{
    places p = { .spans = spans };
    int32_t end = 0;
    *bytes = 0;
    if (!n) return PRECIS_OK;
    qsort(spans, n, sizeof *spans, by_size);
    if (all) return *bytes = in_a_row(spans, n), PRECIS_OK;
    for (size_t i = 0; i < n; i++) end = spans[i].last > end ? spans[i].last : end;
    void *room = open_places(ctx, &p, n, end);
    if (!room) return PRECIS_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        pcs_span *s = &spans[i];
        find(&p, s);
        s->offset = lowest(&p, s->bytes);
        list(&p, (int32_t)i);
        if (s->offset + s->bytes > *bytes) *bytes = s->offset + s->bytes;
    }
    pcs_free(ctx, room);
    return PRECIS_OK;
}
