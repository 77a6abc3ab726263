/* hf_tokenizer.c - the tokenizer's files of a transformers folder, from GGUF's keys. Files of a folder that the model
 * was read from are copied instead. */
#include "write/convert.h"

#include "read/hf.h"
#include "read/read.h"
#include "read/tokenizer_parts.h"

#include <stdio.h>
#include <unistd.h>

static precis_status copy_files(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder, bool *copied)
{
    static const char *const names[] = { "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                         "special_tokens_map.json", "generation_config.json", "chat_template.jinja",
                                         "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json" };
    precis_status st = PRECIS_OK;
    *copied = false;
    const precis_model *source = m->origin ? m->origin : m;
    if (!source->folder) return PRECIS_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names && !st; i++) {
        char from[4096];
        char *text;
        size_t len;
        const int k = snprintf(from, sizeof from, "%s/%s", source->folder, names[i]);
        if (k >= (int)sizeof from || pcs_absent(from)) continue;
        st = pcs_file_slurp(ctx, from, PCS_LIMIT_JSON, &text, &len);
        if (st) break;
        st = pcs_out_folder_add(folder, names[i], text, len);
        pcs_free(ctx, text);
        *copied = true;
    }
    return st;
}

/* SentencePiece's ModelProto. */
static precis_status put_varint(pcs_buf *b, uint64_t v)
{
    uint8_t out[10];
    size_t n = 0;
    do out[n++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
    while (v >>= 7);
    return pcs_buf_add(b, out, n);
}

static precis_status put_field(pcs_buf *b, uint32_t number, uint64_t v)
{
    const precis_status st = put_varint(b, (uint64_t)number << 3);
    return st ? st : put_varint(b, v);
}

static precis_status put_bytes(pcs_buf *b, uint32_t number, const void *data, size_t len)
{
    precis_status st = put_varint(b, (uint64_t)number << 3 | 2);
    if (!st) st = put_varint(b, len);
    return st ? st : pcs_buf_add(b, data, len);
}

static precis_status sentencepiece(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder, bool unigram)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    const pcs_key *scores = pcs_model_key(m, "tokenizer.ggml.scores");
    const pcs_key *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    const pcs_key *map = pcs_model_key(m, "tokenizer.ggml.precompiled_charsmap");
    const bool mapped = map && map->type == PCS_KEY_ARRAY && map->item == PCS_KEY_U8;
    pcs_buf b, part;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    pcs_buf_init(&part, ctx, PCS_LIMIT_JSON);
    precis_status st = PRECIS_OK;
    uint64_t n = tokens->n;
    while (n && pcs_is_filler(tokens, types, n - 1)) n--;
    for (uint64_t i = 0; i < n && !st; i++) {
        const float score = scores ? (float)pcs_key_number(scores, i) : 0.0f;
        part.len = 0;
        st = put_bytes(&part, 1, tokens->v.texts[i].s, tokens->v.texts[i].len);
        if (!st) st = put_varint(&part, 2 << 3 | 5);
        if (!st) st = pcs_buf_add(&part, &score, 4);
        if (!st && types) st = put_field(&part, 3, (uint64_t)pcs_key_number(types, i));
        if (!st) st = put_bytes(&b, 1, part.data, part.len);
    }
    part.len = 0;
    if (!st) st = put_field(&part, 3, unigram ? 1 : 2);
    if (!st) st = put_field(&part, 35, 1);
    static const struct { uint32_t number; const char *key; } ids[] = { { 40, "tokenizer.ggml.unknown_token_id" },
                                                                        { 41, "tokenizer.ggml.bos_token_id" },
                                                                        { 42, "tokenizer.ggml.eos_token_id" } };
    for (int i = 0; i < 3 && !st; i++)
        st = put_field(&part, ids[i].number, (uint64_t)pcs_model_int(m, ids[i].key, i, NULL));
    if (!st) st = put_bytes(&b, 2, part.data, part.len);
    part.len = 0;
    if (!st && mapped) st = put_bytes(&part, 2, map->v.items, map->n);
    if (!st) st = put_field(&part, 3, pcs_model_int(m, "tokenizer.ggml.add_space_prefix", 1, NULL) != 0);
    if (!st) st = put_field(&part, 4, pcs_model_int(m, "tokenizer.ggml.remove_extra_whitespaces", unigram, NULL) != 0);
    if (!st) st = put_bytes(&b, 3, part.data, part.len);
    if (!st) st = pcs_out_folder_add(folder, "tokenizer.model", b.data, b.len);
    pcs_buf_free(&part);
    pcs_buf_free(&b);
    return st;
}

