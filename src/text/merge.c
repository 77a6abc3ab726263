/* merge.c - byte pair encoding: always the pair of the lowest rank, leftmost among equals (Sennrich et al.
 * 2016), in linear time.
 *
 * Pairs wait in one queue per rank. Pushes into a queue come in ascending position, but for few that a merge
 * makes after its queue's end; those go to a heap. So a run of 16 million equal letters costs a queue
 * operation per pair, not a logarithm. Short pieces, which are nearly all, are scanned directly. */
#include "text/tokenizer.h"

#include "base/stop.h"

#define NONE UINT32_MAX
#define SHORT 48

struct pcs_symbol { uint32_t id, prev, next, rank; }; /* rank: of the pair that begins here, or NONE */
struct pcs_entry { uint32_t pos, next; };

void pcs_merges_init(pcs_merges *m, precis_ctx *ctx) { *m = (pcs_merges){ .ctx = ctx }; }

void pcs_merges_free(pcs_merges *m)
{
    pcs_free(m->ctx, m->slots);
    pcs_free(m->ctx, m->symbols);
    pcs_free(m->ctx, m->entries);
    pcs_free(m->ctx, m->heads);
    pcs_free(m->ctx, m->tails);
    pcs_free(m->ctx, m->active);
    pcs_free(m->ctx, m->late);
}

static bool is_pair(const pcs_pair *p, uint32_t left, uint32_t right) { return p->left == left && p->right == right; }

static size_t slot_of(const pcs_merges *m, uint32_t left, uint32_t right)
{
    uint64_t h = (uint64_t)left << 32 | right;
    const size_t mask = m->cap - 1;
    size_t i = (size_t)pcs_rand(&h) & mask;
    while (m->slots[i].left != PCS_NO_TOKEN && !is_pair(&m->slots[i], left, right)) i = (i + 1) & mask;
    return i;
}

const pcs_pair *pcs_merges_find(const pcs_merges *m, uint32_t left, uint32_t right)
{
    if (!m->cap) return NULL;
    const pcs_pair *p = &m->slots[slot_of(m, left, right)];
    return p->left == PCS_NO_TOKEN ? NULL : p;
}

precis_status pcs_merges_add(pcs_merges *m, pcs_pair pair)
{
    if (2 * m->n >= m->cap) {
        pcs_merges old = *m;
        m->cap = old.cap ? 2 * old.cap : 1024;
        m->slots = pcs_alloc(m->ctx, m->cap, sizeof *m->slots);
        if (!m->slots) {
            *m = old;
            return PRECIS_ENOMEM;
        }
        for (size_t i = 0; i < m->cap; i++) m->slots[i].left = PCS_NO_TOKEN;
        for (size_t i = 0; i < old.cap; i++) {
            const pcs_pair *p = &old.slots[i];
            if (p->left != PCS_NO_TOKEN) m->slots[slot_of(m, p->left, p->right)] = *p;
        }
        pcs_free(m->ctx, old.slots);
    }
    pcs_pair *p = &m->slots[slot_of(m, pair.left, pair.right)];
    if (p->left == PCS_NO_TOKEN) m->n++;
    else if (p->rank <= pair.rank) return PRECIS_OK;
    *p = pair;
    if (pair.rank + 1 > m->ranks) m->ranks = pair.rank + 1;
    return PRECIS_OK;
}

precis_status pcs_merges_ready(pcs_merges *m)
{
    m->heads = pcs_alloc(m->ctx, m->ranks + 1, sizeof *m->heads);
    m->tails = pcs_alloc(m->ctx, m->ranks + 1, sizeof *m->tails);
    m->active = pcs_alloc(m->ctx, m->ranks + 1, sizeof *m->active);
    if (!m->heads || !m->tails || !m->active) return PRECIS_ENOMEM;
    for (uint32_t r = 0; r <= m->ranks; r++) m->heads[r] = NONE;
    return PRECIS_OK;
}

