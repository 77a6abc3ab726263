/* What was trained is what is served: the checkpoint, run by the runner, has the loss that training measured; the
 * synthetic language is what its description says; configurations are refused by the path of their key. */
#include "base/fmath.h"
#include "test.h"
#include "plan/plan.h"
#include "train/checkpoint.h"

#include <math.h>

static const char config[] =
    "{\"model\": {\"width\": 32, \"layers\": 2, \"heads\": 4, \"kv_heads\": 2, \"hidden\": 48, \"vocabulary\": 40%s},"
    " \"data\": {\"language\": {}, \"context\": 24, \"batch\": 3, \"heldout_tokens\": 300}, \"steps\": 25,"
    " \"optimizer\": {\"lr\": 0.01}, \"schedule\": {\"warmup\": 5}}";

/* Negative log-likelihood of held-out sequences by the runner, as the mean of their means. */
static double served(precis_ctx *ctx, const char *path, const pcs_train_config *c)
{
    precis_model *m;
    precis_runner *r;
    precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
    o.arithmetic = PRECIS_REFERENCE;
    o.outputs = 32;
    o.k_type = o.v_type = "f32";
    OK(ctx, precis_model_open_to_run(ctx, &m, path));
    OK(ctx, precis_runner_open(ctx, &r, m, &o));
    pcs_train_data d;
    OK(ctx, pcs_train_data_open(ctx, &d, c, NULL));
    int32_t ids[64], targets[64];
    double sum = 0, entropy;
    uint64_t n = 0;
    for (; pcs_train_held(&d, n, ids, targets, &entropy); n++) {
        precis_row rows[64];
        const float *logits;
        double one = 0;
        const uint32_t count = (uint32_t)c->context - (targets[c->context - 1] < 0);
        for (uint32_t i = 0; i < count; i++) rows[i] = (precis_row){ ids[i], i, 0, 1 };
        OK(ctx, precis_runner_decode(r, rows, count, &logits));
        for (uint32_t i = 0; i < count; i++) {
            const float *x = logits + i * (uint32_t)c->model.vocabulary;
            double all = 0;
            for (int64_t k = 0; k < c->model.vocabulary; k++) all += exp((double)x[k]);
            one += log(all) - (double)x[targets[i]];
        }
        sum += one / count;
    }
    pcs_train_data_close(&d);
    precis_runner_close(&r);
    precis_model_close(&m);
    assert_true(n > 5);
    return sum / (double)n;
}

static void test_served(void **state)
{
    (void)state;
    static const char *const variants[] = { "", ", \"qk_norm\": true" };
    precis_ctx *ctx = test_ctx(2);
    for (int i = 0; i < 2; i++) {
        char text[600], path[128], out[128];
        snprintf(text, sizeof text, config, variants[i]);
        snprintf(path, sizeof path, "%s/config.json", test_folder());
        snprintf(out, sizeof out, "%s/out%d.gguf", test_folder(), i);
        test_write(path, text, strlen(text));
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        o.out = out;
        OK(ctx, precis_train(ctx, path, &o, &r));
        assert_int_equal(r.steps, 25);
        pcs_train_config c;
        OK(ctx, pcs_train_config_parse(ctx, &c, "config", text, strlen(text)));
        const double other = served(ctx, out, &c);
        /* f32 sums of at most 48 products in another order, through two layers: some 1e-6 of a logit of about 1 */
        if (!(fabs(other - r.heldout) < 1e-4)) fail_msg("trained to %g, served %g", r.heldout, other);
        assert_true(r.heldout < 3.6); /* ln 40 = 3.69 */
        assert_true(r.entropy > 1.5 && r.entropy < r.heldout);
        pcs_train_config_close(&c);
    }
    precis_ctx_close(&ctx);
}

