/* tokenizer_config.c - what stands beside a tokenizer: tokenizer_config.json, and added_tokens.json beside
 * SentencePiece's tokenizer.model.
 *
 * transformers lets tokenizer_config.json say whether texts get a token at their beginning and end; it overrides
 * tokenizer.json there, as llama.cpp's converter has it, too. */
#include "read/tokenizer_parts.h"

#include <stdlib.h>

typedef struct {
    precis_model *m;
    pcs_json_slice add_bos, add_eos, decoder, token[2]; /* bos, eos */
} settings;

/* A token of tokenizer_config.json: its text, or an object with it as content. */
static precis_status token_text(precis_model *m, pcs_json_slice v, char **out, size_t *len)
{
    pcs_json_slice content = v;
    const precis_status st = v.text && v.text[0] == '{' ? pcs_json_find(m->ctx, v, "content", &content) : PRECIS_OK;
    return st ? st : pcs_tok_string(m, content, out, len);
}

/* The id of a token by its text, or -1. */
static int64_t id_of(precis_model *m, const char *s, size_t len)
{
    const pcs_key *k = pcs_tok_key(m, "tokenizer.ggml.tokens");
    for (uint64_t i = 0; k && k->type == PCS_KEY_ARRAY && k->item == PCS_KEY_STRING && i < k->n; i++)
        if (k->v.texts[i].len == len && !memcmp(k->v.texts[i].s, s, len)) return (int64_t)i;
    return -1;
}

static bool is_kind(precis_model *m, const char *kind)
{
    const pcs_key *k = pcs_tok_key(m, "tokenizer.ggml.model");
    return k && k->type == PCS_KEY_STRING && !strcmp(k->v.text.s, kind);
}

/* Keys of tokenizer_config.json that must have one value (texts as in JSON; several are parted by |), for tokenizers of
 * one kind or all. */
static const struct { const char *key, *kind, *only;
} fixed[] = {
    { "split_special_tokens", NULL, "false|null" }, { "add_prefix_space", "gpt2", "false|null" },
    { "do_lower_case", "bert", "true|null" },       { "tokenize_chinese_chars", "bert", "true|null" },
    { "strip_accents", "bert", "true|null" },       { "do_basic_tokenize", "bert", "true|null" },
};

/* Keys that change no id: names and classes of Python's side, lengths and sides at which batches are cut and padded,
 * how ids become text, tokens that are added tokens anyway, SentencePiece's sampling, and what legacy settings say of
 * texts behind special tokens, where GGUF has one way only. The chat template is read by hf_template.c. */
static const char *const harmless[] = {
    "tokenizer_class",
    "model_max_length",
    "name_or_path",
    "special_tokens_map_file",
    "tokenizer_file",
    "auto_map",
    "processor_class",
    "use_fast",
    "truncation_side",
    "padding_side",
    "pad_to_multiple_of",
    "pad_token_type_id",
    "max_length",
    "stride",
    "truncation_strategy",
    "truncation",
    "padding",
    "model_input_names",
    "clean_up_tokenization_spaces",
    "spaces_between_special_tokens",
    "use_default_system_prompt",
    "additional_special_tokens",
    "extra_special_tokens",
    "sp_model_kwargs",
    "legacy",
    "chat_template",
    "cls_token",
    "sep_token",
    "mask_token",
    "unk_token",
    "pad_token",
    "errors",
    "from_slow",
    "return_token_type_ids",
    "verbose",
    "backend",
    "is_local",
    "local_files_only",
    "extra_ids",
    "never_split",
    "trust_remote_code",
    "vocab_file",
    "merges_file",
    "tokenizer_type",
    "image_token",
    "boi_token",
    "eoi_token",
    "fix_mistral_regex",
    "add_prefix_space",
    "do_lower_case",
    "tokenize_chinese_chars",
    "strip_accents",
    "do_basic_tokenize",
    "response_schema",
    "token_type_ids_pattern",
    "token_type_ids_include_special_tokens",
    "init_inputs",
    "model_specific_special_tokens",
    "unk_id",
    "eos_id",
    "bos_id",
    "pad_id",
};

static bool listed(const pcs_json_token *key)
{
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (pcs_json_is(key, harmless[i])) return true;
    return false;
}

