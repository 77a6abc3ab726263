/* test_archs.c - a model of every architecture as a GGUF, as a transformers folder and as a GGUF of that: the same
 * tensors bit by bit, and the same logits. */
#include "folders.h"

/* What a layer, and what the model beside its layers has: "NAME[.END] COLUMNS[xROWS[xEXPERTS]]", apart by ';'. Names
 * without an end are weights. */
typedef struct {
    const char *arch, *epsilon, *layer, *whole;
    struct { const char *name; double value; bool real; } keys[8];
    uint32_t layers;
    const char *type; /* model_type of its config.json */
} sample;

#define ATTENTION "attn_q 64x64; attn_k 64x32; attn_v 64x32; attn_output 64x64; attn_norm 64; ffn_norm 64; "
#define FORWARD "ffn_gate 64x128; ffn_up 64x128; ffn_down 128x64; "
#define HEAD_NORMS "attn_q_norm 16; attn_k_norm 16; "
#define EXPERTS "ffn_gate_inp 64x4; ffn_gate_exps 64x32x4; ffn_up_exps 64x32x4; ffn_down_exps 32x64x4; "
#define WIDE_EXPERTS "ffn_gate_inp 64x4; ffn_gate_exps 64x128x4; ffn_up_exps 64x128x4; ffn_down_exps 128x64x4; "
#define POST_NORMS "post_attention_norm 64; post_ffw_norm 64; "
#define ENDS "token_embd 64x320; output_norm 64; output 64x320"
#define TIED "token_embd 64x320; output_norm 64"
#define KEY_LENGTHS { "attention.key_length", 16, false }, { "attention.value_length", 16, false }
#define RMS "attention.layer_norm_rms_epsilon"

static const sample samples[] = {
    { "llama", RMS, ATTENTION FORWARD "attn_q.bias 64; attn_k.bias 32; attn_v.bias 32", TIED, { { 0 } }, 2, "llama" },
    { "llama", RMS, ATTENTION WIDE_EXPERTS, ENDS, { { "expert_count", 4, false }, { "expert_used_count", 2, false } },
      2, "mixtral" },
    { "llama", RMS, ATTENTION FORWARD, ENDS, { { "attention.sliding_window", 24, false } }, 2, "mistral" },
    { "qwen2", RMS, ATTENTION FORWARD "attn_q.bias 64; attn_k.bias 32; attn_v.bias 32", ENDS, { { 0 } }, 2,
      "qwen2" },
    { "qwen3", RMS, ATTENTION FORWARD HEAD_NORMS, TIED, { KEY_LENGTHS }, 2, "qwen3" },
    { "qwen3moe", RMS, ATTENTION EXPERTS HEAD_NORMS, ENDS,
      { KEY_LENGTHS, { "expert_count", 4, false }, { "expert_used_count", 2, false },
        { "expert_feed_forward_length", 32, false } }, 2, "qwen3_moe" },
    { "gemma", RMS, ATTENTION FORWARD, TIED, { KEY_LENGTHS }, 2, "gemma" },
    { "gemma2", RMS, ATTENTION FORWARD POST_NORMS, TIED,
      { KEY_LENGTHS, { "attention.sliding_window", 8, false }, { "attn_logit_softcapping", 40, true },
        { "final_logit_softcapping", 25, true } }, 2, "gemma2" },
    { "gemma3", RMS, ATTENTION FORWARD POST_NORMS HEAD_NORMS, TIED,
      { KEY_LENGTHS, { "attention.sliding_window", 8, false }, { "rope.freq_base", 1000000, true } }, 6,
      "gemma3_text" },
    { "phi3", RMS, "attn_qkv 64x128; attn_output 64x64; attn_norm 64; ffn_norm 64; ffn_up 64x256; ffn_down 128x64",
      ENDS, { { "rope.dimension_count", 8, false } }, 2, "phi3" },
    { "exaone", RMS, ATTENTION FORWARD, ENDS, { { 0 } }, 2, "exaone" },
    { "bitnet", RMS, ATTENTION FORWARD "attn_sub_norm 64; ffn_sub_norm 128", TIED, { { 0 } }, 2, "bitnet" },
    { "gpt2", "attention.layer_norm_epsilon",
      "attn_norm 64; attn_norm.bias 64; attn_qkv 64x192; attn_qkv.bias 192; attn_output 64x64; attn_output.bias 64; "
      "ffn_norm 64; ffn_norm.bias 64; ffn_up 64x128; ffn_up.bias 128; ffn_down 128x64; ffn_down.bias 64",
      "token_embd 64x320; position_embd 64x256; output_norm 64; output_norm.bias 64; output 64x320",
      { { "attention.head_count_kv", 4, false } }, 2, "gpt2" },
    { "bert", "attention.layer_norm_epsilon",
      "attn_q 64x64; attn_k 64x64; attn_v 64x64; attn_q.bias 64; attn_k.bias 64; attn_v.bias 64; attn_output 64x64; "
      "attn_output.bias 64; attn_output_norm 64; attn_output_norm.bias 64; ffn_up 64x128; ffn_up.bias 128; "
      "ffn_down 128x64; ffn_down.bias 64; layer_output_norm 64; layer_output_norm.bias 64",
      "token_embd 64x320; position_embd 64x256; token_types 64x2; token_embd_norm 64; token_embd_norm.bias 64",
      { { "attention.head_count_kv", 4, false } }, 2, "bert" },
};

static bool has_sample(const char *arch, const char *type)
{
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (!strcmp(samples[i].arch, arch) && !strcmp(samples[i].type, type)) return true;
    return false;
}

