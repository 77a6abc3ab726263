/* test_settings - config.json of transformers' folders: what becomes which key, and what is refused by name. */
#include "test.h"

#include "graph/arch.h"

#include <math.h>
#include <sys/stat.h>

#define BASE                                                                                                       \
    "\"hidden_size\": 64, \"num_hidden_layers\": 4, \"intermediate_size\": 96, \"num_attention_heads\": 4, "           \
    "\"num_key_value_heads\": 2, \"max_position_embeddings\": 128, \"rms_norm_eps\": 1e-6"

static const char *folder_with(const char *config)
{
    static char path[128];
    char file[160];
    snprintf(path, sizeof path, "%s/model", test_folder());
    mkdir(path, 0777);
    snprintf(file, sizeof file, "%s/config.json", path);
    test_write(file, config, strlen(config));
    static const char head[] = "{\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}    ";
    uint8_t bytes[sizeof head + 16] = { 0 };
    const uint64_t n = sizeof head - 1;
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, head, sizeof head - 1);
    snprintf(file, sizeof file, "%s/model.safetensors", path);
    test_write(file, bytes, 8 + sizeof head - 1 + 4);
    return path;
}

static void test_keys(void **state)
{
    (void)state;
    static const struct { const char *config, *key; double want;
    } cases[] = {
        /* NAN: there is no such key */
        { "\"model_type\": \"mistral\", \"sliding_window\": 9", "llama.attention.sliding_window", 9 },
        { "\"model_type\": \"mistral\", \"sliding_window\": null", "llama.attention.sliding_window", NAN },
        { "\"model_type\": \"qwen2\", \"sliding_window\": 9, \"use_sliding_window\": false",
          "qwen2.attention.sliding_window", NAN },
        { "\"model_type\": \"qwen2\", \"sliding_window\": 9, \"use_sliding_window\": true, \"max_window_layers\": 4",
          "qwen2.attention.sliding_window", NAN },
        { "\"model_type\": \"qwen2\", \"sliding_window\": 9, \"use_sliding_window\": true, \"max_window_layers\": 1",
          "qwen2.attention.sliding_window", 9 },
        { "\"model_type\": \"gemma2\", \"query_pre_attn_scalar\": 64", "gemma2.attention.scale", 0.125 },
        { "\"model_type\": \"gemma2\", \"query_pre_attn_scalar\": 16", "gemma2.attention.scale", NAN },
        { "\"model_type\": \"gemma2\"", "gemma2.attn_logit_softcapping", 50 },
        { "\"model_type\": \"gemma2\", \"attn_logit_softcapping\": null", "gemma2.attn_logit_softcapping", 0 },
        { "\"model_type\": \"phi3\", \"partial_rotary_factor\": 0.5", "phi3.rope.dimension_count", 8 },
        { "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"mscale\": 0.8, "
          "\"mscale_all_dim\": 0.5}",
          "llama.rope.scaling.attn_factor",
          (0.08 * 1.3862943611198906 + 1) / (0.05 * 1.3862943611198906 + 1) / (0.1 * 1.3862943611198906 + 1) },
        { "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": "
          "1.3, \"beta_fast\": 16}",
          "llama.rope.scaling.yarn_beta_fast", 16 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[1024];
        bool found;
        precis_ctx *ctx = test_ctx(1);
        precis_model *m;
        snprintf(config, sizeof config, "{" BASE ", %s}", cases[i].config);
        OK(ctx, precis_model_open(ctx, &m, folder_with(config)));
        const double v = pcs_model_float(m, cases[i].key, 0, &found),
                     u = found ? v : (double)pcs_model_int(m, cases[i].key, 0, &found);
        if (found == isnan(cases[i].want) || (found && fabs(u - cases[i].want) > 1e-6))
            fail_msg("%s: key %s is %g (%s)", cases[i].config, cases[i].key, u, found ? "there" : "absent");
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

/* Layers with a window, as the file says and as its architecture has them. */
static void test_windows(void **state)
{
    (void)state;
    static const struct { const char *config; const char *want;
    } cases[] = {
        { "\"model_type\": \"mistral\", \"sliding_window\": 9", "1111" },
        { "\"model_type\": \"qwen3\", \"sliding_window\": 9, \"use_sliding_window\": true, \"max_window_layers\": 3",
          "0001" },
        { "\"model_type\": \"qwen3\"", "0000" },
        { "\"model_type\": \"gemma2\", \"sliding_window\": 9", "1010" },
        { "\"model_type\": \"gemma3_text\", \"sliding_window\": 9", "1111" },
        { "\"model_type\": \"gemma3_text\", \"sliding_window\": 9, \"sliding_window_pattern\": 2", "1010" },
        { "\"model_type\": \"gemma3_text\", \"sliding_window\": 9, \"layer_types\": [\"full_attention\", "
          "\"sliding_attention\", \"full_attention\", \"full_attention\"]",
          "0100" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char config[1024], got[5] = "";
        precis_ctx *ctx = test_ctx(1);
        precis_model *m;
        snprintf(config, sizeof config, "{" BASE ", %s}", cases[i].config);
        OK(ctx, precis_model_open(ctx, &m, folder_with(config)));
        for (int k = 0; k < 4; k++) got[k] = pcs_layer_window(m, k) ? '1' : '0';
        assert_string_equal(got, cases[i].want);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

/* open: the file itself is wrong */
static const struct { const char *config, *says; precis_status open; } refused[] = {
    { "\"model_type\": \"llama\", \"hidden_act\": \"gelu\"", "hidden_act", PRECIS_OK },
    { "\"model_type\": \"gemma3_text\", \"hidden_activation\": \"silu\"", "hidden_activation", PRECIS_OK },
    { "\"model_type\": \"gemma3_text\", \"use_bidirectional_attention\": true", "use_bidirectional_attention",
      PRECIS_OK },
    { "\"model_type\": \"bert\", \"layer_norm_eps\": 1e-12, \"hidden_act\": \"relu\"", "hidden_act", PRECIS_OK },
    { "\"model_type\": \"bert\", \"layer_norm_eps\": 1e-12, \"position_embedding_type\": \"relative_key\"",
      "position_embedding_type", PRECIS_OK },
    { "\"model_type\": \"qwen3\", \"sliding_window\": 9, \"use_sliding_window\": true, \"layer_types\": "
      "[\"full_attention\", \"chunked_attention\", \"full_attention\", \"full_attention\"]",
      "chunked_attention", PRECIS_OK },
    { "\"model_type\": \"llama\", \"partial_rotary_factor\": 0.5", "partial_rotary_factor", PRECIS_OK },
    { "\"model_type\": \"nobody_has_it\"", "nobody_has_it", PRECIS_OK },
    { "\"model_type\": \"llama\", \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"truncate\": false}",
      "truncate", PRECIS_OK },
    { "\"model_type\": \"phi3\", \"partial_rotary_factor\": 1.5", "partial_rotary_factor", PRECIS_EFORMAT },
    { "\"model_type\": \"gemma2\", \"query_pre_attn_scalar\": -1", "query_pre_attn_scalar", PRECIS_EFORMAT },
    { "\"model_type\": \"gemma2\", \"sliding_window\": 9, \"layer_types\": [\"full_attention\"]", "layer_types",
      PRECIS_EFORMAT },
    { "\"model_type\": \"gemma2\", \"sliding_window\": 9, \"layer_types\": [1, 2, 3, 4]", "layer_types",
      PRECIS_EFORMAT },
    { "\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"awq\", \"version\": \"gemv\"}",
      "gemv", PRECIS_EUNSUPPORTED },
    { "\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4, "
      "\"checkpoint_format\": \"marlin\"}",
      "marlin", PRECIS_EUNSUPPORTED },
    { "\"model_type\": \"llama\", \"quantization_config\": {\"quant_method\": \"compressed-tensors\", "
      "\"sparsity_config\": {\"format\": \"sparse-24-bitmask\"}}",
      "sparse-24-bitmask", PRECIS_EUNSUPPORTED },
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char config[1024];
        precis_ctx *ctx = test_ctx(1);
        precis_model *m = NULL;
        precis_runner *r = NULL;
        snprintf(config, sizeof config, "{" BASE ", %s}", refused[i].config);
        precis_status st = precis_model_open(ctx, &m, folder_with(config));
        if (st != refused[i].open) fail_msg("%s: status %d: %s", refused[i].config, st, precis_ctx_message(ctx));
        if (!st) st = precis_runner_open(ctx, &r, m, NULL);
        if (!st || !strstr(precis_ctx_message(ctx), refused[i].says))
            fail_msg("%s: %s", refused[i].config, precis_ctx_message(ctx));
        precis_runner_close(&r);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_keys), cmocka_unit_test(test_windows),
                                        cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
