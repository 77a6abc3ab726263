/* tokenizer_json.c - reading tokenizer.json. */
#include "read/tokenizer_json.h"

#include <stdlib.h>

typedef struct {
    precis_model *m;
    precis_ctx *ctx;
    pcs_text *tokens;
    int32_t *types; /* GGUF: 1 normal, 3 control, 4 user defined */
    uint64_t n;
} vocab;

/* Entries of an object or array. */
static precis_status count(precis_ctx *ctx, pcs_json_slice s, uint64_t *n)
{
    pcs_json j;
    pcs_json_token t;
    *n = 0;
    pcs_json_init(&j, ctx, s.text, s.len);
    precis_status st = pcs_json_next(&j, &t);
    const bool object = t.type == PCS_JSON_OBJECT;
    if (st == PRECIS_OK && !object && t.type != PCS_JSON_ARRAY) return pcs_json_fail(&j, s.text, "tokenizer.json", "an object or array is missing");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st == PRECIS_OK && object && t.type == PCS_JSON_KEY) st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_OBJECT_END || t.type == PCS_JSON_ARRAY_END) break;
        st = pcs_json_skip(&j, &t);
        ++*n;
    }
    return st;
}

static precis_status put_token(vocab *v, pcs_json *j, const pcs_json_token *text, int64_t id, int32_t type)
{
    char *s;
    size_t len;
    if (id < 0 || (uint64_t)id >= v->n) return pcs_json_fail(j, text->text, "token id", "is outside of the vocabulary");
    const precis_status st = pcs_json_string(j, text, &v->m->arena, &s, &len);
    if (st != PRECIS_OK) return st;
    if (v->tokens[id].s && (v->tokens[id].len != len || memcmp(v->tokens[id].s, s, len)))
        return pcs_json_fail(j, text->text, "token id", "is given to two tokens");
    v->tokens[id] = (pcs_text){ s, len };
    v->types[id] = type;
    return PRECIS_OK;
}

static precis_status read_vocab(vocab *v, pcs_json_slice s)
{
    pcs_json j;
    pcs_json_token key, t;
    int64_t id;
    pcs_json_init(&j, v->ctx, s.text, s.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_OBJECT, &t, "vocab");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &key);
        if (st != PRECIS_OK || key.type == PCS_JSON_OBJECT_END) break;
        st = pcs_json_next(&j, &t);
        if (st == PRECIS_OK) st = pcs_json_int(&j, &t, &id, "token id");
        if (st == PRECIS_OK) st = put_token(v, &j, &key, id, 1);
    }
    return st;
}

static precis_status read_added(vocab *v, pcs_json_slice s)
{
    pcs_json j;
    pcs_json_token t;
    pcs_json_init(&j, v->ctx, s.text, s.len);
    precis_status st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "added_tokens");
    while (st == PRECIS_OK) {
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_ARRAY_END) break;
        if (t.type != PCS_JSON_OBJECT) return pcs_json_fail(&j, j.p, "added_tokens", "must hold objects");
        pcs_json_token key, content = { 0 }, value;
        int64_t id = -1;
        bool special = false;
        while ((st = pcs_json_next(&j, &key)) == PRECIS_OK && key.type == PCS_JSON_KEY) {
            st = pcs_json_next(&j, &value);
            if (st != PRECIS_OK) break;
            if (pcs_json_is(&key, "id")) st = pcs_json_int(&j, &value, &id, "added token id");
            else if (pcs_json_is(&key, "content")) content = value;
            else if (pcs_json_is(&key, "special")) special = value.type == PCS_JSON_TRUE;
            else st = pcs_json_skip(&j, &value);
            if (st != PRECIS_OK) break;
        }
        if (st != PRECIS_OK) break;
        if (content.type != PCS_JSON_STRING) return pcs_json_fail(&j, j.p, "added_tokens", "a token without content");
        st = put_token(v, &j, &content, id, special ? 3 : 4);
    }
    return st;
}

