/* duplicates.c - see duplicates.h. */
#include "train/duplicates.h"

#include "base/sha256.h"

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Where the paragraph at text ends: after the blank lines that follow it. */
static size_t paragraph(const char *text, size_t n)
{
    size_t i = 0;
    for (size_t line = 0; i < n; i++) {
        if (!blank(text[i])) line = 0;
        else if (text[i] == '\n' && ++line > 1) break;
    }
    while (i < n && blank(text[i])) i++;
    return i;
}

/* A hash of its words, as 32 letters; how many letters they have. */
static size_t words_of(const char *text, size_t n, char key[33])
{
    pcs_sha256 h;
    char hex[65];
    size_t letters = 0;
    pcs_sha256_begin(&h);
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && !blank(text[k])) k++;
        pcs_sha256_add(&h, text + i, k - i);
        letters += k - i;
        while (k < n && blank(text[k])) k++;
        pcs_sha256_add(&h, " ", 1);
        i = k;
    }
    pcs_sha256_end(&h, hex);
    memcpy(key, hex, 32);
    key[32] = 0;
    return letters;
}

precis_status pcs_drop_duplicates(pcs_map *seen, pcs_arena *keys, char *text, size_t *n, pcs_duplicates *d)
{
    size_t to = 0;
    for (size_t at = 0, len; at < *n; at += len) {
        char key[33];
        bool existed = false;
        len = paragraph(text + at, *n - at);
        d->paragraphs++;
        if (words_of(text + at, len, key) >= 32) {
            const char *own = pcs_arena_copy(keys, key, 32);
            if (!own || pcs_map_put(seen, own, 32, 0, &existed)) return PRECIS_ENOMEM;
        }
        d->again += existed;
        d->bytes += existed ? len : 0;
        if (existed) continue;
        memmove(text + to, text + at, len);
        to += len;
    }
    *n = to;
    return PRECIS_OK;
}

/* ---- overlap --------------------------------------------------------------------------------------- */

/* Rows of tokens are compared whole; the hash only finds them. Polynomial, so that it moves on by one token. */
#define FACTOR 0x9e3779b97f4a7c15u

typedef struct { uint64_t hash; uint32_t at; bool used, found; } place;

static uint64_t hash_of(const int32_t *x, size_t length)
{
    uint64_t h = 0;
    for (size_t i = 0; i < length; i++) h = h * FACTOR + (uint32_t)x[i] + 1;
    return h;
}

/* Places of held-out rows, by their hashes; cap: a power of two. */
typedef struct { place *all; size_t cap, length; const int32_t *held; } places;

/* The place of a row that is there, or of one that is not yet. */
static place *find_place(const places *p, const int32_t *x, uint64_t h)
{
    size_t i = (size_t)(h ^ h >> 32) & (p->cap - 1);
    for (; p->all[i].used; i = (i + 1) & (p->cap - 1))
        if (p->all[i].hash == h && !memcmp(p->held + p->all[i].at, x, p->length * sizeof *x)) break;
    return &p->all[i];
}

static void look_through(const places *p, const int32_t *text, size_t n)
{
    uint64_t top = 1, h = n >= p->length ? hash_of(text, p->length) : 0;
    for (size_t i = 1; i < p->length; i++) top *= FACTOR;
    for (size_t i = 0; i + p->length <= n; i++) {
        find_place(p, text + i, h)->found = true;
        if (i + p->length < n) h = (h - ((uint32_t)text[i] + 1) * top) * FACTOR + (uint32_t)text[i + p->length] + 1;
    }
}

precis_status pcs_rows_seen(precis_ctx *ctx, const int32_t *held, size_t n_held, const int32_t *text, size_t n,
                          pcs_rows_shared *o)
{
    o->rows = o->found = 0;
    if (!o->length || n_held < o->length || n_held >= UINT32_MAX) return PRECIS_OK;
    places p = { .cap = 64, .length = o->length, .held = held };
    o->rows = n_held - o->length + 1;
    while (p.cap < 2 * o->rows) p.cap *= 2;
    p.all = pcs_alloc(ctx, p.cap, sizeof *p.all);
    if (!p.all) return PRECIS_ENOMEM;
    for (uint64_t i = 0; i < o->rows; i++) {
        const uint64_t h = hash_of(held + i, p.length);
        place *at = find_place(&p, held + i, h);
        if (!at->used) *at = (place){ h, (uint32_t)i, true, false };
    }
    look_through(&p, text, n);
    for (uint64_t i = 0; i < o->rows; i++) {
        const place *at = find_place(&p, held + i, hash_of(held + i, p.length));
        o->found += at->used && at->found;
    }
    pcs_free(ctx, p.all);
    return PRECIS_OK;
}