static precis_status read_settings(settings *s, pcs_json_slice text)
{
    const struct { const char *key; pcs_json_slice *to;
    } keys[] = { { "add_bos_token", &s->add_bos },
                 { "add_eos_token", &s->add_eos },
                 { "added_tokens_decoder", &s->decoder },
                 { "bos_token", &s->token[0] },
                 { "eos_token", &s->token[1] } };
    pcs_tok_walk w;
    if (!text.text) return PRECIS_OK;
    for (pcs_tok_walk_begin(&w, s->m->ctx, text); pcs_tok_walk_next(&w);) {
        bool known = false;
        const int len = (int)(w.key.len < 60 ? w.key.len : 60);
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (pcs_json_is(&w.key, keys[i].key)) *keys[i].to = w.value, known = true;
        for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
            if (!pcs_json_is(&w.key, fixed[i].key) || (fixed[i].kind && !is_kind(s->m, fixed[i].kind))) continue;
            const char *hit = memmem(fixed[i].only, strlen(fixed[i].only), w.value.text, w.value.len);
            known = true;
            if (!hit)
                return pcs_fail(s->m->ctx, PRECIS_EUNSUPPORTED,
                                "%s: tokenizer_config.json: %.*s of %.*s: neither GGUF nor precis has that", s->m->path,
                                len, w.key.text, (int)(w.value.len < 60 ? w.value.len : 60), w.value.text);
        }
        if (!known && !listed(&w.key))
            pcs_warn(s->m->ctx, "%s: tokenizer_config.json: precis does not know the key %.*s; it was not used",
                     s->m->path, len, w.key.text);
    }
    return w.st;
}

/* ---- tokens beside tokenizer.model
 * ------------------------------------------------------------------------------------ */

/* Is the text named anywhere in the values of an object: in a string, in a list of strings, or as content? */
static precis_status named(precis_model *m, pcs_json_slice v, const char *s, size_t len, int depth, bool *yes)
{
    pcs_tok_walk w;
    char *text;
    size_t n;
    precis_status st = pcs_tok_string(m, v, &text, &n);
    if (st || *yes || depth > 3 || !v.text) return st;
    if (text) *yes = n == len && !memcmp(text, s, n);
    if (v.text[0] != '{' && v.text[0] != '[') return PRECIS_OK;
    for (pcs_tok_walk_begin(&w, m->ctx, v); pcs_tok_walk_next(&w);)
        if ((w.st = named(m, w.value, s, len, depth + 1, yes))) return w.st;
    return w.st;
}

/* added_tokens.json: text -> id. One that special_tokens_map.json names is a control token. */
static precis_status put_added_file(pcs_tok_words *v, pcs_json_slice added, pcs_json_slice special)
{
    pcs_tok_walk w;
    char *s;
    size_t len;
    if (!added.text) return PRECIS_OK;
    for (pcs_tok_walk_begin(&w, v->m->ctx, added); pcs_tok_walk_next(&w);) {
        bool control = false;
        if (!w.object) return pcs_json_fail(&w.j, added.text, "added_tokens.json", "must be an object");
        precis_status st = pcs_json_string(&w.j, &w.key, &v->m->arena, &s, &len);
        const int64_t id = *w.value.text >= '0' && *w.value.text <= '9' ? strtoll(w.value.text, NULL, 10) : -1;
        if (!st) st = named(v->m, special, s, len, 0, &control);
        const bool has = id >= 0 && (uint64_t)id < v->n && v->tokens[id].s;
        if (!st) st = pcs_tok_put(v, id, s, len, has ? v->types[id] : control ? 3 : 4);
        if (st) return st;
        if (!has) v->scores[id] = -1000.0f;
    }
    return w.st;
}

/* added_tokens_decoder: id -> settings. It may give a piece of the model another text. */
static precis_status put_decoder(pcs_tok_words *v, pcs_json_slice decoder)
{
    pcs_tok_walk w;
    if (!decoder.text) return PRECIS_OK;
    for (pcs_tok_walk_begin(&w, v->m->ctx, decoder); pcs_tok_walk_next(&w);) {
        const int64_t id = w.object && *w.key.text >= '0' && *w.key.text <= '9' ? strtoll(w.key.text, NULL, 10) : -1;
        if (id < 0 || (uint64_t)id >= v->cap)
            return pcs_json_fail(&w.j, w.value.text, "added_tokens_decoder", "has an id outside of the vocabulary");
        const int32_t type = v->types[id];
        if (!v->tokens[id].s) v->scores[id] = -1000.0f;
        v->tokens[id].s = NULL;
        if ((w.st = pcs_tok_put_added(v, w.value, id))) return w.st;
        if (type == 2 || type == 3 || type == 6)
            v->types[id] = type; /* the model's unknown, control and byte pieces stay what they are */
    }
    return w.st;
}