/* "a b" or ["a", "b"]; kept as "a b". */
static precis_status read_merges(precis_model *m, pcs_json_slice s)
{
    pcs_json j;
    pcs_json_token t;
    uint64_t n, at = 0;
    precis_status st = count(m->ctx, s, &n);
    if (st != PRECIS_OK) return st;
    pcs_key *k = pcs_model_add_key(m, "tokenizer.ggml.merges");
    pcs_text *texts = pcs_arena_alloc(&m->arena, n, sizeof *texts);
    if (!k || !texts) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = PCS_KEY_STRING, .n = n, .v.texts = texts };
    pcs_json_init(&j, m->ctx, s.text, s.len);
    st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "merges");
    while (st == PRECIS_OK) {
        char *a, *b;
        size_t na, nb;
        st = pcs_json_next(&j, &t);
        if (st != PRECIS_OK || t.type == PCS_JSON_ARRAY_END) break;
        if (t.type == PCS_JSON_STRING) {
            st = pcs_json_string(&j, &t, &m->arena, &a, &na);
            if (st == PRECIS_OK) texts[at++] = (pcs_text){ a, na };
            continue;
        }
        if (t.type != PCS_JSON_ARRAY) return pcs_json_fail(&j, j.p, "merges", "must hold strings or pairs");
        st = pcs_json_expect(&j, PCS_JSON_STRING, &t, "merge");
        if (st == PRECIS_OK) st = pcs_json_string(&j, &t, &m->arena, &a, &na);
        if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_STRING, &t, "merge");
        if (st == PRECIS_OK) st = pcs_json_string(&j, &t, &m->arena, &b, &nb);
        if (st == PRECIS_OK) st = pcs_json_expect(&j, PCS_JSON_ARRAY_END, &t, "merge");
        if (st != PRECIS_OK) break;
        char *pair = pcs_arena_alloc(&m->arena, na + nb + 2, 1);
        if (!pair) return PRECIS_ENOMEM;
        memcpy(pair, a, na);
        pair[na] = ' ';
        memcpy(pair + na + 1, b, nb);
        texts[at++] = (pcs_text){ pair, na + nb + 1 };
    }
    return st;
}

static bool has(pcs_json_slice s, const char *needle) { return s.text && memmem(s.text, s.len, needle, strlen(needle)); }

/* The pre-tokenizer, recognized by its parts; the names are GGUF's. */
static const char *pre_name(pcs_json_slice s)
{
    if (has(s, "\\\\p{N}{1,3}")) return "llama-bpe";
    if (has(s, "\\\\p{N}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*")) return "qwen2";
    if (has(s, "\"Split\"") || !has(s, "\"ByteLevel\"")) return NULL;
    if (has(s, "\"Digits\"")) return has(s, "\"individual_digits\": true") || has(s, "\"individual_digits\":true") ? "smollm" : NULL;
    return has(s, "\"use_regex\": false") || has(s, "\"use_regex\":false") || has(s, "\"add_prefix_space\": true") ||
                   has(s, "\"add_prefix_space\":true")
               ? NULL
               : "gpt-2";
}

/* ---- other models than byte-level BPE --------------------------------------------------------------------------- */

static precis_status add_array(precis_model *m, const char *name, pcs_key_type item, uint64_t n, const void *data)
{
    pcs_key *k = pcs_model_add_key(m, name);
    if (!k) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = item, .n = n };
    if (item == PCS_KEY_STRING) k->v.texts = data;
    else k->v.items = data;
    return PRECIS_OK;
}