/* A net trained for a type, written in it, has the loss that the training graph had: the same grid, to the last bit. */
static void test_types(void **state)
{
    (void)state;
    static const char text[] =
        "{\"model\": {\"width\": 256, \"layers\": 1, \"heads\": 4, \"kv_heads\": 2, \"hidden\": 256},"
        " \"data\": {\"text\": [\"" PRECIS_SOURCE_DIR "/README.md\"], \"heldout\": \"" PRECIS_SOURCE_DIR "/LICENSE\","
        " \"context\": 12, \"batch\": 2, \"heldout_tokens\": 120}, \"steps\": 6,"
        " \"optimizer\": {\"lr\": 0.01}, \"schedule\": {\"warmup\": 2}, \"quant\": {\"weights\": \"%s\", \"from\": "
        "0.5}}";
    static const char *const usual[] = { "Q4_0", "Q2_K", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4", NULL };
    const bool all = getenv("PRECIS_ALL_TYPES") != NULL; /* a minute */
    int wrong = 0;
    for (size_t i = 0; all ? pcs_formats[i] != NULL : usual[i] != NULL; i++) {
        const char *type = all ? pcs_formats[i]->name : usual[i];
        if (all && (!pcs_encodable(pcs_formats[i]) || pcs_formats[i]->kind == PCS_INT)) continue;
        precis_ctx *ctx = test_ctx(2);
        char json[1024], path[128], out[128], small[128], types[64];
        snprintf(json, sizeof json, text, type);
        snprintf(path, sizeof path, "%s/qat.json", test_folder());
        snprintf(out, sizeof out, "%s/qat.gguf", test_folder());
        snprintf(small, sizeof small, "%s/small.gguf", test_folder());
        snprintf(types, sizeof types, "*blk*=%s,*=F32", type);
        test_write(path, json, strlen(json));
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        o.out = out;
        OK(ctx, precis_train(ctx, path, &o, &r));
        precis_model *m;
        precis_job job = { 0 };
        precis_job_options q = PRECIS_JOB_OPTIONS_INIT;
        q.type = types;
        q.quant.method = "rtn";
        q.no_calibration = q.no_eval = 1;
        OK(ctx, precis_model_open_to_run(ctx, &m, out));
        const precis_status st = precis_job_quantize(ctx, m, small, &q, &job);
        if (st) fail_msg("%s: %s", type, precis_ctx_message(ctx));
        precis_job_close(&job);
        precis_model_close(&m);
        pcs_train_config c;
        OK(ctx, pcs_train_config_parse(ctx, &c, "config", json, strlen(json)));
        const double other = served(ctx, small, &c);
        if (!(fabs(other - r.heldout) < 1e-4)) {
            print_error("%s: trained to %g, served %g\n", type, r.heldout, other);
            wrong++;
        }
        pcs_train_config_close(&c);
        precis_ctx_close(&ctx);
    }
    assert_int_equal(wrong, 0);
}

/* Any estimator goes with any type, and with activations and caches in few bits: the file that training writes has its
 * loss when it is run. 2e-5: sums of at most 256 products in another order. */
static void test_estimators(void **state)
{
    (void)state;
    static const char text[] =
        "{\"model\": {\"width\": 256, \"layers\": 1, \"heads\": 4, \"kv_heads\": 2, \"hidden\": 256},"
        " \"data\": {\"text\": [\"" PRECIS_SOURCE_DIR "/README.md\"], \"heldout\": \"" PRECIS_SOURCE_DIR "/LICENSE\","
        " \"context\": 12, \"batch\": 2, \"heldout_tokens\": 120}, \"steps\": 5, \"optimizer\": {\"lr\": 0.01},"
        " \"quant\": {\"weights\": \"%s\", \"from\": 0.4, \"estimator\": \"%s\"%s}}";
    static const struct { const char *type, *estimator, *more; bool range;
    } cases[] = {
        { "Q4_0", "lsq", ", \"activations\": \"int4\", \"kv\": \"int4\"", true },
        { "TQ2_0", "lsq", "", true },
        { "Q2_K", "pareto", ", \"activations\": \"int8 observed\", \"freeze\": 0.8", true },
        { "TQ1_0", "pareto", "", true },
        { "NVFP4", "pact", ", \"activations\": \"int8\", \"range_decay\": 0.01", true },
        { "INT3_C", "trust", ", \"activations\": \"int8 per token\"", false },
        { "TQ2_0", "ternary", ", \"activations\": \"int8\"", false },
        { "Q1_0", "binary", "", false },
        { "Q3_K", "ste", ", \"kv\": \"int8\", \"dampen\": 0.01, \"lr\": 0.5, \"decay\": 0", false },
        { "*attn_?.weight=Q6_K,token_embd.weight=Q8_0", "pareto", ", \"activations\": \"int4\"", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        precis_ctx *ctx = test_ctx(2);
        char json[1024], path[128], out[128], small[128];
        snprintf(json, sizeof json, text, cases[i].type, cases[i].estimator, cases[i].more);
        snprintf(path, sizeof path, "%s/estimator.json", test_folder());
        snprintf(out, sizeof out, "%s/estimator.gguf", test_folder());
        snprintf(small, sizeof small, "%s/written.gguf", test_folder());
        test_write(path, json, strlen(json));
        precis_train_options o = PRECIS_TRAIN_OPTIONS_INIT;
        precis_train_result r = { .size = sizeof r };
        o.out = out;
        o.quantized = small;
        if (precis_train(ctx, path, &o, &r))
            fail_msg("%s %s: %s", cases[i].type, cases[i].estimator, precis_ctx_message(ctx));
        if (!(fabs(r.served - r.heldout) < 2e-5))
            fail_msg("%s %s: trained to %g, served %g", cases[i].type, cases[i].estimator, r.heldout, r.served);
        precis_model *m;
        bool range = false;
        OK(ctx, precis_model_open_to_run(ctx, &m, out));
        for (size_t k = 0; k < m->n_extras; k++) range |= !strncmp(m->extras[k].name, "precis.value:range:", 19);
        precis_model_close(&m);
        assert_int_equal(range, cases[i].range);
        OK(ctx, precis_model_open_to_run(ctx, &m, small)); /* what only training needs is not there */
        assert_int_equal(m->n_extras, 0);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

/* Symbols are drawn as often as their probabilities say: the mean of 1 / (symbols p(x)) over draws is 1, whatever p. Of
 * n = 65,536 draws its deviation is below sqrt(mean of 1 / p) / (symbols sqrt(n)), where p >= .05 / (16 * H(16)) =
 * 9e-4: .15. */
static void test_language(void **state)
{
    (void)state;
    enum { SYMBOLS = 16, N = 512, SEQUENCES = 128 };
    static pcs_language l;
    static int16_t last[SYMBOLS * SYMBOLS];
    static int32_t x[N], again[N];
    static float log_p[N];
    pcs_language_open(&l, 7, SYMBOLS);
    double sum = 0;
    for (uint64_t s = 0; s < SEQUENCES; s++) {
        pcs_language_draw(&l, &(pcs_sequence){ 3, s, N, last }, x, log_p);
        for (int i = 0; i < N; i++) {
            assert_true(x[i] >= 0 && x[i] < SYMBOLS && log_p[i] < 0);
            sum += exp(-(double)log_p[i]) / SYMBOLS;
        }
    }
    const double mean = sum / (N * SEQUENCES);
    if (!(fabs(mean - 1) < 0.3)) fail_msg("the mean of 1 / p is %g of %d symbols", mean, SYMBOLS);
    pcs_language_draw(&l, &(pcs_sequence){ 3, SEQUENCES - 1, N, last }, again, NULL);
    assert_memory_equal(x, again, sizeof x);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct { const char *text, *why; } cases[] = {
        { "[]", "configuration" },
        { "{\"steps\": 1, \"steps2\": 1}", "steps2: is not known here" },
        { "{\"model\": {\"depth\": 3}}", "model.depth: is not known here" },
        { "{\"data\": {\"language\": {\"size\": 3}}}", "data.language.size: is not known here" },
        { "{\"optimizer\": {\"name\": \"lion\"}}", "optimizer.name" },
        { "{\"optimizer\": {\"betas\": [0.9]}}", "optimizer.betas" },
        { "{\"schedule\": {\"name\": \"step\"}}", "schedule.name: is no schedule" },
        { "{\"compute\": \"fp6\"}", "compute: is none of f32, bf16" },
        { "{\"quant\": {\"weights\": \"Q9\"}}", "quant.weights: is no type" },
        { "{\"quant\": {\"activations\": \"int9\"}}", "quant.activations: is not int1 to int8" },
        { "{\"quant\": {\"thaw\": 0.9}}", "quant.thaw: is not known here" },
        { "{\"quant\": {\"kv\": \"int3\"}}", "quant.kv: is not int4 or int8" },
        { "{\"quant\": {\"weights\": \"*=Q9\"}}", "quant.weights: is no list of PATTERN=TYPE" },
        { "{\"quant\": {\"estimator\": \"adaround\"}}", "quant.estimator: is no estimator" },
        { "{\"only\": \"*\"}", "only: is no list" },
        { "{\"steps\": 0}", "steps: is out of range" },
        { "{\"steps\": 1.5}", "steps: is no whole number" },
        { "{\"data\": {\"text\": \"a\"}}", "data.text" },
        { "{}", "model.width is missing" },
        { "{} 1", "text behind the value" },
    };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pcs_train_config c;
        assert_int_equal(pcs_train_config_parse(ctx, &c, "c.json", cases[i].text, strlen(cases[i].text)),
                         PRECIS_EFORMAT);
        if (!strstr(precis_ctx_message(ctx), cases[i].why)) fail_msg("%s: %s", cases[i].text, precis_ctx_message(ctx));
        pcs_train_config_close(&c);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_served), cmocka_unit_test(test_language),
                                        cmocka_unit_test(test_types), cmocka_unit_test(test_estimators),
                                        cmocka_unit_test(test_refusals) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