/* Pre-tokenizers as expressions of Rust's regex: of Llama 3's, and of Qwen 2's, whose digits stand alone. */
#define SPLIT_BEGIN "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define SPLIT_END "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* And of tekken and GPT-4o, which cut words where a capital follows a small letter. */
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(ending) \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" ending "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" ending "|"
#define CASED_END "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define ENDING "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

typedef struct { const char *pre, *split; bool digits, nfc, ignore; } split_row;
static const split_row splits[] = {
    { "gpt-2", NULL, false, false, false },
    { "default", NULL, false, false, false },
    { "smollm", NULL, true, false, false },
    { "starcoder", NULL, true, false, false },
    { "llama-bpe", SPLIT_BEGIN "\\p{N}{1,3}" SPLIT_END, false, false, true },
    { "qwen2", SPLIT_BEGIN "\\p{N}" SPLIT_END, false, true, false },
    { "tekken", CASED("") "\\p{N}" CASED_END, false, false, true },
    { "gpt-4o", CASED(ENDING) "\\p{N}{1,3}" CASED_END, false, false, false },
};

/* The row of a pre-tokenizer; NULL: there is none. */
static const split_row *row_of(const char *pre)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (!strcmp(splits[i].pre, pre)) return &splits[i];
    return NULL;
}

/* ", "lstrip": ..." and the like of a token. */
static precis_status settings(pcs_buf *b, const precis_model *m, uint64_t id)
{
    const pcs_key *flags = pcs_model_key(m, "precis.tokenizer.added_flags");
    const unsigned f =
        flags && flags->type == PCS_KEY_ARRAY && flags->item == PCS_KEY_U8 ? (unsigned)pcs_key_number(flags, id) : 0;
    return pcs_buf_printf(b, ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": false",
                          f & PCS_ADDED_WORD ? "true" : "false", f & PCS_ADDED_LSTRIP ? "true" : "false",
                          f & PCS_ADDED_RSTRIP ? "true" : "false");
}

static precis_status added(pcs_buf *b, const precis_model *m, const pcs_key *tokens, const pcs_key *types)
{
    bool first = true;
    precis_status st = pcs_buf_printf(b, "{\n \"version\": \"1.0\",\n \"added_tokens\": [");
    for (uint64_t i = 0; types && i < tokens->n && !st; i++) {
        const double type = pcs_key_number(types, i);
        if (type != 3 && type != 4) continue;
        st = pcs_buf_printf(b, "%s\n  {\"id\": %llu, \"content\": ", first ? "" : ",", (unsigned long long)i);
        if (!st) st = pcs_json_text(b, tokens->v.texts[i].s, tokens->v.texts[i].len);
        if (!st) st = settings(b, m, i);
        if (!st) st = pcs_buf_printf(b, ", \"special\": %s}", type == 3 ? "true" : "false");
        first = false;
    }
    return st ? st : pcs_buf_printf(b, "],\n ");
}

/* Id of what a text begins (ends) with, or -1. */
static int64_t adds(const precis_model *m, const pcs_key *tokens, bool first)
{
    const bool bert = !strcmp(pcs_model_string(m, "tokenizer.ggml.model"), "bert");
    const int64_t id =
        pcs_model_int(m,
                      bert    ? (first ? "tokenizer.ggml.cls_token_id" : "tokenizer.ggml.seperator_token_id")
                      : first ? "tokenizer.ggml.bos_token_id"
                              : "tokenizer.ggml.eos_token_id",
                      bert ? (first ? 101 : 102) : -1, NULL);
    if (!pcs_model_int(m, first ? "tokenizer.ggml.add_bos_token" : "tokenizer.ggml.add_eos_token",
                       pcs_tok_usual(m, first), NULL))
        return -1;
    return id >= 0 && (uint64_t)id < tokens->n ? id : -1;
}