/* BERT's: GGUF marks the start of words where the file marks their inside. */
static precis_status finish_wordpiece(vocab *v)
{
    for (uint64_t i = 0; i < v->n; i++) {
        pcs_text *t = &v->tokens[i];
        if (v->types[i] != 1 || (t->len > 1 && t->s[0] == '[' && t->s[t->len - 1] == ']')) {
            if (v->types[i] == 1) v->types[i] = t->len == 5 && !memcmp(t->s, "[UNK]", 5) ? 2 : 3;
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
    static const struct { const char *text, *key; } ids[] = { { "[CLS]", "tokenizer.ggml.cls_token_id" }, { "[SEP]", "tokenizer.ggml.seperator_token_id" }, { "[UNK]", "tokenizer.ggml.unknown_token_id" } };
    precis_status st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "bert", 4);
    for (uint64_t i = 0; i < v->n && !st; i++)
        for (int k = 0; k < 3 && !st; k++)
            if (v->tokens[i].len == 5 && !memcmp(v->tokens[i].s, ids[k].text, 5)) st = pcs_model_set_u32(v->m, ids[k].key, (uint32_t)i);
    return st;
}

/* A byte token, "<0x41>". */
static bool is_byte(pcs_text t) { return t.len == 6 && !memcmp(t.s, "<0x", 3) && t.s[5] == '>'; }

/* SentencePiece BPE: a token's score is the place of the first merge that makes it. */
static precis_status finish_spm(vocab *v, pcs_json_slice merges, bool prefix)
{
    const size_t n_keys = v->m->n_keys;
    precis_status st = read_merges(v->m, merges);
    if (st) return st;
    const pcs_key list = v->m->keys[n_keys];
    v->m->n_keys = n_keys; /* the scores say it */
    float *scores = pcs_arena_alloc(&v->m->arena, v->n, sizeof *scores);
    pcs_map map;
    bool existed;
    if (!scores) return PRECIS_ENOMEM;
    pcs_map_init(&map, v->ctx);
    for (uint64_t i = 0; i < v->n && !st; i++) {
        scores[i] = -1e9f;
        if (v->types[i] == 1 && is_byte(v->tokens[i])) v->types[i] = 6;
        st = pcs_map_put(&map, v->tokens[i].s, v->tokens[i].len, (uint32_t)i, &existed);
    }
    for (uint64_t r = 0; r < list.n && !st; r++) {
        char joined[1024];
        const pcs_text t = list.v.texts[r];
        const char *gap = t.len > 1 ? memchr(t.s + 1, ' ', t.len - 1) : NULL;
        uint32_t id;
        if (!gap || t.len > sizeof joined) continue;
        const size_t left = (size_t)(gap - t.s);
        memcpy(joined, t.s, left);
        memcpy(joined + left, gap + 1, t.len - left - 1);
        if (pcs_map_get(&map, joined, t.len - 1, &id) && scores[id] == -1e9f) scores[id] = -(float)r;
    }
    uint32_t unk;
    if (!st && pcs_map_get(&map, "<unk>", 5, &unk)) v->types[unk] = 2;
    pcs_map_free(&map);
    if (!st) st = pcs_model_set_string(v->m, "tokenizer.ggml.model", "llama", 5);
    if (!st) st = add_array(v->m, "tokenizer.ggml.scores", PCS_KEY_F32, v->n, scores);
    return st ? st : pcs_model_set_bool(v->m, "tokenizer.ggml.add_space_prefix", prefix);
}

static int base64(int c) { return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 : c == '+' ? 62 : c == '/' ? 63 : -1; }

/* The character map of a "Precompiled" normalizer, wherever it stands in the object. */
static precis_status read_charsmap(precis_model *m, pcs_json_slice normalizer)
{
    static const char key[] = "\"precompiled_charsmap\"";
    const char *at = normalizer.text ? memmem(normalizer.text, normalizer.len, key, sizeof key - 1) : NULL;
    if (!at) return PRECIS_OK;
    const char *end = normalizer.text + normalizer.len, *open = memchr(at + sizeof key - 1, '"', (size_t)(end - at) - sizeof key + 1);
    const char *close = open ? memchr(open + 1, '"', (size_t)(end - open - 1)) : NULL;
    if (!close) return PRECIS_OK;
    uint8_t *out = pcs_arena_alloc(&m->arena, (size_t)(close - open) + 4, 1);
    if (!out) return PRECIS_ENOMEM;
    size_t n = 0;
    uint32_t bits = 0;
    int have = 0;
    for (const char *p = open + 1; p < close; p++) {
        const int v = base64((unsigned char)*p);
        if (v < 0) continue; /* padding, and escaped slashes' backslashes */
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) out[n++] = (uint8_t)(bits >> (have -= 8));
    }
    return n ? add_array(m, "tokenizer.ggml.precompiled_charsmap", PCS_KEY_U8, n, out) : PRECIS_OK;
}

