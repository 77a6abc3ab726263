/* load.c - a tokenizer from a model's keys. */
#include "base/lack.h"
#include "base/f16.h"
#include "base/json.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>

/* GPT-2 writes bytes as printable characters: those that are printable as themselves, the others from U+0100 on. */
static int byte_of(uint32_t cp)
{
    if ((cp >= 33 && cp <= 126) || (cp >= 161 && cp <= 172) || (cp >= 174 && cp <= 255)) return (int)cp;
    if (cp < 256 || cp >= 256 + 68) return -1;
    uint32_t n = cp - 256;
    for (int b = 0; b < 256; b++) {
        const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (!printable && n-- == 0) return b;
    }
    return -1;
}

/* The bytes that a byte-level token stands for; it stays as it is when it has other characters. */
static precis_status unprint(precis_tokenizer *t, pcs_text s, pcs_text *out, bool *bytes)
{
    char *dst = pcs_arena_alloc(&t->arena, s.len + 1, 1);
    *bytes = false;
    if (!dst) return PRECIS_ENOMEM;
    size_t n = 0, k;
    for (size_t i = 0; i < s.len; i += k) {
        uint32_t cp;
        k = pcs_utf8(s.s + i, s.len - i, &cp);
        const int b = k ? byte_of(cp) : -1;
        if (b < 0) return PRECIS_OK;
        dst[n++] = (char)b;
    }
    *out = (pcs_text){ dst, n };
    *bytes = true;
    return PRECIS_OK;
}

/* SentencePiece's mark as a space. */
static precis_status unmark(precis_tokenizer *t, pcs_text s, pcs_text *out)
{
    char *dst = pcs_arena_alloc(&t->arena, s.len + 1, 1);
    if (!dst) return PRECIS_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < s.len;)
        if (i + 3 <= s.len && !memcmp(s.s + i, "\xe2\x96\x81", 3)) dst[n++] = ' ', i += 3;
        else dst[n++] = s.s[i++];
    *out = (pcs_text){ dst, n };
    return PRECIS_OK;
}

static int by_length(const void *a, const void *b) { return *(const uint16_t *)b - *(const uint16_t *)a; }

static precis_status add_special(precis_tokenizer *t, uint32_t id, pcs_text s, bool *lengths)
{
    if (!s.len || s.len > UINT16_MAX) return PRECIS_OK;
    bool existed;
    lengths[s.len] = true;
    t->special_first[(unsigned char)s.s[0]] = true;
    return pcs_map_put(&t->special, s.s, s.len, id, &existed);
}

static precis_status finish_specials(precis_tokenizer *t, const bool *lengths)
{
    size_t n = 0;
    for (size_t i = 1; i <= UINT16_MAX; i++) n += lengths[i];
    t->special_len = pcs_arena_alloc(&t->arena, n + 1, sizeof *t->special_len);
    if (!t->special_len) return PRECIS_ENOMEM;
    for (size_t i = 1, k = 0; i <= UINT16_MAX; i++)
        if (lengths[i]) t->special_len[k++] = (uint16_t)i;
    qsort(t->special_len, n, sizeof *t->special_len, by_length);
    return PRECIS_OK;
}

static precis_status add_token(precis_tokenizer *t, uint32_t i, pcs_text s, bool *lengths)
{
    bool existed;
    const uint8_t type = t->type[i];
    t->text[i] = s;
    if (type == PCS_TOKEN_CONTROL || type == PCS_TOKEN_USER) {
        const precis_status st = t->spm && type == PCS_TOKEN_USER ? unmark(t, s, &t->text[i]) : PRECIS_OK;
        return st ? st : add_special(t, i, t->text[i], lengths);
    }
    if (type == PCS_TOKEN_UNKNOWN) {
        if (t->unk < 0) t->unk = (int32_t)i;
        return PRECIS_OK;
    }
    if (type == PCS_TOKEN_BYTE) {
        char hex[8] = { 0 };
        if (s.len != 6 || memcmp(s.s, "<0x", 3)) return PRECIS_OK;
        memcpy(hex, s.s + 3, 2);
        const unsigned b = (unsigned)strtoul(hex, NULL, 16) & 255;
        if (t->byte[b] == PCS_NO_TOKEN) t->byte[b] = i;
        char *one = pcs_arena_alloc(&t->arena, 2, 1);
        if (!one) return PRECIS_ENOMEM;
        one[0] = (char)b;
        t->text[i] = (pcs_text){ one, 1 };
        return PRECIS_OK;
    }
    if (t->spm) {
        const precis_status st = t->kind == PCS_SPM ? pcs_map_put(&t->map, s.s, s.len, i, &existed)
                                                    : pcs_trie_add(&t->trie, s.s, s.len, i);
        return st ? st : unmark(t, s, &t->text[i]);
    }
    pcs_text raw;
    bool bytes;
    const precis_status st = unprint(t, s, &raw, &bytes);
    if (st || !bytes) return st; /* it has characters that no byte is written as: it never merges */
    t->text[i] = raw;
    if (raw.len == 1 && t->byte[(unsigned char)raw.s[0]] == PCS_NO_TOKEN) t->byte[(unsigned char)raw.s[0]] = i;
    return pcs_map_put(&t->map, raw.s, raw.len, i, &existed);
}