static precis_status merge_short(const pcs_merges *m, uint32_t *ids, size_t *n)
{
    uint32_t rank[SHORT], result[SHORT];
    for (size_t i = 0; i + 1 < *n; i++) {
        const pcs_pair *p = pcs_merges_find(m, ids[i], ids[i + 1]);
        rank[i] = p ? p->rank : NONE;
        result[i] = p ? p->result : 0;
    }
    while (*n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < *n; i++)
            if (rank[i] < rank[best]) best = i;
        if (rank[best] == NONE) break;
        ids[best] = result[best];
        for (size_t i = best + 1; i + 1 < *n; i++) {
            ids[i] = ids[i + 1];
            rank[i] = rank[i + 1];
            result[i] = result[i + 1];
        }
        --*n;
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < *n; i++) {
            const pcs_pair *p = pcs_merges_find(m, ids[i], ids[i + 1]);
            rank[i] = p ? p->rank : NONE;
            result[i] = p ? p->result : 0;
        }
    }
    return PRECIS_OK;
}

/* A binary heap of ranks that have a queue. */
static void heap_up(uint32_t *h, size_t i)
{
    for (size_t up; i && h[i] < h[up = (i - 1) / 2]; i = up) {
        const uint32_t t = h[i];
        h[i] = h[up], h[up] = t;
    }
}

static void heap_pop(uint32_t *h, size_t *n)
{
    h[0] = h[--*n];
    for (size_t i = 0, c; (c = 2 * i + 1) < *n; i = c) {
        if (c + 1 < *n && h[c + 1] < h[c]) c++;
        if (h[i] <= h[c]) break;
        const uint32_t t = h[i];
        h[i] = h[c], h[c] = t;
    }
}

/* A binary heap of (rank, position), two words each. */
static bool late_less(const uint32_t *l, size_t a, size_t b)
{
    return l[2 * a] != l[2 * b] ? l[2 * a] < l[2 * b] : l[2 * a + 1] < l[2 * b + 1];
}

static void late_swap(uint32_t *l, size_t a, size_t b)
{
    const uint32_t r = l[2 * a], p = l[2 * a + 1];
    l[2 * a] = l[2 * b], l[2 * a + 1] = l[2 * b + 1];
    l[2 * b] = r, l[2 * b + 1] = p;
}

static precis_status late_push(pcs_merges *m, uint32_t rank, uint32_t pos)
{
    if (m->n_late == m->cap_late) {
        const size_t cap = m->cap_late ? 2 * m->cap_late : 256;
        uint32_t *grown = pcs_grow(m->ctx, m->late, m->n_late * 8, cap, 8);
        if (!grown) return PRECIS_ENOMEM;
        m->late = grown;
        m->cap_late = cap;
    }
    size_t i = m->n_late++;
    m->late[2 * i] = rank, m->late[2 * i + 1] = pos;
    for (size_t up; i && late_less(m->late, i, up = (i - 1) / 2); i = up) late_swap(m->late, i, up);
    return PRECIS_OK;
}

static uint32_t late_pop(pcs_merges *m)
{
    const uint32_t pos = m->late[1];
    late_swap(m->late, 0, --m->n_late);
    for (size_t i = 0, c; (c = 2 * i + 1) < m->n_late; i = c) {
        if (c + 1 < m->n_late && late_less(m->late, c + 1, c)) c++;
        if (!late_less(m->late, c, i)) break;
        late_swap(m->late, i, c);
    }
    return pos;
}

static precis_status push(pcs_merges *m, uint32_t pos)
{
    struct pcs_symbol *s = &m->symbols[pos];
    const uint32_t right = s->next == NONE ? NONE : m->symbols[s->next].id;
    if (s->id != m->last_left || right != m->last_right) { /* runs of one letter ask the same again and again */
        m->last_left = s->id;
        m->last_right = right;
        m->last = s->next == NONE ? NULL : pcs_merges_find(m, s->id, right);
    }
    const pcs_pair *p = m->last;
    s->rank = p ? p->rank : NONE;
    if (!p) return PRECIS_OK;
    const uint32_t head = m->heads[p->rank];
    if (head != NONE && m->entries[m->tails[p->rank]].pos >= pos) return late_push(m, p->rank, pos);
    uint32_t e = m->free_entry;
    if (e != NONE) m->free_entry = m->entries[e].next;
    else {
        if (m->n_entries == m->cap_entries) {
            const size_t cap = m->cap_entries ? m->cap_entries + m->cap_entries / 2 : 4096;
            struct pcs_entry *grown = pcs_grow(m->ctx, m->entries, m->n_entries * sizeof *grown, cap, sizeof *grown);
            if (!grown) return PRECIS_ENOMEM;
            m->entries = grown;
            m->cap_entries = cap;
        }
        e = m->n_entries++;
    }
    m->entries[e] = (struct pcs_entry){ pos, NONE };
    if (head == NONE) {
        m->heads[p->rank] = e;
        m->active[m->n_active] = p->rank;
        heap_up(m->active, m->n_active++);
    } else m->entries[m->tails[p->rank]].next = e;
    m->tails[p->rank] = e;
    return PRECIS_OK;
}

