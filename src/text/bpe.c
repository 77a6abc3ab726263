/* bpe.c - see bpe.h. Words that occur often are kept once; a pair knows the words that have it, and a merge changes
 * counts of its neighbours only. */
#include "text/bpe.h"

#include "base/json.h"

/* ---- the alphabet -------------------------------------------------------------------------------- */

/* Bytes that GPT-2's alphabet writes as they are. */
static bool printable(uint32_t b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 255 && b != 173); }

uint8_t pcs_bpe_byte(uint32_t i)
{
    for (int turn = 0; turn < 2; turn++)
        for (uint32_t b = 0; b < 256; b++)
            if (printable(b) == !turn && i-- == 0) return (uint8_t)b;
    return 0;
}

static uint32_t letter_of(uint32_t byte)
{
    uint32_t next = 256;
    for (uint32_t b = 0; b < byte; b++) next += !printable(b);
    return printable(byte) ? byte : next;
}

char *pcs_bpe_written(pcs_arena *a, const pcs_text *token)
{
    char *text = pcs_arena_alloc(a, token->len + 1, 2), *p = text;
    for (uint64_t i = 0; text && i < token->len; i++) p += pcs_utf8_put(letter_of((unsigned char)token->s[i]), p);
    return text;
}

/* ---- words and pairs ------------------------------------------------------------------------------ */

typedef struct { uint64_t count; size_t at; uint32_t n; } word; /* symbols[at .. at + n) */
typedef struct { uint32_t left, right; int64_t count; uint32_t first; } pair; /* first: of its words' list */
typedef struct { uint32_t word, next; } place;
typedef struct { int64_t count; uint32_t pair; } entry; /* of the heap */

#define NONE UINT32_MAX

typedef struct {
    precis_ctx *ctx;
    pcs_bpe *b;
    pcs_map words_of; /* text -> word */
    word *words;
    size_t n_words, room_words;
    uint32_t *symbols;
    size_t n_symbols, room_symbols;
    pair *pairs;
    size_t n_pairs, room_pairs;
    uint32_t *slots; /* by hash of a pair: its index; a power of two, at most half full */
    size_t n_slots;
    place *places;
    size_t n_places, room_places;
    entry *heap;
    size_t n_heap, room_heap;
    pcs_map known; /* texts of tokens */
    size_t fresh;  /* the first pair that is not in the heap yet */
} work;

/* Room for `more` items after *n. */
static bool grow_list(precis_ctx *ctx, void **items, size_t n, size_t *cap, size_t more, size_t size)
{
    if (n + more <= *cap) return true;
    const size_t cap_new = 2 * *cap + more + 64;
    void *grown = pcs_grow(ctx, *items, n * size, cap_new, size);
    if (!grown) return false;
    *items = grown;
    *cap = cap_new;
    return true;
}
#define ROOM(w, list, more) \
    grow_list((w)->ctx, (void **)&(w)->list, (w)->n_##list, &(w)->room_##list, more, sizeof *(w)->list)

static size_t pair_slot(const work *w, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 24) & (w->n_slots - 1);
    while (w->slots[i] != NONE && (w->pairs[w->slots[i]].left != left || w->pairs[w->slots[i]].right != right))
        i = (i + 1) & (w->n_slots - 1);
    return i;
}

static bool rehash(work *w)
{
    if (2 * (w->n_pairs + 1) <= w->n_slots) return true;
    pcs_free(w->ctx, w->slots);
    w->n_slots = w->n_slots ? 2 * w->n_slots : 4096;
    w->slots = pcs_alloc(w->ctx, w->n_slots, sizeof *w->slots);
    if (!w->slots) return false;
    memset(w->slots, 0xff, w->n_slots * sizeof *w->slots);
    for (size_t i = 0; i < w->n_pairs; i++) w->slots[pair_slot(w, w->pairs[i].left, w->pairs[i].right)] = (uint32_t)i;
    return true;
}

/* The pair occurs `by` times more, in a word where it is new when `by` is positive. */
static precis_status count_pair(work *w, uint32_t left, uint32_t right, int64_t by, uint32_t in)
{
    if (!rehash(w)) return PRECIS_ENOMEM;
    const size_t slot = pair_slot(w, left, right);
    if (w->slots[slot] == NONE) {
        if (!ROOM(w, pairs, 1)) return PRECIS_ENOMEM;
        w->slots[slot] = (uint32_t)w->n_pairs;
        w->pairs[w->n_pairs++] = (pair){ left, right, 0, NONE };
    }
    pair *p = &w->pairs[w->slots[slot]];
    p->count += by;
    if (by <= 0 || (p->first != NONE && w->places[p->first].word == in)) return PRECIS_OK;
    if (w->n_places >= NONE || !ROOM(w, places, 1)) return PRECIS_ENOMEM;
    w->places[w->n_places] = (place){ in, p->first };
    p->first = (uint32_t)w->n_places++;
    return PRECIS_OK;
}

