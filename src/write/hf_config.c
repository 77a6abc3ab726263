/* hf_config.c - config.json and tokenizer files of a transformers folder, from GGUF's keys. Files of a folder that the model was
 * read from are copied instead. */
#include "write/convert.h"

#include "base/f16.h"
#include "base/fmath.h"
#include "read/hf.h"
#include "read/read.h"
#include "read/tokenizer_parts.h"

#include <stdio.h>
#include <unistd.h>

/* ---- config.json ------------------------------------------------------------------------------------------------------------- */

static precis_status put_int(const precis_model *m, pcs_buf *b, const char *hf, const char *gguf)
{
    bool ok;
    const int64_t v = pcs_arch_int(m, gguf, 0, &ok);
    return ok ? pcs_buf_printf(b, ",\n \"%s\": %lld", hf, (long long)v) : PRECIS_OK;
}

static precis_status put_real(pcs_buf *b, const char *hf, double v)
{
    char text[64];
    snprintf(text, sizeof text, "%.9g", v);
    /* its readers tell whole numbers from others by the point */
    return pcs_buf_printf(b, ",\n \"%s\": %s%s", hf, text, strpbrk(text, ".ein") ? "" : ".0");
}

static precis_status put_float(const precis_model *m, pcs_buf *b, const char *hf, const char *gguf)
{
    bool ok;
    const double v = pcs_arch_float(m, gguf, 0, &ok);
    return ok ? put_real(b, hf, v) : PRECIS_OK;
}

static precis_status put_factors(const precis_model *m, pcs_buf *b, const char *hf, const char *tensor)
{
    const pcs_tensor *t = pcs_model_tensor(m, tensor);
    if (!t || t->format != &pcs_format_f32) return PRECIS_OK;
    precis_status st = pcs_buf_printf(b, ", \"%s\": [", hf);
    for (uint64_t i = 0; i < t->n && !st; i++) st = pcs_buf_printf(b, "%s%.9g", i ? ", " : "", (double)pcs_bits_f32(pcs_load32(t->data + 4 * i)));
    return st ? st : pcs_buf_printf(b, "]");
}

/* What YaRN has beside its factor; GGUF's attn_factor stands beside YaRN's own 1 + 0.1 ln(factor). */
static precis_status put_yarn(const precis_model *m, pcs_buf *b, double factor)
{
    static const char *const betas[2][2] = { { "beta_fast", "rope.scaling.yarn_beta_fast" }, { "beta_slow", "rope.scaling.yarn_beta_slow" } };
    precis_status st = PRECIS_OK;
    bool ok;
    for (int i = 0; i < 2 && !st; i++) {
        const double v = pcs_arch_float(m, betas[i][1], 0, &ok);
        if (ok) st = pcs_buf_printf(b, ", \"%s\": %.9g", betas[i][0], v);
    }
    const double own = pcs_arch_float(m, "rope.scaling.attn_factor", 1, &ok);
    return st || !ok ? st : pcs_buf_printf(b, ", \"attention_factor\": %.9g", own * (1 + 0.1 * pcs_log(factor)));
}

/* Heads of which a part is turned. */
static precis_status put_part(const precis_model *m, pcs_buf *b, const char *before)
{
    const int64_t dim = pcs_head_dim(m), turned = pcs_arch_int(m, "rope.dimension_count", dim, NULL);
    return turned == dim || dim < 1 ? PRECIS_OK : pcs_buf_printf(b, "%s\"partial_rotary_factor\": %.9g", before, (double)turned / (double)dim);
}

/* Layers with a window, where they are not the usual ones. */
static precis_status put_layers(const precis_model *m, pcs_buf *b)
{
    const int64_t layers = pcs_arch_int(m, "block_count", 0, NULL);
    if (pcs_usual_windows(m) || pcs_arch_int(m, "attention.sliding_window", 0, NULL) < 1) return PRECIS_OK;
    const char *asks = ",\n \"use_sliding_window\": true,\n \"max_window_layers\": 0";
    precis_status st = pcs_buf_printf(b, "%s,\n \"layer_types\": [", pcs_arch_of(m)->hf.asked_windows ? asks : "");
    for (int64_t i = 0; i < layers && !st; i++) st = pcs_buf_printf(b, "%s\"%s_attention\"", i ? ", " : "", pcs_layer_window(m, i) ? "sliding" : "full");
    return st ? st : pcs_buf_printf(b, "]");
}