static precis_status load_tokens(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    const pcs_key *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    if (!tokens || tokens->type != PCS_KEY_ARRAY || tokens->item != PCS_KEY_STRING || !tokens->n)
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                        "%s: key tokenizer.ggml.tokens is missing; the model cannot read text", m->path);
    if (tokens->n > 1u << 24)
        return pcs_fail(t->ctx, PRECIS_EFORMAT, "%s: %llu tokens", m->path, (unsigned long long)tokens->n);
    t->n = t->n_symbols = (uint32_t)tokens->n;
    t->text = pcs_arena_alloc(&t->arena, t->n, sizeof *t->text);
    t->type = pcs_arena_alloc(&t->arena, t->n, sizeof *t->type);
    bool *lengths = pcs_alloc(t->ctx, UINT16_MAX + 1, sizeof *lengths);
    precis_status st = t->text && t->type && lengths ? PRECIS_OK : PRECIS_ENOMEM;
    for (int b = 0; b < 256; b++) t->byte[b] = PCS_NO_TOKEN;
    for (uint32_t i = 0; i < t->n && st == PRECIS_OK; i++) {
        const double type = types && types->type == PCS_KEY_ARRAY ? pcs_key_number(types, i) : 0;
        t->type[i] = type >= 1 && type <= 6 ? (uint8_t)type : PCS_TOKEN_NORMAL;
        st = add_token(t, i, tokens->v.texts[i], lengths);
    }
    if (st == PRECIS_OK) st = finish_specials(t, lengths);
    pcs_free(t->ctx, lengths);
    return st;
}

static precis_status load_merges(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *k = pcs_model_key(m, "tokenizer.ggml.merges");
    if (!k || k->type != PCS_KEY_ARRAY || k->item != PCS_KEY_STRING)
        return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED, "%s: key tokenizer.ggml.merges is missing", m->path);
    precis_status st = PRECIS_OK;
    for (uint64_t r = 0; r < k->n && r < UINT32_MAX - 1 && st == PRECIS_OK; r++) {
        const pcs_text s = k->v.texts[r];
        const char *gap = s.len > 1 ? memchr(s.s + 1, ' ', s.len - 1) : NULL;
        if (!gap) continue;
        pcs_text a, b;
        char joined[512];
        uint32_t left, right, both;
        bool one, other = false;
        st = unprint(t, (pcs_text){ s.s, (size_t)(gap - s.s) }, &a, &one);
        if (!st && one) st = unprint(t, (pcs_text){ gap + 1, s.len - (size_t)(gap - s.s) - 1 }, &b, &other);
        if (st || !other) continue;
        if (a.len + b.len > sizeof joined) continue;
        if (!pcs_map_get(&t->map, a.s, a.len, &left) || !pcs_map_get(&t->map, b.s, b.len, &right)) continue;
        memcpy(joined, a.s, a.len);
        memcpy(joined + a.len, b.s, b.len);
        if (pcs_map_get(&t->map, joined, a.len + b.len, &both))
            st = pcs_merges_add(&t->merges, (pcs_pair){ left, right, (uint32_t)r, both });
    }
    return st;
}

typedef struct { float score; uint32_t id; } scored;

static int by_score(const void *a_, const void *b_)
{
    const scored *a = a_, *b = b_;
    return a->score != b->score ? (a->score > b->score ? -1 : 1) : 0;
}

/* A single character that is no token but part of one gets an id after those of the tokens. */
static precis_status symbol_of(precis_tokenizer *t, const char *s, size_t n, uint32_t *id, bool *ok)
{
    uint32_t cp;
    *ok = pcs_map_get(&t->map, s, n, id);
    if (*ok || pcs_utf8(s, n, &cp) != n) return PRECIS_OK;
    bool existed;
    *id = t->n_symbols++;
    *ok = true;
    return pcs_map_put(&t->map, s, n, *id, &existed);
}

