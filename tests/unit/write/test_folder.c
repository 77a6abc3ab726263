/* test_folder.c - transformers folders that precis writes of a GGUF and reads again: tensors bit by bit, settings,
 * tokens of texts, chat templates, for each kind of tokenizer and of rotary scaling. */
#include "folders.h"

/* ---- tokenizers ------------------------------------------------------------------------------------------ */

static void ids(test_gguf *g, int bos, int eos, int unknown)
{
    test_key_u32(g, "tokenizer.ggml.bos_token_id", (uint32_t)bos);
    test_key_u32(g, "tokenizer.ggml.eos_token_id", (uint32_t)eos);
    if (unknown >= 0) test_key_u32(g, "tokenizer.ggml.unknown_token_id", (uint32_t)unknown);
}

static void types(test_gguf *g, const int32_t *first, uint32_t n)
{
    tiny_array(g, "tokenizer.ggml.token_type", 5, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) test_put(g, &(int32_t){ i < n ? first[i] : 1 }, 4);
}

/* GPT-2's printable character for a byte. */
static void byte_character(unsigned byte, char *out)
{
    uint32_t cp = byte, beyond = 256;
    for (unsigned b = 0; b < 256; b++) {
        const bool plain = (b >= 33 && b < 127) || (b >= 161 && b < 173) || b >= 174;
        if (b == byte && !plain) cp = beyond;
        beyond += !plain;
    }
    if (cp < 128) out[0] = (char)cp, out[1] = 0;
    else out[0] = (char)(192 | cp >> 6), out[1] = (char)(128 | (cp & 63)), out[2] = 0;
}

static const char *const merges[] = { "t h", "th e", "i n", "a n", "\xc4\xa0 the", "e r", "o n", "an d", "\xc4\xa0 a" };
enum { MERGES = sizeof merges / sizeof *merges };

static void byte_level(test_gguf *g, const char *pre)
{
    static const int32_t special[] = { 3, 3, 4 };
    char text[32];
    test_key_text(g, "tokenizer.ggml.model", "gpt2");
    test_key_text(g, "tokenizer.ggml.pre", pre);
    tiny_array(g, "tokenizer.ggml.tokens", 8, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) {
        if (i < 3) snprintf(text, sizeof text, "<|%u|>", i);
        else if (i < TINY_BYTES) byte_character(i - 3, text);
        else if (i - TINY_BYTES < MERGES) {
            const char *m = merges[i - TINY_BYTES], *blank = strchr(m, ' ');
            snprintf(text, sizeof text, "%.*s%s", (int)(blank - m), m, blank + 1);
        } else snprintf(text, sizeof text, "unused%u", i);
        test_put_text(g, text);
    }
    types(g, special, 3);
    tiny_array(g, "tokenizer.ggml.merges", 8, MERGES);
    for (int i = 0; i < MERGES; i++) test_put_text(g, merges[i]);
    ids(g, 0, 1, -1);
    test_key(g, "tokenizer.ggml.add_bos_token", 7, &(uint8_t){ 1 }, 1);
    test_key(g, "tokenizer.ggml.add_eos_token", 7, &(uint8_t){ 1 }, 1);
}

static void pieces(test_gguf *g, const char *unused)
{
    (void)unused;
    tiny_tokenizer(g);
    test_key(g, "tokenizer.ggml.add_eos_token", 7, &(uint8_t){ 1 }, 1);
}

static void unigram(test_gguf *g, const char *unused)
{
    char text[32];
    (void)unused;
    test_key_text(g, "tokenizer.ggml.model", "t5");
    tiny_array(g, "tokenizer.ggml.tokens", 8, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) test_put_text(g, tiny_piece(i, text, sizeof text));
    tiny_array(g, "tokenizer.ggml.scores", 6, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++)
        test_put(g, &(float){ i < TINY_BYTES ? 0 : -1 - 0.01f * (float)(i % 7) }, 4);
    tiny_array(g, "tokenizer.ggml.token_type", 5, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++)
        test_put(g, &(int32_t){ i == 0 ? 2 : i < 3 ? 3 : i < TINY_BYTES ? 6 : 1 }, 4);
    ids(g, 1, 2, 0);
}

