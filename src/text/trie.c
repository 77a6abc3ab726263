/* trie.c - prefixes of tokens: nodes are numbers, an edge is (node, byte) in one hash table. */
#include "text/tokenizer.h"

#define NO_NODE UINT32_MAX

static size_t edge_place(const pcs_trie *t, uint64_t key)
{
    uint64_t h = key;
    size_t i = (size_t)pcs_rand(&h) & (t->cap - 1);
    while (t->edges[i].key && t->edges[i].key != key) i = (i + 1) & (t->cap - 1);
    return i;
}

/* Keys are (node << 8 | byte) + 1, so that 0 is empty. */
static uint64_t edge_key(uint32_t node, unsigned char byte) { return ((uint64_t)node << 8 | byte) + 1; }

static precis_status grow(pcs_trie *t)
{
    const pcs_trie old = *t;
    t->cap = t->cap ? t->cap * 2 : 1024;
    t->edges = pcs_alloc(t->ctx, t->cap, sizeof *t->edges);
    if (!t->edges) {
        *t = old;
        return PRECIS_ENOMEM;
    }
    for (size_t i = 0; i < old.cap; i++)
        if (old.edges[i].key) t->edges[edge_place(t, old.edges[i].key)] = old.edges[i];
    pcs_free(t->ctx, old.edges);
    return PRECIS_OK;
}

precis_status pcs_trie_add(pcs_trie *t, const char *s, size_t n, uint32_t id)
{
    uint32_t node = 0;
    if (!n) return PRECIS_OK;
    for (size_t i = 0; i < n; i++) {
        if (t->n_edges * 2 >= t->cap && grow(t)) return PRECIS_ENOMEM;
        const uint64_t key = edge_key(node, (unsigned char)s[i]);
        const size_t at = edge_place(t, key);
        if (!t->edges[at].key) {
            if (t->n_edges >= UINT32_MAX - 2) return pcs_fail(t->ctx, PRECIS_EFORMAT, "the vocabulary is too large");
            t->edges[at].key = key;
            t->edges[at].node = (uint32_t)++t->n_edges;
            t->edges[at].id = PCS_NO_TOKEN;
        }
        node = t->edges[at].node;
        if (i + 1 == n && t->edges[at].id == PCS_NO_TOKEN) t->edges[at].id = id;
    }
    return PRECIS_OK;
}

bool pcs_trie_step(const pcs_trie *t, uint32_t *node, unsigned char byte, uint32_t *id)
{
    if (!t->cap) return false;
    const struct pcs_edge *e = &t->edges[edge_place(t, edge_key(*node, byte))];
    if (!e->key) return false;
    *node = e->node;
    *id = e->id;
    return true;
}

void pcs_trie_free(pcs_trie *t)
{
    pcs_free(t->ctx, t->edges);
    *t = (pcs_trie){ .ctx = t->ctx };
}