/* Unigram: vocab is [[piece, score], ...]. */
static precis_status read_unigram(precis_model *m, pcs_json_slice model, pcs_json_slice words, pcs_json_slice added, pcs_json_slice normalizer, bool prefix)
{
    vocab v = { .m = m, .ctx = m->ctx };
    pcs_json j;
    pcs_json_token t;
    uint64_t at = 0, n_added = 0;
    precis_status st = count(m->ctx, words, &v.n);
    if (!st && added.text) st = count(m->ctx, added, &n_added);
    const uint64_t pieces = v.n;
    v.n += n_added;
    if (v.n > PCS_LIMIT_VOCABULARY) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tokenizer.json: more than %d tokens", m->path, PCS_LIMIT_VOCABULARY);
    v.tokens = pcs_arena_alloc(&m->arena, v.n, sizeof *v.tokens);
    v.types = pcs_arena_alloc(&m->arena, v.n, sizeof *v.types);
    float *scores = pcs_arena_alloc(&m->arena, v.n, sizeof *scores);
    if (!v.tokens || !v.types || !scores) return PRECIS_ENOMEM;
    pcs_json_init(&j, m->ctx, words.text, words.len);
    if (!st) st = pcs_json_expect(&j, PCS_JSON_ARRAY, &t, "vocab");
    while (!st && !(st = pcs_json_next(&j, &t)) && t.type != PCS_JSON_ARRAY_END) {
        pcs_json_token text, score;
        double s;
        if (t.type != PCS_JSON_ARRAY || at >= pieces) return pcs_json_fail(&j, j.p, "vocab", "must hold pairs of a piece and a score");
        st = pcs_json_expect(&j, PCS_JSON_STRING, &text, "piece");
        if (!st) st = put_token(&v, &j, &text, (int64_t)at, 1);
        if (!st) st = pcs_json_next(&j, &score);
        if (!st) st = pcs_json_double(&j, &score, &s, "score");
        if (!st) st = pcs_json_expect(&j, PCS_JSON_ARRAY_END, &t, "vocab");
        if (!st && is_byte(v.tokens[at])) v.types[at] = 6;
        if (!st) scores[at++] = (float)s;
    }
    pcs_json_slice unk;
    if (!st) st = pcs_json_find(m->ctx, model, "unk_id", &unk);
    if (!st && added.text) st = read_added(&v, added);
    if (st) return st;
    if (unk.text && unk.text[0] >= '0' && unk.text[0] <= '9') {
        const uint64_t id = strtoull(unk.text, NULL, 10);
        if (id < pieces) v.types[id] = 2;
        st = pcs_model_set_u32(m, "tokenizer.ggml.unknown_token_id", (uint32_t)id);
    }
    while (v.n && !v.tokens[v.n - 1].s) v.n--;
    for (uint64_t i = 0; i < v.n; i++)
        if (!v.tokens[i].s) return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tokenizer.json: no token has the id %llu", m->path, (unsigned long long)i);
    if (!st) st = pcs_model_set_string(m, "tokenizer.ggml.model", "t5", 2);
    if (!st) st = add_array(m, "tokenizer.ggml.tokens", PCS_KEY_STRING, v.n, v.tokens);
    if (!st) st = add_array(m, "tokenizer.ggml.token_type", PCS_KEY_I32, v.n, v.types);
    if (!st) st = add_array(m, "tokenizer.ggml.scores", PCS_KEY_F32, v.n, scores);
    if (!st) st = pcs_model_set_bool(m, "tokenizer.ggml.add_space_prefix", prefix);
    if (!st) st = pcs_model_set_bool(m, "tokenizer.ggml.remove_extra_whitespaces", has(normalizer, "\"Strip\"") || has(normalizer, " {2,}") || has(normalizer, "\"Precompiled\""));
    return st ? st : read_charsmap(m, normalizer);
}

