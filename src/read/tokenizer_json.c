/* tokenizer_json.c - tokenizer.json as GGUF's keys: byte-level BPE, BPE with byte fallback (SentencePiece's),
 * WordPiece, Unigram. */
#include "read/tokenizer_parts.h"

#include <stdlib.h>

/* Entries of an object or array. */
static precis_status count(precis_ctx *ctx, pcs_json_slice s, uint64_t *n)
{
    pcs_tok_walk w;
    *n = 0;
    for (pcs_tok_walk_begin(&w, ctx, s); pcs_tok_walk_next(&w);) ++*n;
    return w.st;
}

static precis_status read_vocab(pcs_tok_words *v, pcs_json_slice s)
{
    pcs_json j;
    pcs_json_token key, t;
    int64_t id;
    char *text;
    size_t len;
    pcs_json_init(&j, v->m->ctx, s.text, s.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "vocab");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &key);
        if (st != PRECIS_OK || key.type == PCS_JSON_OBJECT_END) break;
        st = pcs_json_next(&j, &t);
        if (st == PRECIS_OK) st = pcs_json_int(&j, &t, &id, "token id");
        if (st == PRECIS_OK) st = pcs_json_string(&j, &key, &v->m->arena, &text, &len);
        if (st == PRECIS_OK) st = pcs_tok_put(v, id, text, len, 1);
    }
    return st;
}

static precis_status read_added(pcs_tok_words *v, pcs_json_slice s)
{
    pcs_tok_walk w;
    if (!s.text) return PRECIS_OK;
    for (pcs_tok_walk_begin(&w, v->m->ctx, s); pcs_tok_walk_next(&w);)
        if ((w.st = pcs_tok_put_added(v, w.value, -1))) return w.st;
    return w.st;
}

/* "a b" or ["a", "b"]; kept as "a b". */
static precis_status read_merges(precis_model *m, pcs_json_slice s, pcs_text **out, uint64_t *n)
{
    pcs_tok_walk w, pair;
    uint64_t at = 0;
    precis_status st = count(m->ctx, s, n);
    pcs_text *texts = *out = st ? NULL : pcs_arena_alloc(&m->arena, *n + 1, sizeof *texts);
    if (!texts) return st ? st : PRECIS_ENOMEM;
    for (pcs_tok_walk_begin(&w, m->ctx, s); pcs_tok_walk_next(&w);) {
        char *parts[2] = { NULL, NULL };
        size_t len[2], k = 0;
        if (w.value.text[0] == '"') {
            if ((w.st = pcs_tok_string(m, w.value, &parts[0], &len[0]))) return w.st;
            texts[at++] = (pcs_text){ parts[0], len[0] };
            continue;
        }
        for (pcs_tok_walk_begin(&pair, m->ctx, w.value); pcs_tok_walk_next(&pair); k++)
            if (k < 2 && (pair.st = pcs_tok_string(m, pair.value, &parts[k], &len[k]))) return pair.st;
        if (pair.st) return pair.st;
        if (k != 2 || !parts[0] || !parts[1])
            return pcs_json_fail(&w.j, w.value.text, "merges", "must hold strings or pairs");
        char *both = pcs_arena_alloc(&m->arena, len[0] + len[1] + 2, 1);
        if (!both) return PRECIS_ENOMEM;
        memcpy(both, parts[0], len[0]);
        both[len[0]] = ' ';
        memcpy(both + len[0] + 1, parts[1], len[1]);
        texts[at++] = (pcs_text){ both, len[0] + len[1] + 1 };
    }
    return w.st;
}

/* A byte token, "<0x41>". */
static bool is_byte(pcs_text t) { return t.len == 6 && !memcmp(t.s, "<0x", 3) && t.s[5] == '>'; }

/* Byte tokens get their type. Where some are missing, what is unknown shows, and each kind has its own way with it. */
static precis_status find_bytes(pcs_tok_words *v, const pcs_tok_parts *p)
{
    size_t n = 0;
    for (uint64_t i = 0; i < v->n; i++)
        if (v->types[i] == 1 && v->tokens[i].s && is_byte(v->tokens[i])) v->types[i] = 6, n++;
    if (n < 256 && p->kind == PCS_TOK_SPM && p->fuse_unk && p->unk)
        return pcs_fail(v->m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: tokenizer.json: model BPE with fuse_unk true and %zu of 256 byte tokens: neither GGUF nor "
                        "precis has that",
                        v->m->path, n);
    return PRECIS_OK;
}

/* ---- kinds ----------------------------------------------------------------------------------------------------------
 */

