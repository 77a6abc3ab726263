/* tokenizer_words.c - the words of a tokenizer: ids, gaps between them, added tokens and their settings, as GGUF's
 * arrays. */
#include "read/tokenizer_parts.h"

#include <stdlib.h>

pcs_key *pcs_tok_key(const precis_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (!strcmp(m->keys[i].name, name)) return &m->keys[i];
    return NULL;
}

precis_status pcs_tok_add_array(precis_model *m, const char *name, pcs_key_type item, uint64_t n, const void *data)
{
    pcs_key *k = pcs_tok_key(m, name);
    if (!k) k = pcs_model_add_key(m, name);
    if (!k) return PRECIS_ENOMEM;
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = item, .n = n };
    if (item == PCS_KEY_STRING) k->v.texts = data;
    else k->v.items = data;
    return PRECIS_OK;
}

precis_status pcs_tok_set_id(precis_model *m, const char *name, int64_t id)
{
    pcs_key *k = pcs_tok_key(m, name);
    if (!k) return pcs_model_set_u32(m, name, (uint32_t)id);
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_U32, .v.u = (uint32_t)id };
    return PRECIS_OK;
}

precis_status pcs_tok_set_flag(precis_model *m, const char *name, bool value, bool usual)
{
    pcs_key *k = pcs_tok_key(m, name);
    if (!k) return value == usual ? PRECIS_OK : pcs_model_set_bool(m, name, value);
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_BOOL, .v.u = value };
    return PRECIS_OK;
}

uint64_t pcs_tok_rows(const precis_model *m)
{
    for (size_t i = 0; i < m->n_tensors; i++) { /* they may not have been indexed yet */
        const pcs_tensor *t = &m->tensors[i];
        const pcs_place is = pcs_place_of(t->name);
        if (is.role == PCS_ROLE_token_embd && is.end == PCS_END_weight && t->dims == 2 && t->ne[1] > 0)
            return (uint64_t)t->ne[1];
    }
    return 0;
}

precis_status pcs_tok_words_init(pcs_tok_words *w, precis_model *m, uint64_t named, bool scores)
{
    const uint64_t rows = pcs_tok_rows(m);
    *w = (pcs_tok_words){ .m = m, .cap = named > rows ? named : rows }; /* ids with gaps lie within the embedding */
    if (w->cap > PCS_LIMIT_VOCABULARY)
        return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: more than %d tokens", m->path, PCS_LIMIT_VOCABULARY);
    w->tokens = pcs_arena_alloc(&m->arena, w->cap + 1, sizeof *w->tokens);
    w->types = pcs_arena_alloc(&m->arena, w->cap + 1, sizeof *w->types);
    w->flags = pcs_arena_alloc(&m->arena, w->cap + 1, sizeof *w->flags);
    w->scores = scores ? pcs_arena_alloc(&m->arena, w->cap + 1, sizeof *w->scores) : NULL;
    return w->tokens && w->types && w->flags && (w->scores || !scores) ? PRECIS_OK : PRECIS_ENOMEM;
}

precis_status pcs_tok_put(pcs_tok_words *w, int64_t id, const char *s, size_t len, int32_t type)
{
    if (id < 0 || (uint64_t)id >= w->cap)
        return pcs_fail_at(w->m->ctx, PRECIS_EFORMAT, 0, "token id",
                           "is outside of the vocabulary: \"%.*s\" has %lld of %llu", (int)(len < 40 ? len : 40), s,
                           (long long)id, (unsigned long long)w->cap);
    pcs_text *t = &w->tokens[id];
    if (t->s && (t->len != len || memcmp(t->s, s, len)))
        return pcs_fail_at(w->m->ctx, PRECIS_EFORMAT, 0, "token id",
                           "is given to two tokens: %lld to \"%.*s\" and \"%.*s\"", (long long)id,
                           (int)(t->len < 40 ? t->len : 40), t->s, (int)(len < 40 ? len : 40), s);
    *t = (pcs_text){ s, len };
    w->types[id] = type;
    if ((uint64_t)id >= w->n) w->n = (uint64_t)id + 1;
    return PRECIS_OK;
}

