/* pages.c - the pool of pages: a table for each sequence, users of each page, and memory in chunks. */
#include "graph/pages.h"

/* Bytes of a chunk, in whole pages: large enough that asking for memory is rare, small beside what a sequence takes. */
enum { CHUNK = 2 << 20 };

precis_status pcs_pages_open(precis_ctx *ctx, pcs_pages *p, const pcs_heap *heap, const pcs_pages_size *size)
{
    const uint32_t sequences = size->sequences, capacity = size->capacity, most = size->most, batch = size->batch;
    *p = (pcs_pages){ .ctx = ctx, .heap = heap, .shift = 4, .sequences = sequences };
    while (p->shift < PCS_PAGE_SHIFT && 1u << p->shift < capacity) p->shift++;
    p->each = pcs_pages_of(p, capacity);
    const uint64_t all = (uint64_t)sequences * p->each;
    if (all > 1u << 30) return pcs_fail(ctx, PRECIS_EINVAL, "the KV cache is too large");
    p->most = most && most < all ? most : (uint32_t)all;
    p->room = p->most + (sequences < batch ? sequences : batch) / 2;
    p->cap_log = batch;
    p->table = pcs_alloc(ctx, (size_t)all, sizeof *p->table);
    p->at = pcs_alloc(ctx, p->room, sizeof *p->at);
    p->users = pcs_alloc(ctx, p->room, sizeof *p->users);
    p->leaving = pcs_alloc(ctx, p->room, sizeof *p->leaving);
    p->spare = pcs_alloc(ctx, p->room, sizeof *p->spare);
    p->chunks = pcs_alloc(ctx, p->room, sizeof *p->chunks);
    p->log = pcs_alloc(ctx, batch, sizeof *p->log);
    if (!p->table || !p->at || !p->users || !p->leaving || !p->spare || !p->chunks || !p->log) return PRECIS_ENOMEM;
    for (size_t i = 0; i < all && !ctx->memory.counting; i++) p->table[i] = PCS_NO_PAGE;
    return PRECIS_OK;
}

void pcs_pages_close(pcs_pages *p)
{
    if (!p->ctx) return;
    for (uint32_t i = 0; i < p->n_chunks; i++) p->heap->release(p->ctx, p->chunks[i].memory, p->chunks[i].bytes);
    pcs_free(p->ctx, p->table);
    pcs_free(p->ctx, p->at);
    pcs_free(p->ctx, p->users);
    pcs_free(p->ctx, p->leaving);
    pcs_free(p->ctx, p->spare);
    pcs_free(p->ctx, p->chunks);
    pcs_free(p->ctx, p->log);
    *p = (pcs_pages){ .ctx = NULL };
}

uint64_t pcs_pages_room(pcs_pages *p, uint64_t bytes)
{
    const uint64_t at = p->bytes;
    p->bytes += (bytes + 63) / 64 * 64;
    return at;
}

/* Memory of n more pages. */
static precis_status grow(pcs_pages *p, uint32_t n)
{
    uint64_t bytes;
    if (!pcs_mul_ok(n, p->bytes, &bytes)) return pcs_fail(p->ctx, PRECIS_ENOMEM, "the KV cache is too large");
    uint8_t *memory = p->heap->alloc(p->ctx, bytes);
    if (!memory) return PRECIS_ENOMEM;
    p->chunks[p->n_chunks].memory = memory;
    p->chunks[p->n_chunks++].bytes = bytes;
    for (uint32_t i = 0; i < n; i++) p->at[p->made + i] = memory + i * p->bytes;
    p->made += n;
    for (uint32_t i = 0; i < n; i++) p->spare[p->n_spare++] = p->made - 1 - i;
    return PRECIS_OK;
}

precis_status pcs_pages_reserve(pcs_pages *p) { return p->made < p->most ? grow(p, p->most - p->made) : PRECIS_OK; }

/* A page that nobody has. */
static precis_status one(pcs_pages *p, uint32_t *page)
{
    if (!p->n_spare) {
        const uint64_t chunk = p->bytes && p->bytes < CHUNK ? CHUNK / p->bytes : 1;
        const uint64_t rest = p->made < p->most ? p->most - p->made : 1;
        const precis_status st = grow(p, (uint32_t)(chunk < rest ? chunk : rest));
        if (st) return st;
    }
    *page = p->spare[--p->n_spare];
    p->users[*page] = 1;
    return PRECIS_OK;
}

static void leave(pcs_pages *p, uint32_t page)
{
    if (page != PCS_NO_PAGE && !--p->users[page]) p->spare[p->n_spare++] = page;
}

precis_status pcs_pages_take(pcs_pages *p, uint32_t sequence, uint32_t position)
{
    uint32_t *slot = &p->table[(size_t)sequence * p->each + (position >> p->shift)], page = PCS_NO_PAGE;
    const uint32_t old = *slot;
    if (old != PCS_NO_PAGE && p->users[old] == 1) return PRECIS_OK;
    const bool last = old != PCS_NO_PAGE && p->leaving[old] + 1 == p->users[old];
    if (p->made - p->n_spare - p->left - last >= p->most)
        return pcs_fail(p->ctx, PRECIS_ENOMEM,
                        "all %u pages of the KV cache are in use (%u tokens each): a sequence that is dropped gives "
                        "its pages back", p->most, 1u << p->shift);
    const precis_status st = one(p, &page);
    if (st) return st;
    if (old != PCS_NO_PAGE) {
        p->heap->copy(p->at[page], p->at[old], p->bytes);
        p->leaving[old]++;
        p->left += last;
    }
    p->log[p->n_log].slot = slot;
    p->log[p->n_log++].old = old; /* it keeps its user until the call is at its end: it may have to go back */
    *slot = page;
    return PRECIS_OK;
}

/* Nobody is leaving a page any more. */
static void stay(pcs_pages *p)
{
    for (uint32_t i = 0; i < p->n_log; i++)
        if (p->log[i].old != PCS_NO_PAGE) p->leaving[p->log[i].old] = 0;
    p->left = 0;
}

void pcs_pages_commit(pcs_pages *p)
{
    stay(p);
    for (uint32_t i = 0; i < p->n_log; i++) leave(p, p->log[i].old);
    p->n_log = 0;
}

void pcs_pages_undo(pcs_pages *p)
{
    stay(p);
    for (; p->n_log; p->n_log--) {
        uint32_t *slot = p->log[p->n_log - 1].slot;
        leave(p, *slot);
        *slot = p->log[p->n_log - 1].old;
    }
}

void pcs_pages_cut(pcs_pages *p, uint32_t sequence, uint32_t tokens)
{
    uint32_t *table = p->table + (size_t)sequence * p->each;
    for (uint32_t i = pcs_pages_of(p, tokens); i < p->each && table[i] != PCS_NO_PAGE; i++) {
        leave(p, table[i]);
        table[i] = PCS_NO_PAGE;
    }
}

void pcs_pages_share(pcs_pages *p, uint32_t from, uint32_t to, uint32_t tokens)
{
    const uint32_t *source = p->table + (size_t)from * p->each, n = pcs_pages_of(p, tokens);
    uint32_t *table = p->table + (size_t)to * p->each;
    for (uint32_t i = 0; i < n; i++) p->users[source[i]]++;
    pcs_pages_cut(p, to, 0);
    memcpy(table, source, n * sizeof *table);
}