static precis_status put_rope(const precis_model *m, pcs_buf *b)
{
    char key[128];
    const char *arch = pcs_model_string(m, "general.architecture");
    snprintf(key, sizeof key, "%.60s.rope.scaling.type", arch);
    const char *type = pcs_model_string(m, key);
    const double base = pcs_arch_float(m, "rope.freq_base", 10000.0, NULL), factor = pcs_arch_float(m, "rope.scaling.factor", 1.0, NULL);
    if (pcs_arch_of(m)->hf.two_bases)
        return pcs_buf_printf(b, ",\n \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"%s\", \"factor\": %.9g, \"rope_theta\": %.9g}, \"sliding_attention\": {\"rope_type\": \"default\", \"rope_theta\": %.9g}}",
                              type && !strcmp(type, "linear") ? "linear" : "default", factor, base, pcs_arch_float(m, "rope.local.freq_base", 10000.0, NULL));
    precis_status st = pcs_buf_printf(b, ",\n \"rope_theta\": %.9g", base);
    if (st) return st;
    const pcs_tensor *freqs = pcs_model_tensor(m, "rope_freqs.weight");
    if (freqs && freqs->format == &pcs_format_f32 && freqs->n) /* Llama 3's; the largest factor is the scaling's */
        return pcs_buf_printf(b, ",\n \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": %.9g, \"low_freq_factor\": %.9g, \"high_freq_factor\": %.9g, \"original_max_position_embeddings\": %lld}",
                              (double)pcs_bits_f32(pcs_load32(freqs->data + 4 * (freqs->n - 1))), pcs_arch_float(m, "rope.scaling.low_freq_factor", 1.0, NULL),
                              pcs_arch_float(m, "rope.scaling.high_freq_factor", 4.0, NULL), (long long)pcs_arch_int(m, "rope.scaling.original_context_length", 8192, NULL));
    st = put_part(m, b, ",\n ");
    if (st || !type || !strcmp(type, "none")) return st;
    st = pcs_buf_printf(b, ",\n \"rope_scaling\": {\"rope_type\": \"%s\", \"rope_theta\": %.9g", type, base);
    if (!st && strcmp(type, "longrope")) st = pcs_buf_printf(b, ", \"factor\": %.9g", factor);
    bool ok;
    const int64_t original = pcs_arch_int(m, "rope.scaling.original_context_length", 0, &ok);
    if (!st && ok) st = pcs_buf_printf(b, ", \"original_max_position_embeddings\": %lld", (long long)original);
    if (!st && !strcmp(type, "yarn")) st = put_yarn(m, b, factor);
    if (!st) st = put_part(m, b, ", ");
    if (!st) st = put_factors(m, b, "long_factor", "rope_factors_long.weight");
    if (!st) st = put_factors(m, b, "short_factor", "rope_factors_short.weight");
    if (!st) st = pcs_buf_printf(b, "}");
    return st || !ok ? st : pcs_buf_printf(b, ",\n \"original_max_position_embeddings\": %lld", (long long)original);
}

/* What begins, ends and pads texts; a list where several tokens end one. */
static precis_status put_special(const precis_model *m, pcs_buf *b, bool encoder)
{
    static const char *const ids[][2] = { { "bos_token_id", "tokenizer.ggml.bos_token_id" },
                                          { "eos_token_id", "tokenizer.ggml.eos_token_id" },
                                          { "pad_token_id", "tokenizer.ggml.padding_token_id" } };
    const pcs_key *list = pcs_model_key(m, PCS_KEY_ENDS);
    precis_status st = PRECIS_OK;
    for (int i = 0; i < 3 && !st; i++) {
        bool ok;
        const int64_t v = pcs_model_int(m, ids[i][1], 0, &ok);
        if (i == 1 && ok && list && list->type == PCS_KEY_ARRAY && list->n) {
            st = pcs_buf_printf(b, ",\n \"%s\": [", ids[i][0]);
            for (uint64_t k = 0; k < list->n && !st; k++)
                st = pcs_buf_printf(b, "%s%.0f", k ? ", " : "", pcs_key_number(list, k));
            if (!st) st = pcs_buf_printf(b, "]");
        } else if (ok) st = pcs_buf_printf(b, ",\n \"%s\": %lld", ids[i][0], (long long)v);
        else if (i != 2 && !encoder) st = pcs_buf_printf(b, ",\n \"%s\": null", ids[i][0]);
    }
    return st;
}