/* Words by their beginnings, as GGUF has WordPiece: a mark before what begins a word. */
static void wordpiece(test_gguf *g, const char *unused)
{
    static const int32_t special[] = { 3, 3, 3, 3, 3 };
    static const char *const words[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\xe2\x96\x81the",
                                         "\xe2\x96\x81man", "\xe2\x96\x81other", "\xe2\x96\x81" "an", "other",
                                         "\xe2\x96\x81one", "\xe2\x96\x81in", "n", "\xe2\x96\x81" "and",
                                         "\xe2\x96\x81,", "\xe2\x96\x81.", "\xe2\x96\x81;" };
    char text[32];
    (void)unused;
    test_key_text(g, "tokenizer.ggml.model", "bert");
    tiny_array(g, "tokenizer.ggml.tokens", 8, TINY_VOCABULARY);
    for (uint32_t i = 0; i < TINY_VOCABULARY; i++) {
        if (i < sizeof words / sizeof *words) snprintf(text, sizeof text, "%s", words[i]);
        else snprintf(text, sizeof text, "\xe2\x96\x81unused%u", i);
        test_put_text(g, text);
    }
    types(g, special, 5);
    ids(g, 2, 3, 1);
    test_key_u32(g, "tokenizer.ggml.seperator_token_id", 3);
    test_key_u32(g, "tokenizer.ggml.cls_token_id", 2);
    test_key_u32(g, "tokenizer.ggml.padding_token_id", 0);
    test_key_u32(g, "tokenizer.ggml.mask_token_id", 4);
}

typedef void tokenizer_fn(test_gguf *g, const char *pre);

static precis_model *model_with(precis_ctx *ctx, tokenizer_fn *fn, const char *pre, const char *name)
{
    test_gguf g = { 0 };
    tiny_net(&g, &tiny_small);
    fn(&g, pre);
    test_key_text(&g, "tokenizer.chat_template", "{% for m in messages %}{{ m['content'] }}{% endfor %}");
    const char *path = tiny_path(name);
    test_write_gguf(&g, path);
    return folder_open(ctx, name);
}

