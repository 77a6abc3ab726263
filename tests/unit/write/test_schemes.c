/* test_schemes.c - quantized weights in every container: the same numbers in what is read back, settings of
 * activations, and what a container cannot hold, by the tensor's name. */
#include "folders.h"

static const tiny_shape wide = { 1, 128, 256, 4, 2 };

/* The tiny model with all matrices of its layers in a type, as q.gguf. */
static precis_model *in_scheme(precis_ctx *ctx, const precis_model *m, const char *type, const precis_quant_options *o)
{
    char spec[200];
    precis_plan *p;
    snprintf(spec, sizeof spec, "token_embd.weight=F16,output.weight=F16,%s%s", strchr(type, '=') ? "" : "*=", type);
    OK(ctx, precis_plan_types(ctx, &p, m, spec, 1));
    OK(ctx, precis_quantize(ctx, m, p, tiny_path("q.precis.gguf"), o, NULL));
    precis_plan_close(&p);
    return folder_open(ctx, "q.precis.gguf");
}

/* Numbers of both are the same, or, where a minimum is a product in one and a number in the other, off by its last
 * bit; below 6e-5 numbers of F16 have steps of 6e-8. */
static void like_tensors(const precis_model *a, const precis_model *b, double tolerance)
{
    for (size_t i = 0; i < a->n_tensors; i++) {
        const pcs_tensor *t = &a->tensors[i], *u = pcs_model_tensor(b, t->name);
        float x[256], y[256];
        if (!u) fail_msg("%s has no %s", b->path, t->name);
        for (uint64_t r = 0; r < t->n / (uint64_t)t->ne[0]; r++) {
            folder_row(t, r, x), folder_row(u, r, y);
            for (int64_t k = 0; k < t->ne[0]; k++)
                if (fabs((double)x[k] - (double)y[k]) > tolerance * fabs((double)x[k]) + 6e-5 * tolerance)
                    fail_msg("%s as %s, %s: %.9g is %.9g", t->name, t->format->name, u->format->name, (double)x[k],
                             (double)y[k]);
        }
    }
}