precis_status pcs_tokenizer_json(precis_model *m, pcs_json_slice text)
{
    precis_ctx *ctx = m->ctx;
    pcs_json_slice model, added, pre, type, words, merges, fallback, normalizer;
    precis_status st = pcs_json_find(ctx, text, "model", &model);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, text, "added_tokens", &added);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, text, "pre_tokenizer", &pre);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, text, "normalizer", &normalizer);
    if (st != PRECIS_OK) return st;
    if (!model.text) return pcs_fail_at(ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no model");
    st = pcs_json_find(ctx, model, "type", &type);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "vocab", &words);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "merges", &merges);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "byte_fallback", &fallback);
    if (st != PRECIS_OK) return st;
    const bool metaspace = has(pre, "\"Metaspace\""), never = has(pre, "\"never\""), prepend = has(normalizer, "\"Prepend\"");
    const bool bpe = has(type, "\"BPE\"") || !type.text, wordpiece = has(type, "\"WordPiece\""), spm = bpe && has(fallback, "true");
    if (words.text && has(type, "\"Unigram\"")) return read_unigram(m, model, words, added, normalizer, metaspace && !never);
    if (!words.text || (bpe && !merges.text)) return pcs_fail_at(ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no vocabulary or merges");
    const char *name = pre.text && bpe && !spm ? pre_name(pre) : NULL;
    if (!wordpiece && !spm && !name)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: tokenizer.json: byte-level BPE with the pre-tokenizers of GPT-2, SmolLM, Llama 3 and Qwen2, BPE with byte fallback, "
                        "WordPiece and Unigram can be read; this one has another model or pre_tokenizer", m->path);
    uint64_t n_added = 0;
    vocab v = { .m = m, .ctx = ctx };
    st = count(ctx, words, &v.n);
    if (st == PRECIS_OK && added.text) st = count(ctx, added, &n_added);
    if (st != PRECIS_OK) return st;
    v.n += n_added;
    if (v.n > PCS_LIMIT_VOCABULARY) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: tokenizer.json: more than %d tokens", m->path, PCS_LIMIT_VOCABULARY);
    v.tokens = pcs_arena_alloc(&m->arena, v.n, sizeof *v.tokens);
    v.types = pcs_arena_alloc(&m->arena, v.n, sizeof *v.types);
    if (!v.tokens || !v.types) return PRECIS_ENOMEM;
    st = read_vocab(&v, words);
    if (st == PRECIS_OK && added.text) st = read_added(&v, added);
    if (st != PRECIS_OK) return st;
    while (v.n && !v.tokens[v.n - 1].s) v.n--; /* added tokens that were in the vocabulary already */
    for (uint64_t i = 0; i < v.n; i++)
        if (!v.tokens[i].s) return pcs_fail(ctx, PRECIS_EFORMAT, "%s: tokenizer.json: no token has the id %llu", m->path, (unsigned long long)i);
    if (wordpiece) st = finish_wordpiece(&v);
    else if (spm) st = finish_spm(&v, merges, prepend || (metaspace && !never));
    else {
        st = pcs_model_set_string(m, "tokenizer.ggml.model", "gpt2", 4);
        if (st == PRECIS_OK) st = pcs_model_set_string(m, "tokenizer.ggml.pre", name, strlen(name));
    }
    if (!st) st = add_array(m, "tokenizer.ggml.tokens", PCS_KEY_STRING, v.n, v.tokens);
    if (!st) st = add_array(m, "tokenizer.ggml.token_type", PCS_KEY_I32, v.n, v.types);
    return st || wordpiece || spm ? st : read_merges(m, merges);
}