/* Every model type of which a folder can be written has one: those up to the first without a condition. */
static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; pcs_archs[i]; i++)
        for (const pcs_hf_type *t = pcs_archs[i]->hf.types; t && t->type; t = t->when ? t + 1 : NULL)
            if (!has_sample(pcs_archs[i]->name, t->type))
                fail_msg("%s: no sample of model type %s", pcs_archs[i]->name, t->type);
}

static void add_tensors(test_gguf *g, const char *list, int layer)
{
    for (const char *s = list; *s; s += strspn(s, "; ")) {
        char word[64], name[96], *dot;
        size_t n = strcspn(s, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        s += n;
        uint64_t d[3] = { 0 };
        for (int i = 0; i < 3 && (*s == ' ' || *s == 'x'); i++) d[i] = strtoull(s + 1, (char **)(uintptr_t)&s, 10);
        dot = strchr(word, '.');
        if (layer < 0) snprintf(name, sizeof name, "%s%s", word, dot ? "" : ".weight");
        else snprintf(name, sizeof name, "blk.%d.%s%s", layer, word, dot ? "" : ".weight");
        const bool norm = !d[1] && !dot;
        test_add(g, name, (test_shape){ d[0], d[1], d[2] },
                 (test_noise){ norm ? 1 : 0, norm || dot ? 0.1f : 1.4f / sqrtf((float)d[0]) }, NULL);
    }
}

static void put_keys(test_gguf *g, const sample *t)
{
    char key[96];
    const struct { const char *name; uint32_t value; } usual[] = {
        { "block_count", t->layers },   { "embedding_length", 64 },      { "context_length", 256 },
        { "feed_forward_length", 128 }, { "attention.head_count", 4 } };
    test_key_text(g, "general.architecture", t->arch);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        snprintf(key, sizeof key, "%s.%s", t->arch, usual[i].name);
        test_key_u32(g, key, usual[i].value);
    }
    bool kv = false;
    for (size_t i = 0; i < 8 && t->keys[i].name; i++) {
        snprintf(key, sizeof key, "%s.%s", t->arch, t->keys[i].name);
        if (t->keys[i].real) test_key_f32(g, key, (float)t->keys[i].value);
        else test_key_u32(g, key, (uint32_t)t->keys[i].value);
        kv = kv || strstr(key, "head_count_kv");
    }
    snprintf(key, sizeof key, "%s.attention.head_count_kv", t->arch);
    if (!kv) test_key_u32(g, key, 2);
    snprintf(key, sizeof key, "%s.%s", t->arch, t->epsilon);
    test_key_f32(g, key, 1e-5f);
    if (!strcmp(t->arch, "bert")) test_key_u32(g, "tokenizer.ggml.token_type_count", 2);
}

static precis_model *sample_model(precis_ctx *ctx, const sample *t)
{
    test_gguf g = { 0 };
    put_keys(&g, t);
    tiny_tokenizer(&g);
    add_tensors(&g, t->whole, -1);
    for (uint32_t i = 0; i < t->layers; i++) add_tensors(&g, t->layer, (int)i);
    test_write_gguf(&g, tiny_path("a.gguf"));
    return folder_open(ctx, "a.gguf");
}

enum { TOKENS = 12 };

static void logits_of(precis_ctx *ctx, const precis_model *m, float out[TINY_VOCABULARY])
{
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    precis_runner_info info = { .size = sizeof info };
    precis_row rows[TOKENS];
    const float *logits;
    OK(ctx, precis_runner_open(ctx, &r, m, &o));
    precis_runner_get_info(r, &info);
    for (uint32_t i = 0; i < TOKENS; i++) rows[i] = (precis_row){ (int32_t)(i * 53 % 320), i, 0, i == TOKENS - 1 };
    OK(ctx, precis_runner_decode(r, rows, TOKENS, &logits));
    const bool encoder = info.vocabulary != TINY_VOCABULARY;
    memset(out, 0, TINY_VOCABULARY * sizeof *out);
    memcpy(out, logits, (encoder ? 64 : TINY_VOCABULARY) * sizeof *out);
    precis_runner_close(&r);
}

static void test_round(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        static float want[TINY_VOCABULARY], got[TINY_VOCABULARY];
        char type[64];
        precis_model *m = sample_model(ctx, &samples[i]);
        logits_of(ctx, m, want);
        converted(ctx, m, "safetensors", "hf");
        char *config = folder_text("hf", "config.json");
        snprintf(type, sizeof type, "\"model_type\": \"%s\"", samples[i].type);
        if (!strstr(config, type)) fail_msg("%s: no %s in %s", samples[i].arch, type, config);
        free(config);
        precis_model *h = folder_open(ctx, "hf");
        same_tensors(m, h);
        for (size_t k = 0; k < 8 && samples[i].keys[k].name; k++) {
            bool there;
            const double v = pcs_arch_float(h, samples[i].keys[k].name, -1, &there);
            if (!there && !strcmp(samples[i].keys[k].name, "attention.head_count_kv")) continue; /* as many as heads */
            if (fabs(v - samples[i].keys[k].value) > 1e-6 * v)
                fail_msg("%s: %s is %g", samples[i].type, samples[i].keys[k].name, v);
        }
        logits_of(ctx, h, got);
        if (memcmp(want, got, sizeof want)) fail_msg("%s: other logits out of the folder", samples[i].type);
        converted(ctx, h, "gguf", "again.gguf");
        precis_model *g = folder_open(ctx, "again.gguf");
        same_tensors(m, g);
        logits_of(ctx, g, got);
        if (memcmp(want, got, sizeof want)) fail_msg("%s: other logits out of the second GGUF", samples[i].type);
        precis_model_close(&g), precis_model_close(&h), precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_samples), cmocka_unit_test(test_round) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