static precis_status part_of_template(pcs_buf *b, pcs_text t, const char *before, const char *after)
{
    precis_status st = pcs_buf_printf(b, "%s{\"SpecialToken\": {\"id\": ", before);
    if (!st) st = pcs_json_text(b, t.s, t.len);
    return st ? st : pcs_buf_printf(b, ", \"type_id\": 0}}%s", after);
}

/* The post-processor that adds it; nothing where nothing is added. */
static precis_status post_processor(pcs_buf *b, const precis_model *m, const pcs_key *tokens)
{
    const int64_t ids[2] = { adds(m, tokens, true), adds(m, tokens, false) };
    bool first = true;
    if (ids[0] < 0 && ids[1] < 0) return PRECIS_OK;
    precis_status st = pcs_buf_printf(b, "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [");
    if (!st && ids[0] >= 0) st = part_of_template(b, tokens->v.texts[ids[0]], "", ", ");
    if (!st) st = pcs_buf_printf(b, "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}");
    if (!st && ids[1] >= 0) st = part_of_template(b, tokens->v.texts[ids[1]], ", ", "");
    if (!st)
        st = pcs_buf_printf(b, "], \"pair\": [{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, {\"Sequence\": {\"id\": "
                               "\"B\", \"type_id\": 1}}], \"special_tokens\": {");
    for (int i = 0; i < 2 && !st; i++) {
        if (ids[i] < 0 || (i && ids[1] == ids[0])) continue;
        const pcs_text t = tokens->v.texts[ids[i]];
        st = pcs_buf_printf(b, first ? "" : ", ");
        if (!st) st = pcs_json_text(b, t.s, t.len);
        if (!st) st = pcs_buf_printf(b, ": {\"id\": ");
        if (!st) st = pcs_json_text(b, t.s, t.len);
        if (!st) st = pcs_buf_printf(b, ", \"ids\": [%lld], \"tokens\": [", (long long)ids[i]);
        if (!st) st = pcs_json_text(b, t.s, t.len);
        if (!st) st = pcs_buf_printf(b, "]}");
        first = false;
    }
    return st ? st : pcs_buf_printf(b, "}},\n ");
}

static precis_status put_vocab(pcs_buf *b, const pcs_key *tokens, const pcs_key *types, bool wordpiece)
{
    precis_status st = pcs_buf_printf(b, "\"vocab\": {");
    bool first = true;
    for (uint64_t i = 0; i < tokens->n && !st; i++) {
        pcs_text t = tokens->v.texts[i];
        char word[1024];
        if (pcs_is_filler(tokens, types, i)) continue;
        if (wordpiece && t.len < 1000) { /* GGUF marks the start of words, the file their inside */
            if (t.len >= 3 && !memcmp(t.s, "\xe2\x96\x81", 3)) t.s += 3, t.len -= 3;
            else if (!(t.len && t.s[0] == '[' && t.s[t.len - 1] == ']')) {
                const int n = snprintf(word, sizeof word, "##%.*s", (int)t.len, t.s);
                t = (pcs_text){ word, (uint64_t)n };
            }
        }
        st = pcs_buf_printf(b, first ? "\n" : ",\n");
        first = false;
        if (!st) st = pcs_json_text(b, t.s, t.len);
        if (!st) st = pcs_buf_printf(b, ": %llu", (unsigned long long)i);
    }
    return st ? st : pcs_buf_printf(b, "}");
}