static precis_status find_scores(const precis_tokenizer *t, const precis_model *m, const pcs_key **scores)
{
    *scores = pcs_model_key(m, "tokenizer.ggml.scores");
    if (*scores && (*scores)->type == PCS_KEY_ARRAY && (*scores)->n == t->n) return PRECIS_OK;
    return pcs_fail(t->ctx, PRECIS_EUNSUPPORTED,
                    "%s: key tokenizer.ggml.scores is missing or has another length than the tokens", m->path);
}

/* Every way to cut a token in two is a pair; its rank is its score's place among all scores. */
static precis_status load_scores(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens"), *scores;
    const precis_status found = find_scores(t, m, &scores);
    if (found) return found;
    scored *order = pcs_alloc(t->ctx, t->n, sizeof *order);
    if (!order) return PRECIS_ENOMEM;
    for (uint32_t i = 0; i < t->n; i++) {
        const double s = pcs_key_number(scores, i);
        order[i] = (scored){ s == s ? (float)s : -3e38f, i };
    }
    qsort(order, t->n, sizeof *order, by_score);
    precis_status st = PRECIS_OK;
    uint32_t rank = 0;
    for (uint32_t k = 0; k < t->n && st == PRECIS_OK; k++) {
        if (k && order[k].score != order[k - 1].score) rank++;
        const uint32_t i = order[k].id;
        const pcs_text s = tokens->v.texts[i];
        if (t->type[i] != PCS_TOKEN_NORMAL && t->type[i] != PCS_TOKEN_UNUSED) continue;
        uint32_t self;
        if (s.len > 4096 || !pcs_map_get(&t->map, s.s, s.len, &self) || self != i) continue;
        for (size_t cut = 0, step; cut < s.len && st == PRECIS_OK; cut += step) {
            uint32_t cp, left, right;
            step = pcs_utf8(s.s + cut, s.len - cut, &cp);
            if (!step) step = 1;
            if (cut == 0) continue;
            bool ok;
            st = symbol_of(t, s.s, cut, &left, &ok);
            if (st == PRECIS_OK && ok) st = symbol_of(t, s.s + cut, s.len - cut, &right, &ok);
            if (st == PRECIS_OK && ok) st = pcs_merges_add(&t->merges, (pcs_pair){ left, right, rank, i });
        }
    }
    pcs_free(t->ctx, order);
    return st;
}

/* Texts of the symbols that are no tokens, for byte fallback. */
static precis_status name_symbols(precis_tokenizer *t)
{
    pcs_text *grown = pcs_arena_alloc(&t->arena, t->n_symbols, sizeof *grown);
    if (!grown) return PRECIS_ENOMEM;
    memcpy(grown, t->text, t->n * sizeof *grown);
    for (size_t i = 0; i < t->map.cap; i++) {
        const struct pcs_map_slot *s = &t->map.slots[i];
        if (s->key && s->value >= t->n) grown[s->value] = (pcs_text){ s->key, s->len };
    }
    t->text = grown;
    return PRECIS_OK;
}

static precis_status load_charsmap(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *map = pcs_model_key(m, "tokenizer.ggml.precompiled_charsmap");
    if (!map || map->type != PCS_KEY_ARRAY || (map->item != PCS_KEY_U8 && map->item != PCS_KEY_I8) || !map->n)
        return PRECIS_OK;
    const uint8_t *p = map->v.items;
    const uint32_t bytes = map->n >= 4 ? pcs_load32(p) : 0;
    if (map->n < 8 || bytes % 4 || bytes < 4 || bytes > map->n - 4)
        return pcs_fail(t->ctx, PRECIS_EFORMAT,
                        "%s: key tokenizer.ggml.precompiled_charsmap: %u bytes of units in %llu", m->path, bytes,
                        (unsigned long long)map->n);
    t->charsmap = pcs_arena_alloc(&t->arena, (size_t)map->n, 1);
    if (!t->charsmap) return PRECIS_ENOMEM;
    memcpy((uint8_t *)(uintptr_t)t->charsmap, p + 4, (size_t)map->n - 4);
    t->charsmap_units = bytes / 4;
    t->charsmap_text = (size_t)map->n - 4 - bytes;
    return PRECIS_OK;
}