/* Position and rank of the next pair; false when none is left. */
static bool pop(pcs_merges *m, uint32_t *rank, uint32_t *pos)
{
    const bool queued = m->n_active > 0;
    if (!queued && !m->n_late) return false;
    const uint32_t r = queued ? m->active[0] : NONE, e = queued ? m->heads[r] : NONE;
    if (m->n_late && (!queued || m->late[0] < r || (m->late[0] == r && m->late[1] < m->entries[e].pos))) {
        *rank = m->late[0];
        *pos = late_pop(m);
        return true;
    }
    *rank = r;
    *pos = m->entries[e].pos;
    m->heads[r] = m->entries[e].next;
    if (m->heads[r] == NONE) heap_pop(m->active, &m->n_active);
    m->entries[e].next = m->free_entry;
    m->free_entry = e;
    return true;
}

static precis_status merge_long(pcs_merges *m, uint32_t *ids, size_t *n)
{
    struct pcs_symbol *s = m->symbols;
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i < *n; i++) {
        const uint32_t before = i ? i - 1 : NONE, after = i + 1 < *n ? i + 1 : NONE;
        s[i] = (struct pcs_symbol){ ids[i], before, after, NONE };
    }
    m->n_active = m->n_late = 0;
    m->last_left = m->last_right = m->pop_left = m->pop_right = NONE;
    m->last = NULL;
    m->n_entries = 0;
    m->free_entry = NONE;
    for (uint32_t i = 0; i < *n && st == PRECIS_OK; i++) st = push(m, i);
    uint32_t rank, pos;
    for (uint64_t turn = 0; st == PRECIS_OK && pop(m, &rank, &pos); turn++) {
        if (pcs_stopped(m->ctx, turn) && (st = pcs_progress(m->ctx, "tokenize", turn, turn + 1))) break;
        if (s[pos].rank != rank || s[pos].next == NONE) continue; /* the pair is gone */
        const uint32_t right = s[pos].next;
        if (s[pos].id != m->pop_left || s[right].id != m->pop_right) {
            m->pop_left = s[pos].id;
            m->pop_right = s[right].id;
            m->pop_result = pcs_merges_find(m, s[pos].id, s[right].id)->result;
        }
        s[pos].id = m->pop_result;
        s[pos].next = s[right].next;
        s[right].rank = NONE;
        if (s[pos].next != NONE) s[s[pos].next].prev = pos;
        if (s[pos].prev != NONE) st = push(m, s[pos].prev);
        if (st == PRECIS_OK) st = push(m, pos);
    }
    while (m->n_active) m->heads[m->active[--m->n_active]] = NONE; /* after a failure */
    size_t count = 0;
    for (uint32_t i = 0; i != NONE; i = s[i].next) ids[count++] = s[i].id;
    *n = count;
    return st;
}

precis_status pcs_merge(pcs_merges *m, uint32_t *ids, size_t *n)
{
    if (*n < 2 || !m->cap) return PRECIS_OK;
    if (*n <= SHORT) return merge_short(m, ids, n);
    if (*n > m->cap_symbols) {
        pcs_free(m->ctx, m->symbols);
        m->cap_symbols = 0;
        if (!(m->symbols = pcs_grow(m->ctx, NULL, 0, *n, sizeof *m->symbols))) return PRECIS_ENOMEM;
        m->cap_symbols = *n;
    }
    return merge_long(m, ids, n);
}