/* GGUF to a folder to GGUF: the same tensors, tokens and template. */
static void test_tokenizers(void **state)
{
    (void)state;
    static const struct { tokenizer_fn *fn; const char *pre, *file; } all[] = {
        { pieces, "", "tokenizer.model" },          { unigram, "", "tokenizer.model" },
        { byte_level, "gpt-2", "tokenizer.json" },  { byte_level, "smollm", "tokenizer.json" },
        { byte_level, "llama-bpe", "tokenizer.json" }, { byte_level, "qwen2", "tokenizer.json" },
        { byte_level, "tekken", "tokenizer.json" }, { byte_level, "gpt-4o", "tokenizer.json" },
        { wordpiece, "", "tokenizer.json" } };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        precis_model *m = model_with(ctx, all[i].fn, all[i].pre, "t.gguf");
        converted(ctx, m, "safetensors", "hf");
        assert_int_equal(access(folder_file("hf", all[i].file), F_OK), 0);
        precis_model *h = folder_open(ctx, "hf");
        same_tensors(m, h);
        same_tokens(ctx, m, h, "the other and another one in the inn; 1234 andthe");
        same_tokens(ctx, m, h, "the man, the\n\n  other");
        assert_string_equal(precis_model_chat_template(h), precis_model_chat_template(m));
        converted(ctx, h, "gguf", "again.gguf");
        precis_model *a = folder_open(ctx, "again.gguf");
        same_tensors(m, a);
        same_tokens(ctx, m, a, TINY_TEXT);
        converted(ctx, h, "safetensors", "copy"); /* files of a folder are copied */
        char *was = folder_text("hf", all[i].file), *is = folder_text("copy", all[i].file);
        assert_string_equal(was, is);
        free(was), free(is);
        precis_model_close(&a), precis_model_close(&h), precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* A pre-tokenizer without a form there is left out, and that is said by the model's lack of a tokenizer. */
static void test_no_tokenizer(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_tokenizer *t;
    precis_model *m = model_with(ctx, byte_level, "falcon", "t.gguf");
    converted(ctx, m, "safetensors", "hf");
    assert_int_not_equal(access(folder_file("hf", "tokenizer.json"), F_OK), 0);
    precis_model *h = folder_open(ctx, "hf");
    same_tensors(m, h);
    assert_int_not_equal(precis_tokenizer_open(ctx, &t, h), PRECIS_OK);
    precis_model_close(&h), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- rotary scaling ---------------------------------------------------------------------------------------- */

/* Members that config.json gets, and a key and a number that GGUF must have of it (0, NULL: none). */
typedef struct { const char *members, *key; double value; } scaling;

static const scaling scalings[] = {
    { "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}", "rope.scaling.factor", 4 },
    { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2.0}", "rope.scaling.factor", 2 },
    { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 8.0, \"beta_fast\": 24.0, \"beta_slow\": 2.0, "
      "\"original_max_position_embeddings\": 128}", "rope.scaling.yarn_beta_fast", 24 },
    { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 8.0, \"original_max_position_embeddings\": 64}",
      "rope.scaling.original_context_length", 64 },
    /* GGUF's factor stands beside YaRN's own 1 + 0.1 ln(8) = 1.2079442 */
    { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 8.0, \"attention_factor\": 2.4158883}",
      "rope.scaling.attn_factor", 2 },
    /* (0.1 * 0.5 * ln 8 + 1) / (0.1 * 1 * ln 8 + 1) = 0.9139256; by 1.2079442 */
    { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 8.0, \"mscale\": 0.5, \"mscale_all_dim\": 1.0}",
      "rope.scaling.attn_factor", 0.7565959 },
    { "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, "
      "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 512}", "rope.scaling.high_freq_factor", 4 },
    { "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}", "rope.freq_base", 500000 },
    { "\"rope_scaling\": {\"rope_type\": \"default\"}", "rope.freq_base", 10000 },
};

/* Llama 3.1's factors (its technical report): frequencies of long waves are divided by 8, of short ones kept, and
 * between them blended. */
static void check_llama3(const precis_model *m)
{
    const pcs_tensor *t = pcs_model_tensor(m, "rope_freqs.weight");
    float f[8];
    assert_non_null(t);
    assert_int_equal(t->n, 8); /* heads of 16 */
    folder_row(t, 0, f);
    for (int i = 0; i < 8; i++) {
        const double wave = 2 * 3.14159265358979 * pow(10000, 2.0 * i / 16), smooth = (512 / wave - 1) / (4 - 1);
        const double want = wave < 512.0 / 4 ? 1 : wave > 512 ? 8 : 1 / ((1 - smooth) / 8 + smooth);
        assert_true(fabs((double)f[i] - want) < 1e-5 * want);
    }
    assert_true(f[0] == 1 && f[7] == 8);
}

static void add_members(const char *folder, const char *members)
{
    char all[600];
    snprintf(all, sizeof all, "{\n %s,\n \"model_type\"", members);
    folder_edit(folder, "config.json", "{\n \"model_type\"", all);
}

static void test_scalings(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &tiny_small);
    for (size_t i = 0; i < sizeof scalings / sizeof *scalings; i++) {
        const scaling *s = &scalings[i];
        converted(ctx, m, "safetensors", "hf");
        if (strstr(s->members, "rope_parameters")) folder_edit("hf", "config.json", "\"rope_theta\"", "\"unread\"");
        add_members("hf", s->members);
        precis_model *h = folder_open(ctx, "hf");
        bool there;
        const double v = pcs_arch_float(h, s->key, 0, &there);
        if (fabs(v - s->value) > 1e-6 * s->value) fail_msg("%s: %s is %.9g", s->members, s->key, v);
        if (strstr(s->members, "llama3")) check_llama3(h);
        /* written as a GGUF and as another folder, it says the same */
        converted(ctx, h, "gguf", "s.gguf");
        precis_model *g = folder_open(ctx, "s.gguf");
        converted(ctx, g, "safetensors", "back");
        precis_model *b = folder_open(ctx, "back");
        precis_model *const both[] = { g, b };
        for (int k = 0; k < 2; k++) {
            const double again = pcs_arch_float(both[k], s->key, 0, &there);
            if (fabs(again - v) > 1e-6 * fabs(v)) fail_msg("%s: %s is %.9g, then %.9g", s->members, s->key, v, again);
            same_tensors(h, both[k]);
        }
        precis_model_close(&b), precis_model_close(&g), precis_model_close(&h);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* What cannot be, by the member that says it. */
static void test_odd_scalings(void **state)
{
    (void)state;
    static const struct { const char *members, *says; } odd[] = {
        { "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"high_freq_factor\": 4.0}",
          "low_freq_factor is missing" },
        { "\"rope_scaling\": {\"rope_type\": \"longrope\", \"long_factor\": [1.0]}", "short_factor is missing" },
        { "\"rope_scaling\": {\"rope_type\": \"longrope\", \"long_factor\": {}}", "long_factor" },
        { "\"rope_scaling\": {\"rope_type\": \"longrope\", \"long_factor\": [\"x\"]}", "long_factor" },
        { "\"partial_rotary_factor\": 1.5", "partial_rotary_factor 1.5" },
        { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": \"Infinity\"}", "Infinity" },
        { "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": {\"__float__\": \"NaN\"}}", "NaN" },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &tiny_small);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        converted(ctx, m, "safetensors", "hf");
        add_members("hf", odd[i].members);
        folder_refused(ctx, "hf", PRECIS_EFORMAT, odd[i].says);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- ends and templates --------------------------------------------------------------------------------- */

/* Several tokens that end a text are one list, in every container. */
static void test_ends(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_tokenizer *t;
    precis_model *m = tiny_open(ctx, &tiny_small);
    converted(ctx, m, "safetensors", "hf");
    folder_edit("hf", "config.json", "\"eos_token_id\": 2", "\"eos_token_id\": [2, 7, -1, 7, 9]");
    precis_model *h = folder_open(ctx, "hf");
    converted(ctx, h, "gguf", "e.gguf");
    precis_model *g = folder_open(ctx, "e.gguf");
    precis_model *const both[] = { h, g };
    for (int k = 0; k < 2; k++) {
        OK(ctx, precis_tokenizer_open(ctx, &t, both[k]));
        assert_int_equal(precis_tokenizer_eos(t), 2);
        for (int32_t id = 0; id < 12; id++)
            if (!precis_tokenizer_ends(t, id) != !(id == 2 || id == 7 || id == 9)) fail_msg("id %d", (int)id);
        precis_tokenizer_close(&t);
    }
    converted(ctx, g, "safetensors", "back");
    char *text = folder_text("back", "config.json");
    assert_non_null(strstr(text, "\"eos_token_id\": [2, 7, 9]"));
    free(text);
    precis_model_close(&g), precis_model_close(&h), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Named templates stay, and the default one is what is used. */
static void test_templates(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    test_gguf g = { 0 };
    tiny_begin(&g, &tiny_small);
    test_key_text(&g, "tokenizer.chat_template", "plain");
    tiny_array(&g, "tokenizer.chat_templates", 8, 2);
    test_put_text(&g, "tools");
    test_put_text(&g, "rag");
    test_key_text(&g, "tokenizer.chat_template.tools", "with \"tools\"");
    test_key_text(&g, "tokenizer.chat_template.rag", "of texts\n");
    test_write_gguf(&g, tiny_path("c.gguf"));
    precis_model *m = folder_open(ctx, "c.gguf");
    converted(ctx, m, "safetensors", "hf");
    precis_model *h = folder_open(ctx, "hf");
    assert_string_equal(precis_model_chat_template(h), "plain");
    assert_string_equal(pcs_model_string(h, "tokenizer.chat_template.tools"), "with \"tools\"");
    assert_string_equal(pcs_model_string(h, "tokenizer.chat_template.rag"), "of texts\n");
    precis_model_close(&h), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_tokenizers), cmocka_unit_test(test_no_tokenizer),
                                        cmocka_unit_test(test_scalings), cmocka_unit_test(test_odd_scalings),
                                        cmocka_unit_test(test_ends), cmocka_unit_test(test_templates) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