static precis_status load_unigram(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *scores;
    const precis_status st = find_scores(t, m, &scores);
    if (st) return st;
    t->scores = pcs_arena_alloc(&t->arena, t->n, sizeof *t->scores);
    if (!t->scores) return PRECIS_ENOMEM;
    float least = 3e38f;
    for (uint32_t i = 0; i < t->n; i++) {
        const double s = pcs_key_number(scores, i);
        t->scores[i] = s == s ? (float)s : -1e10f;
        if (t->type[i] == PCS_TOKEN_NORMAL && t->scores[i] < least) least = t->scores[i];
    }
    t->unknown_score = least - 10.0f;
    return PRECIS_OK;
}

/* A text ends at each of these, whatever the file calls them. */
static precis_status load_ends(precis_tokenizer *t, const precis_model *m)
{
    const pcs_key *list = pcs_model_key(m, PCS_KEY_ENDS);
    const uint64_t more = list && list->type == PCS_KEY_ARRAY && list->n <= t->n ? list->n : 0;
    if (!(t->ends = pcs_arena_alloc(&t->arena, (size_t)more + 3, sizeof *t->ends))) return PRECIS_ENOMEM;
    t->ends[t->n_ends++] = t->eos;
    t->ends[t->n_ends++] = t->eot;
    t->ends[t->n_ends++] = (int32_t)pcs_model_int(m, "tokenizer.ggml.eom_token_id", -1, NULL);
    for (uint64_t i = 0; i < more; i++) {
        const double id = pcs_key_number(list, i);
        t->ends[t->n_ends++] = id >= 0 && id < (double)t->n ? (int32_t)id : -1;
    }
    return PRECIS_OK;
}

static void load_settings(precis_tokenizer *t, const precis_model *m)
{
    const bool words = t->kind == PCS_WORDPIECE, unigram = t->kind == PCS_UNIGRAM, spm = t->kind == PCS_SPM;
    const int bos = spm ? 1 : words ? 101 : -1, eos = spm ? 2 : words ? 102 : unigram ? 1 : -1; /* where no key says */
    t->bos = (int32_t)pcs_model_int(m, "tokenizer.ggml.bos_token_id", bos, NULL);
    t->eos = (int32_t)pcs_model_int(m, "tokenizer.ggml.eos_token_id", eos, NULL);
    if (words) { /* they are called so there */
        t->bos = (int32_t)pcs_model_int(m, "tokenizer.ggml.cls_token_id", t->bos, NULL);
        t->eos = (int32_t)pcs_model_int(m, "tokenizer.ggml.seperator_token_id", t->eos, NULL);
    }
    t->eot = (int32_t)pcs_model_int(m, "tokenizer.ggml.eot_token_id", -1, NULL);
    t->unk = (int32_t)pcs_model_int(m, "tokenizer.ggml.unknown_token_id", t->unk, NULL);
    if (t->bos < -1 || t->bos >= (int64_t)t->n) t->bos = -1;
    if (t->eos < -1 || t->eos >= (int64_t)t->n) t->eos = -1;
    if (t->eot < -1 || t->eot >= (int64_t)t->n) t->eot = -1;
    if (t->unk < -1 || t->unk >= (int64_t)t->n) t->unk = -1;
    const bool begins = spm || words || (t->pre && t->pre->bos);
    t->add_bos = pcs_model_int(m, "tokenizer.ggml.add_bos_token", begins, NULL) != 0;
    t->add_eos = pcs_model_int(m, "tokenizer.ggml.add_eos_token", words || unigram, NULL) != 0;
    t->nfc = pcs_model_int(m, "precis.tokenizer.nfc", t->pre && t->pre->nfc, NULL) != 0;
    t->whole = pcs_model_int(m, "precis.tokenizer.ignore_merges", t->pre && t->pre->whole, NULL) != 0;
    const pcs_key *flags = pcs_model_key(m, "precis.tokenizer.added_flags");
    if (flags && flags->type == PCS_KEY_ARRAY && flags->item == PCS_KEY_U8) {
        t->flags = flags->v.items; /* the model outlives it */
        t->n_flags = flags->n;     /* rows without a token have no settings */
    }
    t->squeeze = (t->kind == PCS_SPM || unigram) &&
                 pcs_model_int(m, "tokenizer.ggml.remove_extra_whitespaces", unigram, NULL) != 0;
    t->add_space = (t->kind == PCS_SPM || unigram) && pcs_model_int(m, "tokenizer.ggml.add_space_prefix", 1, NULL) != 0;
}
/* Which of the four kinds of tokenizers a model has. */
static precis_status kind_of(precis_ctx *ctx, const precis_model *model, pcs_tokenizer_kind *out)
{
    static const struct { const char *name; pcs_tokenizer_kind kind; } kinds[] = {
        { "gpt2", PCS_BPE }, { "llama", PCS_SPM }, { "bert", PCS_WORDPIECE }, { "t5", PCS_UNIGRAM }
    };
    const char *name = pcs_model_string(model, "tokenizer.ggml.model");
    const char *why = pcs_model_string(model, "precis.no_tokenizer");
    if (why) return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s; the model reads no text", why);
    const char *said = pcs_model_string(model, "general.architecture");
    if (!pcs_tokenizes(model) && (!said || !*said))
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                        "%s: it does not say which architecture it is, and whatever tokenizer it has is not looked "
                        "for: a safetensors file needs its config.json beside it",
                        model->path);
    if (!pcs_tokenizes(model))
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                        "%s: it has no tokenizer (the key tokenizer.ggml.model of a GGUF file; tokenizer.json or "
                        "tokenizer.model beside the weights of others), so the model reads no text",
                        model->path);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name)) return *out = kinds[i].kind, PRECIS_OK;
    return pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                    "%s: key tokenizer.ggml.model: \"%.40s\" is not supported (gpt2, llama, bert and t5 are)",
                    model->path, name);
}