static precis_status add_word(work *w, const char *text, size_t n, const uint32_t *by_byte)
{
    uint32_t at;
    bool existed = pcs_map_get(&w->words_of, text, n, &at);
    if (existed) {
        w->words[at].count++;
        return PRECIS_OK;
    }
    if (!ROOM(w, words, 1) || !ROOM(w, symbols, n) || w->n_words == NONE - 1) return PRECIS_ENOMEM;
    w->words[w->n_words] = (word){ 1, w->n_symbols, (uint32_t)n };
    for (size_t i = 0; i < n; i++) w->symbols[w->n_symbols++] = by_byte[(unsigned char)text[i]];
    return pcs_map_put(&w->words_of, text, n, (uint32_t)w->n_words++, &existed);
}

static precis_status add_text(work *w, const char *text, size_t n, const uint32_t *by_byte)
{
    const pcs_pretokenizer *pre = pcs_pretokenizer_by_name("gpt-2");
    precis_status st = PRECIS_OK;
    for (size_t line = 0; line < n && !st;) {
        const char *end = memchr(text + line, '\n', n - line);
        const size_t stop = end ? (size_t)(end - text) + 1 : n;
        for (size_t k = 0; line < stop && !st; line += k) {
            k = pre->next(text + line, stop - line);
            st = add_word(w, text + line, k, by_byte);
        }
        if (!st) st = pcs_progress(w->ctx, "read", stop < n ? stop : n - 1, n);
    }
    return st;
}

/* ---- the heap: most often first, then lower ids --------------------------------------------------- */