static precis_status put_text(pcs_buf *b, const char *hf, const char *text)
{
    return pcs_buf_printf(b, ",\n \"%s\": \"%s\"", hf, text);
}

/* The activation: the model's own word, where the graph has two. */
static precis_status put_activation(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    char key[128];
    snprintf(key, sizeof key, "%s.feed_forward.activation", arch->name);
    const char *own = pcs_model_string(m, key), *act = own ? own : arch->hf.act;
    if (!arch->hf.act) return PRECIS_OK;
    const precis_status st = put_text(b, "hidden_act", act);
    return st || !arch->hf.act_too ? st : put_text(b, arch->hf.act_too, act);
}

/* Caps; where there is none although it is usual, null says so. */
static precis_status put_caps(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    precis_status st = PRECIS_OK;
    for (pcs_cap i = 0; i < PCS_CAPS && !st; i++) {
        const double usual = pcs_usual_softcap(arch, i), v = pcs_arch_float(m, pcs_cap_key(i), usual, NULL);
        if (v > 0) st = put_real(b, pcs_cap_key(i), v);
        else if (usual > 0) st = pcs_buf_printf(b, ",\n \"%s\": null", pcs_cap_key(i));
    }
    return st;
}

/* By what queries' products are divided. */
static precis_status put_query_scale(const precis_model *m, pcs_buf *b)
{
    bool ok;
    const double scale = pcs_arch_float(m, "attention.scale", 0, &ok);
    return pcs_buf_printf(b, ",\n \"query_pre_attn_scalar\": %.7g",
                          ok && scale > 0 ? 1.0 / (scale * scale) : pcs_usual_query_dim(m));
}

/* Weights that are there or not. */
static precis_status put_presence(const precis_model *m, pcs_buf *b, const pcs_arch *arch)
{
    const pcs_tensor *embed = pcs_model_part(m, -1, PCS_ROLE_token_embd, PCS_END_weight);
    const bool head = pcs_model_part(m, -1, PCS_ROLE_output, PCS_END_weight);
    const bool biased = pcs_model_part(m, 0, PCS_ROLE_attn_q, PCS_END_bias);
    precis_status st = PRECIS_OK;
    if (embed) st = pcs_buf_printf(b, ",\n \"vocab_size\": %lld", (long long)pcs_tensor_rows(embed));
    if (!st) st = pcs_buf_printf(b, ",\n \"tie_word_embeddings\": %s", head ? "false" : "true");
    if (st || arch->learned_positions) return st;
    st = pcs_buf_printf(b, ",\n \"attention_bias\": %s", biased ? "true" : "false");
    if (st || !pcs_model_part(m, 0, PCS_ROLE_ffn_down, PCS_END_bias)) return st;
    return pcs_buf_printf(b, ",\n \"mlp_bias\": true");
}

precis_status pcs_hf_write_config(const precis_model *m, pcs_buf *b)
{
    const pcs_arch *arch = pcs_arch_of(m);
    const pcs_hf_type *type = pcs_hf_type_of(m);
    precis_status st = pcs_buf_printf(b, "{\n \"model_type\": \"%s\"", type->type);
    if (!st && type->class) st = pcs_buf_printf(b, ",\n \"architectures\": [\"%s\"]", type->class);
    for (const pcs_hf_number *n = arch->hf.numbers; n->name && !st; n++)
        if (n->how & PCS_HF_WRITE)
            st = n->how & PCS_HF_REAL ? put_float(m, b, n->name, n->key) : put_int(m, b, n->name, n->key);
    if (!st && arch->hf.write) st = arch->hf.write(m, b);
    if (!st) st = put_layers(m, b);
    if (!st) st = put_activation(m, b, arch);
    if (!st) st = put_caps(m, b, arch);
    if (!st && arch->query_scale) st = put_query_scale(m, b);
    if (!st && !arch->learned_positions) st = put_rope(m, b);
    if (!st) st = put_presence(m, b, arch);
    if (!st) st = put_special(m, b, arch->encoder);
    return st ? st : pcs_buf_printf(b, ",\n \"torch_dtype\": \"float16\"");
}