bool pcs_tokenizes(const precis_model *m)
{
    const char *name = pcs_model_string(m, "tokenizer.ggml.model");
    return name && strcmp(name, "none") != 0; /* what a GGUF says of a model that has none */
}

precis_status precis_tokenizer_open(precis_ctx *ctx, precis_tokenizer **out, const precis_model *model)
{
    const uint64_t refused = precis_ctx_refused(ctx);
    *out = NULL;
    pcs_tokenizer_kind kind = PCS_BPE;
    precis_status st = kind_of(ctx, model, &kind);
    if (st) return st;
    const char *pre = pcs_model_string(model, "tokenizer.ggml.pre");
    precis_tokenizer *t = pcs_alloc(ctx, 1, sizeof *t);
    if (!t) return PRECIS_ENOMEM;
    t->ctx = ctx;
    t->unk = -1;
    t->kind = kind;
    t->spm = t->kind != PCS_BPE;
    t->trie.ctx = ctx;
    pcs_arena_init(&t->arena, ctx);
    pcs_map_init(&t->map, ctx);
    pcs_map_init(&t->special, ctx);
    pcs_merges_init(&t->merges, ctx);
    if (!t->spm && !(t->pre = pcs_pretokenizer_by_name(pre ? pre : "default")))
        st = pcs_fail(ctx, PRECIS_EUNSUPPORTED,
                      "%s: key tokenizer.ggml.pre: \"%.40s\" is not known (gpt-2, smollm, starcoder, llama-bpe, "
                      "qwen2, tekken and gpt-4o are)", model->path, pre);
    if (st == PRECIS_OK) st = load_tokens(t, model);
    if (st == PRECIS_OK && t->kind == PCS_UNIGRAM) st = load_unigram(t, model);
    if (st == PRECIS_OK && (t->kind == PCS_UNIGRAM || t->kind == PCS_SPM)) st = load_charsmap(t, model);
    if (st == PRECIS_OK && t->kind <= PCS_SPM) st = t->spm ? load_scores(t, model) : load_merges(t, model);
    if (st == PRECIS_OK && t->kind == PCS_SPM) st = name_symbols(t);
    if (st == PRECIS_OK) st = pcs_merges_ready(&t->merges);
    if (st == PRECIS_OK) load_settings(t, model);
    if (st == PRECIS_OK) st = load_ends(t, model);
    st = pcs_with_memory(ctx, refused, st);
    if (st != PRECIS_OK) precis_tokenizer_close(&t);
    *out = t;
    return st;
}

void precis_tokenizer_close(precis_tokenizer **tokenizer)
{
    if (!tokenizer || !*tokenizer) return;
    precis_tokenizer *t = *tokenizer;
    precis_ctx *ctx = t->ctx;
    pcs_merges_free(&t->merges);
    pcs_trie_free(&t->trie);
    pcs_map_free(&t->map);
    pcs_map_free(&t->special);
    pcs_free(ctx, t->piece);
    pcs_arena_free(&t->arena);
    pcs_free(ctx, t);
    *tokenizer = NULL;
}