static precis_status put_splits(pcs_buf *b, const split_row *row)
{
    const char *split = row->split;
    precis_status st = pcs_buf_printf(b, "\"pre_tokenizer\": ");
    if (st) return st;
    if (split) {
        st = pcs_buf_printf(b, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": "
                               "{\"Regex\": ");
        if (!st) st = pcs_json_text(b, split, strlen(split));
        if (st) return st;
        return pcs_buf_printf(b, "}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", "
                                 "\"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}]}");
    }
    if (row->digits)
        return pcs_buf_printf(b, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
                                 "\"individual_digits\": true}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                                 "\"trim_offsets\": true, \"use_regex\": true}]}");
    return pcs_buf_printf(b, "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, "
                             "\"use_regex\": true}");
}

static precis_status byte_level(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    const pcs_key *merges = pcs_model_key(m, "tokenizer.ggml.merges");
    const pcs_key *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    const bool merged = merges && merges->type == PCS_KEY_ARRAY && merges->item == PCS_KEY_STRING;
    const char *pre = pcs_model_string(m, "tokenizer.ggml.pre");
    const split_row *row = row_of(pre ? pre : "default");
    if (!row || !merged) {
        pcs_warn(ctx, "the tokenizer (pre-tokenizer %s) has no form in tokenizer.json that precis knows; it was left "
                      "out", pre ? pre : "default");
        return PRECIS_OK;
    }
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = added(&b, m, tokens, types);
    const bool nfc = pcs_model_int(m, "precis.tokenizer.nfc", row->nfc, NULL) != 0,
               ignore = pcs_model_int(m, "precis.tokenizer.ignore_merges", row->ignore, NULL) != 0;
    if (!st) st = pcs_buf_printf(&b, "\"normalizer\": %s,\n ", nfc ? "{\"type\": \"NFC\"}" : "null");
    if (!st) st = post_processor(&b, m, tokens);
    if (!st) st = put_splits(&b, row);
    if (!st)
        st = pcs_buf_printf(&b, ",\n \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, "
                                "\"trim_offsets\": true, \"use_regex\": true},\n \"model\": {\"type\": \"BPE\", "
                                "\"dropout\": null, \"unk_token\": null, \"byte_fallback\": false, "
                                "\"ignore_merges\": %s, ",
                            ignore ? "true" : "false");
    if (!st) st = put_vocab(&b, tokens, types, false);
    if (!st) st = pcs_buf_printf(&b, ",\n \"merges\": [");
    for (uint64_t i = 0; i < merges->n && !st; i++) {
        st = pcs_buf_printf(&b, i ? ",\n" : "\n");
        if (!st) st = pcs_json_text(&b, merges->v.texts[i].s, merges->v.texts[i].len);
    }
    if (!st) st = pcs_buf_printf(&b, "]}\n}\n");
    if (!st) st = pcs_out_folder_add(folder, "tokenizer.json", b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

static precis_status wordpiece(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    const pcs_key *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = added(&b, m, tokens, types);
    if (!st) st = post_processor(&b, m, tokens);
    if (!st)
        st = pcs_buf_printf(&b, "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, "
                                "\"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true},\n "
                                "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n "
                                "\"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},\n "
                                "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", "
                                "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, ");
    if (!st) st = put_vocab(&b, tokens, types, true);
    if (!st) st = pcs_buf_printf(&b, "}\n}\n");
    if (!st) st = pcs_out_folder_add(folder, "tokenizer.json", b.data, b.len);
    pcs_buf_free(&b);
    return st;
}

/* A member of the object that b holds; the caller writes its value. */
static precis_status member(pcs_buf *b, const char *name)
{
    return pcs_buf_printf(b, "%s \"%s\": ", b->len ? ",\n" : "{\n", name);
}

/* SentencePiece's file has no place for what is added to a text, nor for settings of added tokens; only what is not
 * usual is written. */
static precis_status piece_settings(pcs_buf *b, const precis_model *m, const pcs_key *tokens)
{
    static const char *const names[][2] = { { "add_bos_token", "bos_token" }, { "add_eos_token", "eos_token" } };
    const pcs_key *flags = pcs_model_key(m, "precis.tokenizer.added_flags"),
                  *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    bool any = false;
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 2 && !st; i++) {
        const int64_t id = adds(m, tokens, !i);
        if ((id >= 0) == pcs_tok_usual(m, !i)) continue;
        st = member(b, names[i][0]);
        if (!st) st = pcs_buf_printf(b, id >= 0 ? "true" : "false");
        if (!st && id >= 0) st = member(b, names[i][1]);
        if (!st && id >= 0) st = pcs_json_text(b, tokens->v.texts[id].s, tokens->v.texts[id].len);
    }
    for (uint64_t i = 0; flags && i < tokens->n && !st; i++) {
        if (!pcs_key_number(flags, i)) continue;
        st = any ? pcs_buf_printf(b, ",\n") : member(b, "added_tokens_decoder");
        if (!st)
            st = pcs_buf_printf(
                b, any ? "  \"%llu\": {\"content\": " : "{\n  \"%llu\": {\"content\": ", (unsigned long long)i);
        if (!st) st = pcs_json_text(b, tokens->v.texts[i].s, tokens->v.texts[i].len);
        if (!st) st = settings(b, m, i);
        if (!st)
            st = pcs_buf_printf(b, ", \"special\": %s}", types && pcs_key_number(types, i) == 3 ? "true" : "false");
        any = true;
    }
    return st || !any ? st : pcs_buf_printf(b, "}");
}

/* One template is a file of its own; several are a list in tokenizer_config.json, which that file would hide. */
static precis_status chat_templates(pcs_buf *b, const precis_model *m, pcs_out_folder *folder)
{
    const char *chat = pcs_model_string(m, "tokenizer.chat_template");
    const pcs_key *names = pcs_model_key(m, "tokenizer.chat_templates");
    char path[512];
    if (!names || names->type != PCS_KEY_ARRAY || names->item != PCS_KEY_STRING || !names->n) {
        return chat ? pcs_out_folder_add(folder, "chat_template.jinja", chat, strlen(chat)) : PRECIS_OK;
    }
    bool first = true;
    precis_status st = member(b, "chat_template");
    for (uint64_t i = 0; i <= names->n && !st; i++) {
        const pcs_text name = i ? names->v.texts[i - 1] : (pcs_text){ "default", 7 };
        const char *text = chat;
        if (i && snprintf(path, sizeof path, "tokenizer.chat_template.%.*s", (int)(name.len < 300 ? name.len : 300),
                          name.s) > 0)
            text = pcs_model_string(m, path);
        if (!text) continue;
        st = pcs_buf_printf(b, "%s{\"name\": ", first ? "[" : ",\n  ");
        if (!st) st = pcs_json_text(b, name.s, name.len);
        if (!st) st = pcs_buf_printf(b, ", \"template\": ");
        if (!st) st = pcs_json_text(b, text, strlen(text));
        if (!st) st = pcs_buf_printf(b, "}");
        first = false;
    }
    return st ? st : pcs_buf_printf(b, first ? "null" : "]");
}

precis_status pcs_hf_tokenizer(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder)
{
    bool copied;
    precis_status st = copy_files(ctx, m, folder, &copied);
    const char *kind = pcs_model_string(m, "tokenizer.ggml.model");
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens");
    if (st || copied || !kind || !tokens || tokens->type != PCS_KEY_ARRAY || tokens->item != PCS_KEY_STRING) return st;
    const bool pieces = !strcmp(kind, "llama") || !strcmp(kind, "t5");
    if (pieces) st = sentencepiece(ctx, m, folder, !strcmp(kind, "t5"));
    else if (!strcmp(kind, "gpt2")) st = byte_level(ctx, m, folder);
    else if (!strcmp(kind, "bert")) st = wordpiece(ctx, m, folder);
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    if (!st && pieces) st = piece_settings(&b, m, tokens);
    if (!st) st = chat_templates(&b, m, folder);
    if (!st && b.len) st = pcs_buf_printf(&b, "\n}\n");
    if (!st && b.len) st = pcs_out_folder_add(folder, "tokenizer_config.json", b.data, b.len);
    pcs_buf_free(&b);
    return st;
}
