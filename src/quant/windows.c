/* windows.c - token windows, and some of them that are spread over all. */
#include "quant/windows.h"

void pcs_windows_free(pcs_windows *w)
{
    pcs_free(w->ctx, w->ids);
    pcs_free(w->ctx, w->lengths);
    *w = (pcs_windows){ .ctx = w->ctx };
}

precis_status pcs_windows_add(pcs_windows *w, const int32_t *ids, uint32_t n)
{
    if (w->n == w->cap) {
        uint32_t *grown = pcs_grow(w->ctx, w->lengths, w->n * sizeof *grown, w->cap * 2 + 64, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        w->lengths = grown;
        w->cap = w->cap * 2 + 64;
    }
    if (w->n_ids + n > w->cap_ids) {
        const size_t cap = (w->n_ids + n) * 2;
        int32_t *grown = pcs_grow(w->ctx, w->ids, w->n_ids * sizeof *grown, cap, sizeof *grown);
        if (!grown) return PRECIS_ENOMEM;
        w->ids = grown;
        w->cap_ids = cap;
    }
    if (n) memcpy(w->ids + w->n_ids, ids, n * sizeof *ids);
    w->n_ids += n;
    w->lengths[w->n++] = n;
    if (n > w->longest) w->longest = n;
    return PRECIS_OK;
}

double pcs_spread(size_t k)
{
    double at = 0, part = 0.5;
    for (; k; k /= 2, part /= 2) at += (double)(k % 2) * part;
    return at;
}

/* The next place of n in that order; *k counts on. */
static size_t next_place(size_t *k, size_t n)
{
    size_t all = 1, place;
    while (all < n) all *= 2;
    do place = (size_t)(pcs_spread((*k)++) * (double)all);
    while (place >= n);
    return place;
}

precis_status pcs_windows_spread(const pcs_windows *all, uint64_t tokens, pcs_windows *w)
{
    *w = (pcs_windows){ .ctx = all->ctx };
    uint64_t *starts = pcs_alloc(all->ctx, all->n + 1, sizeof *starts);
    precis_status st = starts ? PRECIS_OK : PRECIS_ENOMEM;
    for (size_t i = 0; i < all->n && !st; i++) starts[i + 1] = starts[i] + all->lengths[i];
    const uint64_t wanted = all->longest && tokens < all->n_ids ? (tokens + all->longest - 1) / all->longest : all->n;
    const size_t n = wanted < all->n ? (size_t)wanted : all->n;
    for (size_t i = 0, k = 0; i < n && !st && w->n_ids < tokens; i++) {
        const size_t from = (2 * next_place(&k, n) + 1) * all->n / (2 * n);
        const uint64_t left = tokens - w->n_ids, length = left < all->lengths[from] ? left : all->lengths[from];
        /* a rest of a few tokens tells nothing, and takes a run */
        if (length < 2 || (i && 4 * left < all->longest)) break;
        st = pcs_windows_add(w, all->ids + starts[from], (uint32_t)length);
    }
    pcs_free(all->ctx, starts);
    if (st) pcs_windows_free(w);
    return st;
}

/* Does a window begin one of w's, or one of w's it? */
static bool has_window(const pcs_windows *w, const int32_t *ids, uint32_t n)
{
    const int32_t *own = w->ids;
    for (size_t i = 0; i < w->n; own += w->lengths[i++]) {
        const uint32_t both = n < w->lengths[i] ? n : w->lengths[i];
        if (!memcmp(own, ids, both * sizeof *ids)) return true;
    }
    return false;
}

precis_status pcs_windows_rest(const pcs_windows *all, const pcs_windows *but, uint64_t tokens, pcs_windows *w)
{
    const int32_t *ids = all->ids;
    pcs_windows others = { .ctx = all->ctx };
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < all->n && !st; ids += all->lengths[i++])
        if (!has_window(but, ids, all->lengths[i])) st = pcs_windows_add(&others, ids, all->lengths[i]);
    *w = (pcs_windows){ .ctx = all->ctx };
    if (!st) st = pcs_windows_spread(&others, tokens, w);
    pcs_windows_free(&others);
    return st;
}

/* Is w, but for its first token, which BOS may have taken, a part of such a window? Few tokens are by chance. */
static bool holds(const int32_t *ids, uint32_t n, const int32_t *part, uint32_t k)
{
    enum { LEAST = 16 };
    for (uint32_t at = 0; k > LEAST && at + k <= n; at++)
        if (!memcmp(ids + at + 1, part + 1, (k - 1) * sizeof *ids)) return true;
    return false;
}

precis_status pcs_windows_apart(const pcs_windows *all, const pcs_windows *from, pcs_windows *w)
{
    const int32_t *ids = all->ids;
    precis_status st = PRECIS_OK;
    *w = (pcs_windows){ .ctx = all->ctx };
    for (size_t i = 0; i < all->n && !st; ids += all->lengths[i++]) {
        const int32_t *part = from->ids;
        bool apart = true;
        for (size_t k = 0; k < from->n && apart; part += from->lengths[k++])
            apart = !holds(ids, all->lengths[i], part, from->lengths[k]);
        if (apart) st = pcs_windows_add(w, ids, all->lengths[i]);
    }
    if (st) pcs_windows_free(w);
    return st;
}