static void test_folders(void **state)
{
    (void)state;
    static const struct { const char *type, *format, *says; double tolerance; } ways[] = {
        { "INT4_G32", "safetensors", "\"format\": \"pack-quantized\"", 0 },
        { "UINT4_G64", "safetensors", "\"symmetric\": false", 1e-6 },
        { "UINT3_G32", "safetensors", "\"num_bits\": 3", 1e-6 },
        { "INT8_C", "safetensors", "\"strategy\": \"channel\"", 0 },
        { "INT5_G128", "safetensors", "\"group_size\": 128", 0 },
        { "FP8_E4M3_C", "safetensors", "\"format\": \"float-quantized\"", 0 },
        { "FP8_E4M3_T", "safetensors", "\"strategy\": \"tensor\"", 0 },
        { "NVFP4", "safetensors", "\"format\": \"nvfp4-pack-quantized\"", 0 },
        { "MXFP4", "safetensors", "\"format\": \"mxfp4-pack-quantized\"", 0 },
        { "*attn*=INT4_G32,*=FP8_E4M3_C", "safetensors", "\"format\": \"mixed-precision\"", 0 },
        { "INT4_G32", "gptq", "\"bits\": 4", 0 },
        { "INT8_G64", "gptq", "\"bits\": 8", 0 },
        { "INT2_G32", "gptq", "\"group_size\": 32", 0 },
        { "INT3_G64", "gptq", "\"sym\": true", 0 },
        { "*attn*=INT4_G32,*=INT4_G64", "gptq", "\"group_size\": 32", 0 },
        { "UINT4_G128", "awq", "\"quant_method\": \"awq\"", 1e-6 },
        { "INT4_G32", "awq", "\"zero_point\": ", 1e-6 },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &wide);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
        o.method = "rtn";
        precis_model *q = in_scheme(ctx, m, ways[i].type, &o);
        converted(ctx, q, ways[i].format, "hf");
        char *config = folder_text("hf", "config.json");
        if (!strstr(config, ways[i].says))
            fail_msg("%s, %s: no %s in %s", ways[i].type, ways[i].format, ways[i].says, config);
        free(config);
        precis_model *h = folder_open(ctx, "hf");
        like_tensors(q, h, ways[i].tolerance);
        precis_model_close(&h), precis_model_close(&q);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A GGUF that others read: the type that holds the same codes, with what is lost by it. */
static void test_portable(void **state)
{
    (void)state;
    static const struct { const char *type, *to; int exact; bool kept; } ways[] = {
        { "INT4_G32", "Q4_0", 0, true }, { "INT5_G64", "Q5_0", 0, true },  { "INT8_G32", "Q8_0", 0, true },
        { "INT3_G32", "Q4_0", 0, true }, { "FP8_E4M3_C", "F16", 0, false }, { "FP8_E4M3_C", "F32", 1, true },
        { "UINT4_G32", "F32", 1, true },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &wide);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        precis_convert_options c = PRECIS_CONVERT_OPTIONS_INIT;
        precis_convert_report *r;
        precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
        o.method = "rtn";
        precis_model *q = in_scheme(ctx, m, ways[i].type, &o);
        c.exact = ways[i].exact;
        OK(ctx, precis_convert(ctx, q, tiny_path("p.gguf"), &c, &r));
        assert_true(precis_convert_report_bytes(r) > 0);
        precis_model *p = folder_open(ctx, "p.gguf");
        for (size_t k = 0; k < precis_convert_report_size(r); k++) {
            precis_convert_row row = { .size = sizeof row };
            OK(ctx, precis_convert_report_get(r, k, &row));
            if (!strstr(row.name, "ffn_up")) continue;
            assert_string_equal(row.from, ways[i].type);
            if (strcmp(row.to, ways[i].to)) fail_msg("%s became %s, not %s", row.from, row.to, ways[i].to);
            if (ways[i].kept != (row.max_error == 0)) fail_msg("%s to %s: off by %g", row.from, row.to, row.max_error);
            assert_int_equal(row.exact, row.max_error == 0);
            assert_string_equal(pcs_model_tensor(p, row.name)->format->name, row.to);
        }
        assert_int_equal(precis_convert_report_get(r, 1000, &(precis_convert_row){ .size = 8 }), PRECIS_EINVAL);
        if (ways[i].kept) like_tensors(q, p, 0);
        else like_tensors(q, p, 1e-3); /* 11 bits */
        precis_convert_report_close(&r);
        precis_model_close(&p), precis_model_close(&q);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Kept as they are, under a name that says whom they are for; packed weights have the rows' numbers. */
static void test_own(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_convert_options c = PRECIS_CONVERT_OPTIONS_INIT;
    precis_convert_report *r;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    o.method = "rtn";
    precis_model *m = tiny_open(ctx, &wide), *q = in_scheme(ctx, m, "UINT4_G32", &o);
    c.own = 1;
    assert_int_equal(precis_convert(ctx, q, tiny_path("own.gguf"), &c, &r), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "own.precis.gguf"));
    OK(ctx, precis_convert(ctx, q, tiny_path("own.precis.gguf"), &c, &r));
    precis_convert_report_close(&r);
    precis_model *p = folder_open(ctx, "own.precis.gguf");
    same_tensors(q, p);
    assert_string_equal(pcs_model_tensor(p, "blk.0.ffn_up.weight")->format->name, "UINT4_G32");
    precis_model_close(&p);
    c = (precis_convert_options)PRECIS_CONVERT_OPTIONS_INIT;
    c.format = "tar";
    assert_int_equal(precis_convert(ctx, q, tiny_path("a.gguf"), &c, &r), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "\"tar\" is no container"));
    precis_model_close(&q), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* What inputs of weights are rounded to is written with them, and read back. */
static void test_activations(void **state)
{
    (void)state;
    static const struct { const char *type, *act, *says; int fixed; } ways[] = {
        { "INT8_C", "INT8", "\"num_bits\": 8, \"type\": \"int\", \"symmetric\": true, \"strategy\": \"token\"", 0 },
        { "INT8_C", "INT8", "\"strategy\": \"tensor\", \"dynamic\": false", 1 },
        { "FP8_E4M3_C", "FP8_E4M3",
          "\"num_bits\": 8, \"type\": \"float\", \"symmetric\": true, \"strategy\": \"token\"", 0 },
        { "NVFP4", "NVFP4", "\"strategy\": \"tensor_group\", \"group_size\": 16", 0 },
        { "MXFP4", "MXFP4", "\"strategy\": \"group\", \"group_size\": 32, \"dynamic\": true", 0 },
        { "INT4_G32", "UINT8", "\"type\": \"int\", \"symmetric\": false, \"strategy\": \"token\"", 0 },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &wide);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
        precis_job job = { 0 };
        char spec[100];
        snprintf(spec, sizeof spec, "token_embd.weight=F16,output.weight=F16,*=%s", ways[i].type);
        o.type = spec;
        o.no_eval = 1;
        o.quant.method = "rtn";
        o.quant.activations = ways[i].act;
        o.quant.static_activations = ways[i].fixed;
        o.calibrate = tiny_calibration(64);
        OK(ctx, precis_job_quantize(ctx, m, tiny_path("a.precis.gguf"), &o, &job));
        precis_job_close(&job);
        precis_model *q = folder_open(ctx, "a.precis.gguf");
        converted(ctx, q, "safetensors", "hf");
        char *config = folder_text("hf", "config.json");
        if (!strstr(config, ways[i].says))
            fail_msg("%s, %s: no %s in %s", ways[i].type, ways[i].act, ways[i].says, config);
        free(config);
        precis_model *h = folder_open(ctx, "hf");
        like_tensors(q, h, strcmp(ways[i].type, "NVFP4") ? 0 : 2e-7); /* whose scale is stored as its reciprocal */
        assert_string_equal(pcs_model_string(h, "precis.activations"), ways[i].act);
        precis_model_close(&h), precis_model_close(&q);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Logits of some tokens. */
static void logits_of(precis_ctx *ctx, const precis_model *m, float out[TINY_VOCABULARY])
{
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    precis_row rows[6];
    const float *logits;
    OK(ctx, precis_runner_open(ctx, &r, m, &o));
    for (uint32_t i = 0; i < 6; i++) rows[i] = (precis_row){ (int32_t)(i * 53 % 320), i, 0, i == 5 };
    OK(ctx, precis_runner_decode(r, rows, 6, &logits));
    memcpy(out, logits, TINY_VOCABULARY * sizeof *out);
    precis_runner_close(&r);
}

/* A number beside a weight of a type that folders have no such number for is multiplied in, and what that loses is
 * told; gptq's folder, which has codes alone, refuses it. */
static void test_scales(void **state)
{
    (void)state;
    static float want[TINY_VOCABULARY], got[TINY_VOCABULARY];
    static const float by[] = { 4, 0.3f };
    precis_ctx *ctx = test_ctx(1);
    for (int i = 0; i < 2; i++) {
        precis_convert_options c = PRECIS_CONVERT_OPTIONS_INIT;
        precis_convert_report *r;
        test_gguf g = { 0 };
        tiny_begin(&g, &tiny_small);
        test_add(&g, "blk.0.attn_v.scale", (test_shape){ 1, 0, 0 }, (test_noise){ 0, 0 }, &by[i]);
        test_add(&g, "token_embd.scale", (test_shape){ 1, 0, 0 }, (test_noise){ 0, 0 }, &by[i]);
        test_write_gguf(&g, tiny_path("s.gguf"));
        precis_model *m = folder_open(ctx, "s.gguf");
        folder_remove("hf");
        c.exact = 1;
        OK(ctx, precis_convert(ctx, m, tiny_path("hf"), &c, &r));
        for (size_t k = 0; k < precis_convert_report_size(r); k++) {
            precis_convert_row row = { .size = sizeof row };
            OK(ctx, precis_convert_report_get(r, k, &row));
            if (strcmp(row.name, "blk.0.attn_v.weight")) continue;
            assert_int_equal(row.exact, by[i] == 4); /* a power of two rounds nothing */
            assert_true(row.max_error < 1e-7);
        }
        precis_convert_report_close(&r);
        precis_model *h = folder_open(ctx, "hf");
        float x[64], y[64];
        const pcs_tensor *t = pcs_model_tensor(m, "blk.0.attn_v.weight"), *u = pcs_model_tensor(h, t->name);
        for (uint64_t row = 0; row < 32; row++) {
            folder_row(t, row, x), folder_row(u, row, y);
            for (int k = 0; k < 64; k++) assert_true(y[k] == x[k] * by[i]);
        }
        logits_of(ctx, m, want), logits_of(ctx, h, got);
        for (int k = 0; k < TINY_VOCABULARY; k++) assert_true(fabsf(want[k] - got[k]) < 1e-4f);
        precis_model_close(&h);
        c.format = "gptq";
        assert_int_equal(precis_convert(ctx, m, tiny_path("no"), &c, &r), PRECIS_EUNSUPPORTED);
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* A folder that cannot hold the weights: by name, and nothing is left. */
static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *type, *format; precis_status st; const char *says; } odd[] = {
        { "F16", "gptq", PRECIS_EUNSUPPORTED, "blk.0." },
        { "FP8_E4M3_C", "awq", PRECIS_EUNSUPPORTED, "awq" },
        { "INT8_G32", "awq", PRECIS_EUNSUPPORTED, "4-bit codes" },
        { "*attn*=INT4_G32,*=F16", "gptq", PRECIS_EUNSUPPORTED, "blk.0.ffn" },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &wide);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        precis_convert_options c = PRECIS_CONVERT_OPTIONS_INIT;
        precis_convert_report *r;
        precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
        o.method = "rtn";
        precis_model *q = in_scheme(ctx, m, odd[i].type, &o);
        c.format = odd[i].format;
        folder_remove("no");
        const precis_status st = precis_convert(ctx, q, tiny_path("no"), &c, &r);
        if (st != odd[i].st || !strstr(precis_ctx_message(ctx), odd[i].says))
            fail_msg("%s to %s: %d, \"%s\"", odd[i].type, odd[i].format, (int)st, precis_ctx_message(ctx));
        assert_null(r);
        assert_int_not_equal(access(tiny_path("no"), F_OK), 0);
        precis_model_close(&q);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_folders), cmocka_unit_test(test_portable),
                                        cmocka_unit_test(test_own), cmocka_unit_test(test_activations),
                                        cmocka_unit_test(test_scales),
                                        cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