precis_status pcs_tok_put_added(pcs_tok_words *w, pcs_json_slice object, int64_t id)
{
    static const struct {
        const char *key;
        uint8_t bit;
    } settings[] = { { "lstrip", PCS_ADDED_LSTRIP },
                     { "rstrip", PCS_ADDED_RSTRIP },
                     { "single_word", PCS_ADDED_WORD } };
    pcs_tok_walk k;
    char *content = NULL;
    size_t len = 0;
    bool special = false;
    const bool own = id < 0; /* the object says its id */
    uint8_t flags = 0;
    for (pcs_tok_walk_begin(&k, w->m->ctx, object); pcs_tok_walk_next(&k);) {
        bool known = pcs_json_is(&k.key, "normalized") ||
                     pcs_json_is(&k.key, "__type"); /* what the normalizers that are read do changes no added token */
        if (pcs_json_is(&k.key, "id"))
            known = true, id = !own                                           ? id
                               : *k.value.text >= '0' && *k.value.text <= '9' ? strtoll(k.value.text, NULL, 10)
                                                                              : -1;
        else if (pcs_json_is(&k.key, "content")) known = true, k.st = pcs_tok_string(w->m, k.value, &content, &len);
        else if (pcs_json_is(&k.key, "special")) known = true, special = pcs_tok_true(k.value);
        for (size_t i = 0; i < 3; i++)
            if (pcs_json_is(&k.key, settings[i].key))
                known = true, flags |= pcs_tok_true(k.value) ? settings[i].bit : 0;
        if (k.st) return k.st;
        if (!known)
            return pcs_fail(w->m->ctx, PRECIS_EUNSUPPORTED,
                            "%s: an added token with the key %.*s: precis does not know it", w->m->path,
                            (int)(k.key.len < 40 ? k.key.len : 40), k.key.text);
    }
    if (k.st) return k.st;
    if (!content) return pcs_fail_at(w->m->ctx, PRECIS_EFORMAT, 0, "added_tokens", "a token without content");
    const precis_status st = pcs_tok_put(w, id, content, len, special ? 3 : 4);
    if (!st) w->flags[id] = flags;
    return st;
}

precis_status pcs_tok_words_fill(pcs_tok_words *w)
{
    precis_model *m = w->m;
    const uint64_t rows = pcs_tok_rows(m);
    for (uint64_t i = 0; i < w->n; i++) {
        if (w->tokens[i].s) continue;
        if (!rows)
            return pcs_fail(m->ctx, PRECIS_EFORMAT, "%s: tokenizer: no token has the id %llu", m->path,
                            (unsigned long long)i);
        const char *filler = pcs_arena_printf(&m->arena, "[PAD%llu]", (unsigned long long)i);
        if (!filler) return PRECIS_ENOMEM;
        w->tokens[i] = (pcs_text){ filler, strlen(filler) };
        w->types[i] = 5;
        if (w->scores) w->scores[i] = -10000.0f;
    }
    return PRECIS_OK;
}

precis_status pcs_tok_words_keys(pcs_tok_words *w)
{
    precis_model *m = w->m;
    bool any = false;
    for (uint64_t i = 0; i < w->n; i++) any |= w->flags[i] != 0;
    precis_status st = pcs_tok_add_array(m, "tokenizer.ggml.tokens", PCS_KEY_STRING, w->n, w->tokens);
    if (!st) st = pcs_tok_add_array(m, "tokenizer.ggml.token_type", PCS_KEY_I32, w->n, w->types);
    return st || !any ? st : pcs_tok_add_array(m, "precis.tokenizer.added_flags", PCS_KEY_U8, w->n, w->flags);
}

/* What is usual for a kind, when no key says it, is what llama.cpp takes for it. */
bool pcs_tok_usual(const precis_model *m, bool first)
{
    const pcs_key *kind = pcs_tok_key(m, "tokenizer.ggml.model"), *pre = pcs_tok_key(m, "tokenizer.ggml.pre");
    const char *name = kind && kind->type == PCS_KEY_STRING ? kind->v.text.s : "";
    if (!strcmp(name, "bert")) return true;
    if (!strcmp(name, "t5")) return !first;
    const char *cut = pre && pre->type == PCS_KEY_STRING ? pre->v.text.s : "";
    return first && (!strcmp(name, "llama") || !strcmp(cut, "llama-bpe") || !strcmp(cut, "tekken"));
}

precis_status pcs_tok_set_adds(precis_model *m, int64_t first, int64_t last)
{
    const pcs_key *kind = pcs_tok_key(m, "tokenizer.ggml.model"), *end = pcs_tok_key(m, "tokenizer.ggml.eos_token_id");
    const bool bert = kind && kind->type == PCS_KEY_STRING && !strcmp(kind->v.text.s, "bert");
    precis_status st = pcs_tok_set_flag(m, "tokenizer.ggml.add_bos_token", first >= 0, pcs_tok_usual(m, true));
    if (!st) st = pcs_tok_set_flag(m, "tokenizer.ggml.add_eos_token", last >= 0, pcs_tok_usual(m, false));
    if (!st && first >= 0)
        st = pcs_tok_set_id(m, bert ? "tokenizer.ggml.cls_token_id" : "tokenizer.ggml.bos_token_id", first);
    if (st || last < 0) return st;
    if (bert) return pcs_tok_set_id(m, "tokenizer.ggml.seperator_token_id", last);
    /* what ends a text here need not be what ends an answer: that one is kept as the end of a turn */
    if (end && end->type == PCS_KEY_U32 && end->v.u != (uint64_t)last && !pcs_tok_key(m, "tokenizer.ggml.eot_token_id"))
        st = pcs_model_set_u32(m, "tokenizer.ggml.eot_token_id", (uint32_t)end->v.u);
    return st ? st : pcs_tok_set_id(m, "tokenizer.ggml.eos_token_id", last);
}