static bool comes_first(const work *w, const entry *a, const entry *b)
{
    if (a->count != b->count) return a->count > b->count;
    const pair *p = &w->pairs[a->pair], *q = &w->pairs[b->pair];
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static precis_status push_pair(work *w, uint32_t index)
{
    if (w->pairs[index].count < 1) return PRECIS_OK;
    if (!ROOM(w, heap, 1)) return PRECIS_ENOMEM;
    size_t i = w->n_heap++;
    const entry e = { w->pairs[index].count, index };
    for (; i && comes_first(w, &e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
    return PRECIS_OK;
}

static entry pop_pair(work *w)
{
    const entry top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && comes_first(w, &w->heap[child + 1], &w->heap[child])) child++;
        if (!comes_first(w, &w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

/* ---- merging -------------------------------------------------------------------------------------- */

/* The token of left and right: an older one where its text is known. */
static precis_status token_of(work *w, uint32_t left, uint32_t right, uint32_t *id)
{
    pcs_bpe *b = w->b;
    const pcs_text *l = &b->tokens[left], *r = &b->tokens[right];
    char *text = pcs_arena_alloc(&b->arena, l->len + r->len + 1, 1);
    if (!text) return PRECIS_ENOMEM;
    memcpy(text, l->s, l->len);
    memcpy(text + l->len, r->s, r->len);
    bool existed = pcs_map_get(&w->known, text, l->len + r->len, id);
    if (existed) return PRECIS_OK;
    *id = b->n;
    b->tokens[b->n++] = (pcs_text){ text, l->len + r->len };
    return pcs_map_put(&w->known, text, l->len + r->len, *id, &existed);
}

/* All places of a pair in a word, from the left; its neighbours are counted anew. */
static precis_status merge_in(work *w, uint32_t index, uint32_t left, uint32_t right, uint32_t id)
{
    word *in = &w->words[index];
    uint32_t *s = w->symbols + in->at;
    const int64_t by = (int64_t)in->count;
    precis_status st = PRECIS_OK;
    for (uint32_t i = 0; i + 1 < in->n && !st; i++) {
        if (s[i] != left || s[i + 1] != right) continue;
        if (i) st = count_pair(w, s[i - 1], left, -by, index);
        if (i && !st) st = count_pair(w, s[i - 1], id, by, index);
        if (i + 2 < in->n && !st) st = count_pair(w, right, s[i + 2], -by, index);
        if (i + 2 < in->n && !st) st = count_pair(w, id, s[i + 2], by, index);
        s[i] = id;
        memmove(s + i + 1, s + i + 2, (in->n - i - 2) * sizeof *s);
        in->n--;
    }
    return st;
}

static precis_status merge(work *w, uint32_t index)
{
    pcs_bpe *b = w->b;
    const pair p = w->pairs[index];
    uint32_t id;
    precis_status st = token_of(w, p.left, p.right, &id);
    b->merges[b->n_merges][0] = p.left;
    b->merges[b->n_merges++][1] = p.right;
    for (uint32_t i = p.first; i != NONE && !st; i = w->places[i].next)
        st = merge_in(w, w->places[i].word, p.left, p.right, id);
    for (; w->fresh < w->n_pairs && !st; w->fresh++) st = push_pair(w, (uint32_t)w->fresh);
    return st;
}

static precis_status merge_all(work *w, uint32_t vocabulary)
{
    precis_status st = PRECIS_OK;
    while (w->b->n < vocabulary && w->b->n_merges < 2 * vocabulary && w->n_heap && !st) {
        const entry top = pop_pair(w);
        const int64_t now = w->pairs[top.pair].count;
        if (now != top.count) {
            st = push_pair(w, top.pair);
            continue;
        }
        st = merge(w, top.pair);
        if (!st) st = pcs_progress(w->ctx, "merge", w->b->n < vocabulary ? w->b->n : vocabulary - 1, vocabulary);
    }
    return st ? st : pcs_progress(w->ctx, "merge", vocabulary, vocabulary);
}

static precis_status begin(work *w, uint32_t vocabulary, uint32_t *by_byte)
{
    pcs_bpe *b = w->b;
    bool existed;
    b->tokens = pcs_alloc(w->ctx, vocabulary, sizeof *b->tokens);
    b->merges = pcs_alloc(w->ctx, 2 * (size_t)vocabulary, sizeof *b->merges);
    precis_status st = b->tokens && b->merges ? PRECIS_OK : PRECIS_ENOMEM;
    for (uint32_t i = 0; i < 256 && !st; i++) {
        char *s = pcs_arena_alloc(&b->arena, 2, 1);
        if (!s) return PRECIS_ENOMEM;
        s[0] = (char)pcs_bpe_byte(i);
        by_byte[(unsigned char)s[0]] = i;
        b->tokens[b->n++] = (pcs_text){ s, 1 };
        st = pcs_map_put(&w->known, s, 1, i, &existed);
    }
    return st;
}

static void close_work(work *w)
{
    pcs_map_free(&w->words_of);
    pcs_map_free(&w->known);
    void *all[] = { w->words, w->symbols, w->pairs, w->slots, w->places, w->heap };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) pcs_free(w->ctx, all[i]);
}

precis_status pcs_bpe_train(precis_ctx *ctx, pcs_bpe *b, const char *const *texts, const size_t *lens, size_t n,
                            uint32_t vocabulary)
{
    *b = (pcs_bpe){ .ctx = ctx };
    pcs_arena_init(&b->arena, ctx);
    if (vocabulary < 256 || vocabulary > 1u << 20)
        return pcs_fail(ctx, PRECIS_EINVAL, "a vocabulary of %u: bytes alone are 256, and 1048576 is the most",
                        vocabulary);
    work w = { .ctx = ctx, .b = b };
    pcs_map_init(&w.words_of, ctx);
    pcs_map_init(&w.known, ctx);
    uint32_t by_byte[256];
    precis_status st = begin(&w, vocabulary, by_byte);
    for (size_t i = 0; i < n && !st; i++) st = add_text(&w, texts[i], lens[i], by_byte);
    for (size_t i = 0; i < w.n_words && !st; i++) {
        const word *x = &w.words[i];
        for (uint32_t k = 0; k + 1 < x->n && !st; k++)
            st = count_pair(&w, w.symbols[x->at + k], w.symbols[x->at + k + 1], (int64_t)x->count, (uint32_t)i);
    }
    for (; w.fresh < w.n_pairs && !st; w.fresh++) st = push_pair(&w, (uint32_t)w.fresh);
    if (!st) st = merge_all(&w, vocabulary);
    close_work(&w);
    return st;
}

void pcs_bpe_close(pcs_bpe *b)
{
    if (!b->ctx) return;
    pcs_free(b->ctx, b->tokens);
    pcs_free(b->ctx, b->merges);
    pcs_arena_free(&b->arena);
    *b = (pcs_bpe){ 0 };
}

/* ---- as a file ------------------------------------------------------------------------------------ */

static precis_status written(const pcs_bpe *b, uint32_t id, pcs_buf *out)
{
    pcs_arena a;
    pcs_arena_init(&a, b->ctx);
    const char *text = pcs_bpe_written(&a, &b->tokens[id]);
    const precis_status st = text ? pcs_json_text(out, text, strlen(text)) : PRECIS_ENOMEM;
    pcs_arena_free(&a);
    return st;
}

precis_status pcs_bpe_json(const pcs_bpe *b, pcs_buf *out)
{
    static const char level[] = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "
                                "\"use_regex\": true}";
    precis_status st = pcs_buf_printf(out,
                                      "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, "
                                      "\"added_tokens\": [], \"normalizer\": null,\n\"pre_tokenizer\": %s,\n"
                                      "\"post_processor\": null,\n\"decoder\": %s,\n\"model\": {\"type\": \"BPE\", "
                                      "\"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
                                      "\"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, "
                                      "\"ignore_merges\": false,\n\"vocab\": {",
                                      level, level);
    for (uint32_t i = 0; i < b->n && !st; i++) {
        if (i) st = pcs_buf_printf(out, i % 8 ? ", " : ",\n");
        if (!st) st = written(b, i, out);
        if (!st) st = pcs_buf_printf(out, ": %u", i);
    }
    if (!st) st = pcs_buf_printf(out, "},\n\"merges\": [");
    for (uint32_t i = 0; i < b->n_merges && !st; i++) {
        st = pcs_buf_printf(out, "%s[", i ? i % 8 ? ", " : ",\n" : "");
        if (!st) st = written(b, b->merges[i][0], out);
        if (!st) st = pcs_buf_printf(out, ", ");
        if (!st) st = written(b, b->merges[i][1], out);
        if (!st) st = pcs_buf_printf(out, "]");
    }
    return st ? st : pcs_buf_printf(out, "]}}\n");
}