/* The model's pieces, then those that were added; with the embedding's rows in mind. */
static precis_status extend(precis_model *m, pcs_json_slice decoder, pcs_json_slice added, pcs_json_slice special)
{
    pcs_tok_words v;
    pcs_tok_walk w;
    const pcs_key *tokens = pcs_tok_key(m, "tokenizer.ggml.tokens"),
                  *types = pcs_tok_key(m, "tokenizer.ggml.token_type"),
                  *scores = pcs_tok_key(m, "tokenizer.ggml.scores");
    if (!tokens || !types || !scores) return PRECIS_OK;
    uint64_t n = tokens->n;
    const pcs_json_slice lists[] = { decoder, added };
    for (int i = 0; i < 2; i++) {
        if (!lists[i].text) continue;
        for (pcs_tok_walk_begin(&w, m->ctx, lists[i]); pcs_tok_walk_next(&w);) n++;
        if (w.st) return w.st;
    }
    precis_status st = pcs_tok_words_init(&v, m, n, true);
    if (st) return st;
    v.n = tokens->n;
    memcpy(v.tokens, tokens->v.texts, v.n * sizeof *v.tokens);
    memcpy(v.types, types->v.items, v.n * sizeof *v.types);
    memcpy(v.scores, scores->v.items, v.n * sizeof *v.scores);
    st = put_added_file(&v, added, special);
    if (!st) st = put_decoder(&v, decoder);
    if (!st) st = pcs_tok_words_fill(&v);
    if (!st) st = pcs_tok_words_keys(&v);
    return st ? st : pcs_tok_add_array(m, "tokenizer.ggml.scores", PCS_KEY_F32, v.n, v.scores);
}

/* ---- ids and flags
 * -------------------------------------------------------------------------------------------------------- */

/* Ids that config.json does not say come from the texts of the tokens. */
static precis_status set_ids(settings *s)
{
    static const char *const keys[] = { "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id" };
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && !st; i++) {
        char *text;
        size_t len;
        st = token_text(s->m, s->token[i], &text, &len);
        if (st || !text || pcs_tok_key(s->m, keys[i])) continue;
        const int64_t id = id_of(s->m, text, len);
        if (id >= 0) st = pcs_tok_set_id(s->m, keys[i], id);
    }
    return st;
}

/* add_bos_token: true adds the token that bos_token names. */
static precis_status set_flag(settings *s, pcs_json_slice v, int which)
{
    static const char *const flags[] = { "tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token" },
                             *const ids[] = { "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id" };
    const bool on = pcs_tok_true(v);
    char *text;
    size_t len;
    if (pcs_tok_null(v) || is_kind(s->m, "bert")) return PRECIS_OK; /* BERT's tokenizers have no such setting */
    precis_status st = token_text(s->m, s->token[which], &text, &len);
    if (st) return st;
    const int64_t id = text ? id_of(s->m, text, len) : -1;
    if (on && id < 0 && !pcs_tok_key(s->m, ids[which])) return PRECIS_OK; /* there is none to add */
    if (on && id >= 0) st = pcs_tok_set_id(s->m, ids[which], id);
    return st ? st : pcs_tok_set_flag(s->m, flags[which], on, pcs_tok_usual(s->m, which == 0));
}

precis_status pcs_tokenizer_config(precis_model *m, pcs_json_slice config, pcs_json_slice added, pcs_json_slice special,
                                   bool pieces)
{
    settings s = { .m = m };
    precis_status st = read_settings(&s, config);
    if (!st && pieces) st = extend(m, s.decoder, added, special.text ? special : config);
    if (!st) st = set_ids(&s);
    if (!st) st = set_flag(&s, s.add_bos, 0);
    return st ? st : set_flag(&s, s.add_eos, 1);
}
