/* hf_special.c - which tokens begin and end texts: config.json, generation_config.json and tokenizer_config.json each
 * say it, as one id, a list of ids, or a text.
 *
 * GGUF has one id for the end of a text, one for the end of a turn (eot) and one for the end of a message (eom), and
 * its readers stop at each; without any they take an id of their own, which is a comma in many vocabularies. */
#include "read/hf.h"

enum { MOST = 32 }; /* ends of a text; the rest of a longer list is refused by name */

typedef struct {
    uint32_t id[MOST];
    size_t n;
} id_list;

static bool in_list(const id_list *l, uint32_t id)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->id[i] == id) return true;
    return false;
}

static precis_status add_id(pcs_json *j, const pcs_json_token *t, const char *key, id_list *l)
{
    double v;
    const precis_status st = pcs_json_double(j, t, &v, key);
    if (st) return st;
    if (!(v >= 0 && v < 4e9) || v != (double)(uint32_t)v) return PRECIS_OK; /* -1 stands for none */
    if (in_list(l, (uint32_t)v)) return PRECIS_OK;
    if (l->n == MOST) return pcs_json_fail(j, t->text, key, "has more than 32 ids");
    l->id[l->n++] = (uint32_t)v;
    return PRECIS_OK;
}

/* Adds the ids of a member: a number or a list of them. */
static precis_status read_ids(precis_ctx *ctx, pcs_json_slice object, const char *key, id_list *l)
{
    pcs_json_slice s = { 0 };
    pcs_json j;
    pcs_json_token t;
    precis_status st = object.text ? pcs_json_find(ctx, object, key, &s) : PRECIS_OK;
    if (st || !s.text) return st;
    pcs_json_init(&j, ctx, s.text, s.len);
    st = pcs_json_next(&j, &t);
    if (!st && t.type == PCS_JSON_NUMBER) return add_id(&j, &t, key, l);
    if (st || t.type != PCS_JSON_ARRAY) return st;
    while (!(st = pcs_json_next(&j, &t)) && t.type == PCS_JSON_NUMBER)
        if ((st = add_id(&j, &t, key, l))) break;
    return st;
}

/* config.json says it outside or, of a model that sees, inside of text_config. */
static precis_status read_all(precis_ctx *ctx, pcs_json_slice config, pcs_json_slice generation, const char *key,
                              id_list *l)
{
    pcs_json_slice inner = { 0 };
    precis_status st = read_ids(ctx, config, key, l);
    if (!st && !l->n) st = pcs_json_find(ctx, config, "text_config", &inner);
    if (!st && inner.text && inner.text[0] == '{') st = read_ids(ctx, inner, key, l);
    return st ? st : read_ids(ctx, generation, key, l);
}

precis_status pcs_hf_special(pcs_hf_config *c, pcs_json_slice generation)
{
    static const char *const ids[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" },
                                          { "eos_token_id", "tokenizer.ggml.eos_token_id" },
                                          { "pad_token_id", "tokenizer.ggml.padding_token_id" } };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 3 && !st; i++) {
        id_list l = { .n = 0 };
        st = read_all(c->m->ctx, c->text, generation, ids[i][0], &l);
        if (!st && l.n) st = pcs_model_set_u32(c->m, ids[i][1], l.id[0]);
    }
    return st;
}

/* The id of a token that tokenizer_config.json names by its text, plain or in an object; -1: there is none. */
static precis_status named_token(precis_model *m, pcs_json_slice settings, const char *key, int64_t *id)
{
    pcs_json_slice s = { 0 };
    pcs_json j;
    pcs_json_token t;
    char *text;
    size_t len;
    *id = -1;
    precis_status st = settings.text ? pcs_json_find(m->ctx, settings, key, &s) : PRECIS_OK;
    if (!st && s.text && s.text[0] == '{') st = pcs_json_find(m->ctx, s, "content", &s);
    if (st || !s.text || s.text[0] != '"') return st;
    pcs_json_init(&j, m->ctx, s.text, s.len);
    st = pcs_json_next(&j, &t);
    if (!st) st = pcs_json_string(&j, &t, &m->arena, &text, &len);
    const pcs_key *tokens = st ? NULL : pcs_model_key(m, "tokenizer.ggml.tokens");
    if (!tokens || tokens->type != PCS_KEY_ARRAY || tokens->item != PCS_KEY_STRING) return st;
    for (uint64_t i = 0; i < tokens->n && *id < 0; i++)
        if (tokens->v.texts[i].len == len && !memcmp(tokens->v.texts[i].s, text, len)) *id = (int64_t)i;
    return st;
}

/* Sets a key that is there, or adds it. */
static precis_status put_id(precis_model *m, const char *name, uint32_t id)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (!strcmp(m->keys[i].name, name)) {
            m->keys[i].v.u = id;
            return PRECIS_OK;
        }
    return pcs_model_set_u32(m, name, id);
}