/* ---- tokenizer ----------------------------------------------------------------------------------------------------------------- */

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
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens"), *scores = pcs_model_key(m, "tokenizer.ggml.scores"), *types = pcs_model_key(m, "tokenizer.ggml.token_type"), *map = pcs_model_key(m, "tokenizer.ggml.precompiled_charsmap");
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
    static const struct { uint32_t number; const char *key; } ids[] = { { 40, "tokenizer.ggml.unknown_token_id" }, { 41, "tokenizer.ggml.bos_token_id" }, { 42, "tokenizer.ggml.eos_token_id" } };
    for (int i = 0; i < 3 && !st; i++) st = put_field(&part, ids[i].number, (uint64_t)pcs_model_int(m, ids[i].key, i, NULL));
    if (!st) st = put_bytes(&b, 2, part.data, part.len);
    part.len = 0;
    if (!st && map && map->type == PCS_KEY_ARRAY && map->item == PCS_KEY_U8) st = put_bytes(&part, 2, map->v.items, map->n);
    if (!st) st = put_field(&part, 3, pcs_model_int(m, "tokenizer.ggml.add_space_prefix", 1, NULL) != 0);
    if (!st) st = put_field(&part, 4, pcs_model_int(m, "tokenizer.ggml.remove_extra_whitespaces", unigram, NULL) != 0);
    if (!st) st = put_bytes(&b, 3, part.data, part.len);
    if (!st) st = pcs_out_folder_add(folder, "tokenizer.model", b.data, b.len);
    pcs_buf_free(&part);
    pcs_buf_free(&b);
    return st;
}

static const struct { const char *pre, *split; bool digits, nfc, ignore; } splits[] = {
    { "gpt-2", NULL, false, false, false }, { "default", NULL, false, false, false }, { "smollm", NULL, true, false, false }, { "starcoder", NULL, true, false, false },
    { "llama-bpe", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", false, false, true },
    { "qwen2", "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", false, true, false } };

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

static precis_status byte_level(precis_ctx *ctx, const precis_model *m, pcs_out_folder *folder)
{
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens"), *types = pcs_model_key(m, "tokenizer.ggml.token_type"), *merges = pcs_model_key(m, "tokenizer.ggml.merges");
    const char *pre = pcs_model_string(m, "tokenizer.ggml.pre");
    size_t row = 0;
    while (row < sizeof splits / sizeof *splits && strcmp(splits[row].pre, pre ? pre : "default")) row++;
    if (row == sizeof splits / sizeof *splits || !merges || merges->type != PCS_KEY_ARRAY || merges->item != PCS_KEY_STRING) {
        pcs_warn(ctx, "the tokenizer (pre-tokenizer %s) has no form in tokenizer.json that precis knows; it was left out", pre ? pre : "default");
        return PRECIS_OK;
    }
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = added(&b, m, tokens, types);
    const bool nfc = pcs_model_int(m, "precis.tokenizer.nfc", splits[row].nfc, NULL) != 0,
               ignore = pcs_model_int(m, "precis.tokenizer.ignore_merges", splits[row].ignore, NULL) != 0;
    if (!st) st = pcs_buf_printf(&b, "\"normalizer\": %s,\n ", nfc ? "{\"type\": \"NFC\"}" : "null");
    if (!st) st = post_processor(&b, m, tokens);
    if (!st) st = pcs_buf_printf(&b, "\"pre_tokenizer\": ");
    if (!st && splits[row].split) {
        st = pcs_buf_printf(&b, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": {\"Regex\": ");
        if (!st) st = pcs_json_text(&b, splits[row].split, strlen(splits[row].split));
        if (!st) st = pcs_buf_printf(&b, "}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}]}");
    } else if (!st)
        st = pcs_buf_printf(&b, splits[row].digits ? "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", \"individual_digits\": true}, {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}]}"
                                                   : "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}");
    if (!st) st = pcs_buf_printf(&b, ",\n \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, \"use_regex\": true},\n \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"byte_fallback\": false, \"ignore_merges\": %s, ",
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
    const pcs_key *tokens = pcs_model_key(m, "tokenizer.ggml.tokens"), *types = pcs_model_key(m, "tokenizer.ggml.token_type");
    pcs_buf b;
    pcs_buf_init(&b, ctx, PCS_LIMIT_JSON);
    precis_status st = added(&b, m, tokens, types);
    if (!st) st = post_processor(&b, m, tokens);
    if (!st) st = pcs_buf_printf(&b, "\"normalizer\": {\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, \"lowercase\": true},\n \"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},\n "
                                     "\"decoder\": {\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true},\n \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, ");
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