/* BERT's: GGUF marks the start of words where the file marks their inside. */
static precis_status finish_wordpiece(pcs_tok_words *v, const char *unk)
{
    static const struct {
        const char *text, *key;
    } ids[] = { { "[CLS]", "tokenizer.ggml.cls_token_id" },
                { "[SEP]", "tokenizer.ggml.seperator_token_id" },
                { NULL, "tokenizer.ggml.unknown_token_id" } };
    precis_status st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "bert", 4);
    for (uint64_t i = 0; i < v->n && !st; i++) {
        const pcs_text t = v->tokens[i];
        for (int k = 0; k < 3 && !st && t.s; k++) {
            const char *text = ids[k].text ? ids[k].text : unk;
            if (t.len == strlen(text) && !memcmp(t.s, text, t.len)) st = pcs_tok_set_id(v->m, ids[k].key, (int64_t)i);
        }
    }
    for (uint64_t i = 0; i < v->n && !st; i++) {
        pcs_text *t = &v->tokens[i];
        if (!t->s) continue;
        const bool unknown = t->len == strlen(unk) && !memcmp(t->s, unk, t->len);
        if (v->types[i] != 1 || unknown || (t->len > 1 && t->s[0] == '[' && t->s[t->len - 1] == ']')) {
            if (v->types[i] == 1) v->types[i] = unknown ? 2 : 3;
            continue;
        }
        if (t->len > 2 && t->s[0] == '#' && t->s[1] == '#') {
            t->s += 2;
            t->len -= 2;
            continue;
        }
        char *marked = pcs_arena_alloc(&v->m->arena, t->len + 4, 1);
        if (!marked) return PRECIS_ENOMEM;
        memcpy(marked, "\xe2\x96\x81", 3);
        memcpy(marked + 3, t->s, t->len);
        *t = (pcs_text){ marked, t->len + 3 };
    }
    return st ? st : pcs_tok_words_keys(v);
}

/* SentencePiece BPE: a token's score is the place of the first merge that makes it. */
static precis_status score(pcs_tok_words *v, const pcs_text *merges, uint64_t n, const char *unk)
{
    pcs_map map;
    bool existed;
    precis_status st = PRECIS_OK;
    pcs_map_init(&map, v->m->ctx);
    for (uint64_t i = 0; i < v->n && !st; i++) {
        v->scores[i] = -1e9f;
        if (v->tokens[i].s) st = pcs_map_put(&map, v->tokens[i].s, v->tokens[i].len, (uint32_t)i, &existed);
    }
    for (uint64_t r = 0; r < n && !st; r++) {
        char joined[1024];
        const pcs_text t = merges[r];
        const char *gap = t.len > 1 ? memchr(t.s + 1, ' ', t.len - 1) : NULL;
        uint32_t id;
        if (!gap || t.len > sizeof joined) continue;
        const size_t left = (size_t)(gap - t.s);
        memcpy(joined, t.s, left);
        memcpy(joined + left, gap + 1, t.len - left - 1);
        if (pcs_map_get(&map, joined, t.len - 1, &id) && v->scores[id] == -1e9f) v->scores[id] = -(float)r;
    }
    uint32_t id;
    if (!st && pcs_map_get(&map, unk, strlen(unk), &id)) v->types[id] = 2;
    pcs_map_free(&map);
    return st;
}

static precis_status finish_spm(pcs_tok_words *v, const pcs_tok_parts *p)
{
    pcs_text *merges;
    uint64_t n;
    precis_status st = read_merges(v->m, p->merges, &merges, &n);
    if (!st) st = find_bytes(v, p);
    if (!st) st = score(v, merges, n, p->unk ? p->unk : "<unk>");
    if (!st) st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "llama", 5);
    if (!st) st = pcs_tok_add_array(v->m, "tokenizer.ggml.scores", PCS_KEY_F32, v->n, v->scores);
    if (!st) st = pcs_model_set_bool(v->m, "tokenizer.ggml.add_space_prefix", p->prefix);
    return st ? st : pcs_tok_words_keys(v);
}

/* Has every byte a token? They are written as characters of U+0021 to U+0143. */
static bool all_bytes(const pcs_tok_words *v)
{
    bool seen[0x144] = { false };
    size_t n = 0;
    for (uint64_t i = 0; i < v->n; i++) {
        uint32_t c;
        const pcs_text t = v->tokens[i];
        if (!t.s || !t.len || t.len > 2 || pcs_utf8(t.s, t.len, &c) != t.len || c >= 0x144 || seen[c]) continue;
        const bool byte = (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || c >= 174;
        seen[c] = true;
        n += byte;
    }
    return n == 256;
}

static precis_status finish_bytes(pcs_tok_words *v, const pcs_tok_parts *p)
{
    precis_status st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "gpt2", 4);
    if (!st && p->unk && !all_bytes(v))
        return pcs_fail(v->m->ctx, PRECIS_EUNSUPPORTED,
                        "%s: tokenizer.json: model BPE with unk_token %.40s and a vocabulary without all bytes: "
                        "neither GGUF nor precis has that",
                        v->m->path, p->unk);
    if (!st) st = pcs_model_set_string(v->m, "tokenizer.ggml.pre", p->pre, strlen(p->pre));
    if (!st) st = pcs_tok_words_keys(v);
    pcs_text *merges;
    uint64_t n;
    if (!st) st = read_merges(v->m, p->merges, &merges, &n);
    if (!st) st = pcs_tok_add_array(v->m, "tokenizer.ggml.merges", PCS_KEY_STRING, n, merges);
    /* what the name stands for, in precis and (ignore_merges) in llama.cpp; GGUF has no keys for it */
    if (!st) st = pcs_tok_set_flag(v->m, "precis.tokenizer.nfc", p->nfc, !strcmp(p->pre, "qwen2"));
    return st ? st
              : pcs_tok_set_flag(v->m, "precis.tokenizer.ignore_merges", p->ignore_merges,
                                 !strcmp(p->pre, "llama-bpe") || !strcmp(p->pre, "tekken"));
}