static bool is_message_end(const precis_model *m, uint32_t id)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    if (!tokens || tokens->type != PCS_KEY_ARRAY || tokens->item != PCS_KEY_STRING || id >= tokens->n) return false;
    return tokens->v.texts[id].len == 10 && !memcmp(tokens->v.texts[id].s, "<|eom_id|>", 10);
}

/* Ends of texts beside the one that GGUF calls so: the first two have keys of their own, the whole list is ours. */
static precis_status put_others(precis_model *m, const id_list *l, uint32_t chosen)
{
    static const char *const keys[2] = { "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id" };
    bool taken[2] = { false, false };
    size_t more = 0;
    precis_status st = PRECIS_OK;
    for (int pass = 0; pass < 2; pass++) /* first those that have their key by name */
        for (size_t i = 0; i < l->n && !st; i++) {
            if (l->id[i] == chosen || is_message_end(m, l->id[i]) != !pass) continue;
            const int k = !pass ? 1 : taken[0];
            if (taken[k]) more++;
            else st = put_id(m, keys[k], l->id[i]);
            taken[k] = true;
        }
    if (more)
        pcs_warn(m->ctx,
                 "%s: %zu tokens end a text; GGUF has keys for three, and other readers find the rest only by their "
                 "names",
                 m->path, l->n);
    uint32_t *ids = pcs_arena_alloc(&m->arena, l->n, sizeof *ids);
    pcs_key *k = st || !ids ? NULL : pcs_model_add_key(m, PCS_KEY_ENDS);
    if (st || !ids || !k) return st ? st : PRECIS_ENOMEM;
    memcpy(ids, l->id, l->n * sizeof *ids);
    *k = (pcs_key){ .name = k->name, .type = PCS_KEY_ARRAY, .item = PCS_KEY_U32, .n = l->n, .v.items = ids };
    return PRECIS_OK;
}

static precis_status settle_ends(precis_model *m, pcs_json_slice config, pcs_json_slice generation,
                                 pcs_json_slice settings)
{
    id_list l = { .n = 0 };
    int64_t named;
    precis_status st = read_all(m->ctx, config, generation, "eos_token_id", &l);
    if (st || (l.n == 1 && pcs_model_key(m, "tokenizer.ggml.eos_token_id"))) return st;
    st = named_token(m, settings, "eos_token", &named);
    if (!st && !l.n) return named < 0 ? PRECIS_OK : put_id(m, "tokenizer.ggml.eos_token_id", (uint32_t)named);
    const uint32_t chosen = named >= 0 && in_list(&l, (uint32_t)named) ? (uint32_t)named : l.id[0];
    if (!st) st = put_id(m, "tokenizer.ggml.eos_token_id", chosen);
    return st || l.n < 2 ? st : put_others(m, &l, chosen);
}

/* WordPiece's texts begin with [CLS] and end with [SEP]; llama.cpp takes 101 and 102 for them where no key of other
 * models says more. */
static precis_status name_wordpiece_ends(precis_model *m)
{
    static const struct {
        const char *own, *general;
        int64_t usual;
    } ids[2] = { { "tokenizer.ggml.cls_token_id", "tokenizer.ggml.bos_token_id", 101 },
                 { "tokenizer.ggml.seperator_token_id", "tokenizer.ggml.eos_token_id", 102 } };
    const char *kind = pcs_model_string(m, "tokenizer.ggml.model");
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && kind && !strcmp(kind, "bert") && !st; i++) {
        const int64_t id = pcs_model_int(m, ids[i].own, ids[i].usual, NULL);
        if (id != ids[i].usual && !pcs_model_key(m, ids[i].general))
            st = pcs_model_set_u32(m, ids[i].general, (uint32_t)id);
    }
    return st;
}

precis_status pcs_hf_ends(precis_model *m, const char *folder)
{
    static const char *const names[3] = { "config.json", "generation_config.json", "tokenizer_config.json" };
    char *text[3] = { NULL };
    size_t len[3] = { 0 };
    precis_status st = pcs_model_index_keys(m);
    for (int i = 0; i < 3 && !st; i++) st = pcs_hf_slurp(m, folder, names[i], &text[i], &len[i]);
    if (!st && pcs_hf_type_of(m)) {
        const pcs_json_slice config = { text[0], len[0] }, generation = { text[1], len[1] },
                             settings = { text[2], len[2] };
        int64_t bos;
        st = settle_ends(m, config, generation, settings);
        if (!st && !pcs_model_key(m, "tokenizer.ggml.bos_token_id") &&
            !(st = named_token(m, settings, "bos_token", &bos)) && bos >= 0)
            st = pcs_model_set_u32(m, "tokenizer.ggml.bos_token_id", (uint32_t)bos);
        if (!st) st = pcs_model_index_keys(m);
        if (!st) st = name_wordpiece_ends(m);
    }
    for (int i = 0; i < 3; i++) pcs_free(m->ctx, text[i]);
    return st;
}
