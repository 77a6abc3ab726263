/* tokenizer_json.c - reading tokenizer.json. */
#include "read/tokenizer_json.h"

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

precis_status pcs_tokenizer_json(precis_model *m, pcs_json_slice text)
{
    precis_ctx *ctx = m->ctx;
    pcs_json_slice model, added, pre, type, words, merges, fallback;
    precis_status st = pcs_json_find(ctx, text, "model", &model);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, text, "added_tokens", &added);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, text, "pre_tokenizer", &pre);
    if (st != PRECIS_OK) return st;
    if (!model.text) return pcs_fail_at(ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no model");
    st = pcs_json_find(ctx, model, "type", &type);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "vocab", &words);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "merges", &merges);
    if (st == PRECIS_OK) st = pcs_json_find(ctx, model, "byte_fallback", &fallback);
    if (st != PRECIS_OK) return st;
    if (!words.text || !merges.text) return pcs_fail_at(ctx, PRECIS_EFORMAT, 0, "model", "tokenizer.json has no vocabulary or merges");
    const char *name = pre.text ? pre_name(pre) : NULL;
    if (!has(type, "\"BPE\"") || has(fallback, "true") || !name)
        return pcs_fail(ctx, PRECIS_EUNSUPPORTED, "%s: tokenizer.json: only byte-level BPE with the pre-tokenizers of GPT-2, SmolLM, "
                        "Llama 3 and Qwen2 can be read; this one has another model or pre_tokenizer", m->path);
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
    st = pcs_model_set_string(m, "tokenizer.ggml.model", "gpt2", 4);
    if (st == PRECIS_OK) st = pcs_model_set_string(m, "tokenizer.ggml.pre", name, strlen(name));
    pcs_key *k = st == PRECIS_OK ? pcs_model_add_key(m, "tokenizer.ggml.tokens") : NULL;
    if (!k) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = PCS_KEY_STRING, .n = v.n, .v.texts = v.tokens };
    if (!(k = pcs_model_add_key(m, "tokenizer.ggml.token_type"))) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = PCS_KEY_I32, .n = v.n, .v.items = v.types };
    return read_merges(m, merges);
}