static int base64(int c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* The character map of a "Precompiled" normalizer. */
static precis_status read_charsmap(precis_model *m, pcs_json_slice s)
{
    char *text;
    size_t len, n = 0;
    uint32_t bits = 0;
    int have = 0;
    const precis_status st = pcs_tok_string(m, s, &text, &len);
    if (st || !text) return st;
    uint8_t *out = pcs_arena_alloc(&m->arena, len + 4, 1);
    if (!out) return PRECIS_ENOMEM;
    for (size_t i = 0; i < len; i++) {
        const int v = base64((unsigned char)text[i]);
        if (v < 0) continue; /* padding */
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) out[n++] = (uint8_t)(bits >> (have -= 8));
    }
    return n ? pcs_tok_add_array(m, "tokenizer.ggml.precompiled_charsmap", PCS_KEY_U8, n, out) : PRECIS_OK;
}

/* Unigram's vocab is [[piece, score], ...]. */
static precis_status read_pieces(pcs_tok_words *v, pcs_json_slice words)
{
    pcs_json j;
    pcs_json_token t, text, number;
    int64_t at = 0;
    char *s;
    size_t len;
    double d;
    pcs_json_init(&j, v->m->ctx, words.text, words.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "vocab");
    for (; !st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END; at++) {
        if (t.type != PCS_JSON_ARRAY) return pcs_json_fail(&j, j.p, "vocab", "must hold pairs of a piece and a score");
        st = pcs_json_expect(&j, PCS_JSON_STRING, &text, "piece");
        if (!st) st = pcs_json_string(&j, &text, &v->m->arena, &s, &len);
        if (!st) st = pcs_tok_put(v, at, s, len, 1);
        if (!st) st = pcs_json_next(&j, &number);
        if (!st) st = pcs_json_double(&j, &number, &d, "score");
        if (!st) st = pcs_json_expect(&j, PCS_JSON_ARRAY_END, &t, "vocab");
        if (!st) v->scores[at] = (float)d;
    }
    return st;
}

static precis_status finish_unigram(pcs_tok_words *v, const pcs_tok_parts *p)
{
    precis_status st = p->byte_fallback ? find_bytes(v, p) : PRECIS_OK;
    if (p->unk_id >= 0 && (uint64_t)p->unk_id < v->n) {
        v->types[p->unk_id] = 2;
        if (!st) st = pcs_tok_set_id(v->m, "tokenizer.ggml.unknown_token_id", p->unk_id);
    }
    if (!st) st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "t5", 2);
    if (!st) st = pcs_tok_words_keys(v);
    if (!st) st = pcs_tok_add_array(v->m, "tokenizer.ggml.scores", PCS_KEY_F32, v->n, v->scores);
    if (!st) st = pcs_model_set_bool(v->m, "tokenizer.ggml.add_space_prefix", p->prefix);
    if (!st) st = pcs_model_set_bool(v->m, "tokenizer.ggml.remove_extra_whitespaces", p->squeeze);
    return st ? st : read_charsmap(v->m, p->charsmap);
}

precis_status pcs_tokenizer_json(precis_model *m, pcs_json_slice text)
{
    pcs_tok_parts p;
    pcs_tok_words v;
    uint64_t words = 0, added = 0;
    precis_status st = pcs_tok_read_parts(m, text, &p);
    if (!st) st = count(m->ctx, p.words, &words);
    if (!st && p.added.text) st = count(m->ctx, p.added, &added);
    if (!st) st = pcs_tok_words_init(&v, m, words + added, p.kind == PCS_TOK_SPM || p.kind == PCS_TOK_UNIGRAM);
    if (!st) st = p.kind == PCS_TOK_UNIGRAM ? read_pieces(&v, p.words) : read_vocab(&v, p.words);
    if (!st) st = read_added(&v, p.added);
    if (!st) st = pcs_tok_words_fill(&v);
    if (st) return st;
    switch (p.kind) {
    case PCS_TOK_WORDPIECE: st = finish_wordpiece(&v, p.unk ? p.unk : "[UNK]"); break;
    case PCS_TOK_UNIGRAM: st = finish_unigram(&v, &p); break;
    case PCS_TOK_SPM: st = finish_spm(&v, &p); break;
    case PCS_TOK_BYTES: st = finish_bytes(&v, &p); break;
    }
    return st ? st : pcs_tok_set_adds(m, p.first, p.last);
}
