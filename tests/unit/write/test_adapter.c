/* test_adapter - what stands beside a weight: low-rank adapters, SVD residuals; in models
 * with fused weights and with experts. */
#include "test_gguf.h"

#include "model/model.h"

#include <math.h>

enum { WIDTH = 64, HEADS = 4, KV = 2, HEAD = 16, HIDDEN = 96, LAYERS = 2, WORDS = 120, EXPERTS = 4, IDS = 40 };
static int32_t ids[IDS];

static char *path_of(const char *name, char buf[512])
{
    snprintf(buf, 512, "%s/%s", test_folder(), name);
    return buf;
}

static void keys(test_gguf *g, const char *arch)
{
    static const struct {
        const char *key;
        uint32_t value;
    } numbers[] = { { "block_count", LAYERS },         { "context_length", 64 },
                    { "embedding_length", WIDTH },     { "feed_forward_length", HIDDEN },
                    { "attention.head_count", HEADS }, { "attention.head_count_kv", KV },
                    { "vocab_size", WORDS },           { "rope.dimension_count", HEAD },
                    { "expert_count", EXPERTS },       { "expert_used_count", 2 } };
    char key[96];
    test_key_text(g, "general.architecture", arch);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (i >= 8 && strcmp(arch, "llama")) break; /* experts */
        snprintf(key, sizeof key, "%s.%s", arch, numbers[i].key);
        test_key_u32(g, key, numbers[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    test_key_f32(g, key, 1e-6f);
}

/* Rows of one fused tensor, or of several that make the same. */
typedef struct { const char *fused; const char *const *parts; const uint64_t *rows; uint64_t cols; } rows_of;

static void linear(test_gguf *g, int layer, rows_of of, bool split, uint64_t seed)
{
    const char *const *parts = of.parts;
    const uint64_t *rows = of.rows, cols = of.cols;
    char name[96];
    uint64_t all = 0;
    for (int i = 0; parts[i]; i++) all += rows[i];
    float *x = malloc(all * cols * sizeof *x);
    assert_non_null(x);
    test_fill(x, all * cols, seed, 0.15f);
    if (split) {
        for (uint64_t i = 0, at = 0; parts[i]; at += rows[i++] * cols) {
            snprintf(name, sizeof name, "blk.%d.%s.weight", layer, parts[i]);
            test_add(g, name, (test_shape){ cols, rows[i], 0 }, (test_noise){ 0, 0 }, x + at);
        }
    } else {
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, of.fused);
        test_add(g, name, (test_shape){ cols, all, 0 }, (test_noise){ 0, 0 }, x);
    }
    free(x);
}

static const char *const qkv[] = { "attn_q", "attn_k", "attn_v", NULL };
static const uint64_t qkv_rows[] = { HEADS * HEAD, KV * HEAD, KV * HEAD };

static const float *delta_a, *delta_b; /* what is added to layer 1's ffn_up_exps */

/* A random model: arch phi3 with fused or split weights, or llama with experts. */
static void make_model(const char *path, const char *arch, bool split)
{
    static const char *const one[2] = { "attn_output", NULL }, *const down[2] = { "ffn_down", NULL },
                             *const gate_up[] = { "ffn_gate", "ffn_up", NULL };
    const bool experts = !strcmp(arch, "llama");
    test_gguf g = { 0 };
    char name[96];
    keys(&g, arch);
    test_add(&g, "token_embd.weight", (test_shape){ WIDTH, WORDS, 0 }, (test_noise){ 0, 1 }, NULL);
    test_add(&g, "output_norm.weight", (test_shape){ WIDTH, 0, 0 }, (test_noise){ 1, 0.1f }, NULL);
    test_add(&g, "output.weight", (test_shape){ WIDTH, WORDS, 0 }, (test_noise){ 0, 0.1f }, NULL);
    for (int i = 0; i < LAYERS; i++) {
        const char *const norms[] = { "attn_norm", "ffn_norm" };
        for (int k = 0; k < 2; k++) {
            float gain[WIDTH];
            test_fill(gain, WIDTH, (uint64_t)(10 * i + k), 0.1f);
            for (int c = 0; c < WIDTH; c++) gain[c] += 1;
            snprintf(name, sizeof name, "blk.%d.%s.weight", i, norms[k]);
            test_add(&g, name, (test_shape){ WIDTH, 0, 0 }, (test_noise){ 0, 0 }, gain);
        }
        linear(&g, i, (rows_of){ "attn_qkv", qkv, qkv_rows, WIDTH }, split, 100 + (uint64_t)i);
        linear(&g, i, (rows_of){ "attn_output", one, (const uint64_t[]){ WIDTH }, HEADS * HEAD }, false,
               200 + (uint64_t)i);
        if (experts) {
            snprintf(name, sizeof name, "blk.%d.ffn_gate_inp.weight", i);
            test_add(&g, name, (test_shape){ WIDTH, EXPERTS, 0 }, (test_noise){ 0, 0.3f }, NULL);
            static const struct {
                const char *name;
                uint64_t rows, cols;
            } parts[] = { { "ffn_gate_exps", HIDDEN, WIDTH },
                          { "ffn_up_exps", HIDDEN, WIDTH },
                          { "ffn_down_exps", WIDTH, HIDDEN } };
            for (int k = 0; k < 3; k++) {
                snprintf(name, sizeof name, "blk.%d.%s.weight", i, parts[k].name);
                float *x = test_add(&g, name, (test_shape){ parts[k].cols, parts[k].rows, EXPERTS },
                                    (test_noise){ 0, 0.15f }, NULL);
                for (int e = 0; e < EXPERTS && i == 1 && k == 1 && delta_a; e++) /* 2: alpha 4 over rank 2 */
                    for (int r = 0; r < HIDDEN * WIDTH; r++)
                        for (int j = 0; j < 2; j++)
                            x[e * HIDDEN * WIDTH + r] += 2 * delta_b[(e * HIDDEN + r / WIDTH) * 2 + j] *
                                                         delta_a[(e * 2 + j) * WIDTH + r % WIDTH];
            }
            continue;
        }
        linear(&g, i, (rows_of){ "ffn_up", gate_up, (const uint64_t[]){ HIDDEN, HIDDEN }, WIDTH }, split,
               300 + (uint64_t)i);
        linear(&g, i, (rows_of){ "ffn_down", down, (const uint64_t[]){ WIDTH }, HIDDEN }, false, 400 + (uint64_t)i);
    }
    test_write_gguf(&g, path);
}

/* A GGUF adapter of rank 2: A from the seed, B's rows from `first` on. */
static void add_pair(test_gguf *g, const char *tensor, uint64_t first, uint64_t rows, uint64_t cols)
{
    char name[96];
    float *x = malloc((512 * 2 + cols * 2) * sizeof *x);
    assert_true(x && first + rows <= 512);
    test_fill(x, 512 * 2 + cols * 2, 7, 0.2f);
    snprintf(name, sizeof name, "%.80s.lora_a", tensor);
    test_add(g, name, (test_shape){ cols, 2, 0 }, (test_noise){ 0, 0 }, x + 512 * 2);
    snprintf(name, sizeof name, "%.80s.lora_b", tensor);
    test_add(g, name, (test_shape){ 2, rows, 0 }, (test_noise){ 0, 0 }, x + 2 * first);
    free(x);
}

static void begin_adapter(test_gguf *g, const char *arch)
{
    test_key_text(g, "general.architecture", arch);
    test_key_text(g, "general.type", "adapter");
    test_key_text(g, "adapter.type", "lora");
    test_key_f32(g, "adapter.lora.alpha", 4);
}

static void make_adapter(const char *path, const char *tensor, uint64_t rows, uint64_t cols)
{
    test_gguf g = { 0 };
    begin_adapter(&g, "llama");
    add_pair(&g, tensor, 0, rows, cols);
    test_write_gguf(&g, path);
}

static void scores(precis_ctx *ctx, const char *model, const char *adapter, double scale, int merge,
                   double nll[IDS - 1])
{
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, model));
    if (adapter) OK(ctx, precis_model_add_adapter(ctx, m, adapter, scale, merge));
    OK(ctx,
       precis_eval_ids(ctx, m, ids, IDS,
                       &(precis_eval_options){ sizeof(precis_eval_options), .arithmetic = PRECIS_REFERENCE }, nll));
    precis_model_close(&m);
}

/* Root mean square. */
static double apart(const double *a, const double *b)
{
    double sum = 0;
    for (int i = 0; i < IDS - 1; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum / (IDS - 1));
}

static void test_ways(void **state)
{
    (void)state;
    char path[512];
    double plain[IDS - 1], beside[IDS - 1], merged[IDS - 1], none[IDS - 1];
    precis_ctx *ctx = test_ctx(1);
    make_adapter(path_of("lora.gguf", path), "blk.1.attn_q.weight", 256, 256);
    scores(ctx, MODEL, NULL, 0, 0, plain);
    scores(ctx, MODEL, path, 1, 0, beside);
    scores(ctx, MODEL, path, 1, 1, merged);
    scores(ctx, MODEL, path, 0, 0, none);
    assert_true(apart(plain, beside) > 1e-3 && apart(beside, merged) < 1e-4 && apart(plain, none) < 1e-6);
    static const struct {
        const char *tensor;
        uint64_t rows, cols;
    } wrong[] = { { "blk.1.attn_q.weight", 128, 256 },
                  { "blk.1.attn_q.weight", 256, 64 },
                  { "blk.99.attn_q.weight", 256, 256 } };
    for (size_t i = 0; i < 3; i++) {
        precis_model *m;
        OK(ctx, precis_model_open(ctx, &m, MODEL));
        make_adapter(path, wrong[i].tensor, wrong[i].rows, wrong[i].cols);
        assert_int_equal(precis_model_add_adapter(ctx, m, path, 1.0, 0), PRECIS_EFORMAT);
        assert_non_null(strstr(precis_ctx_message(ctx), "another"));
        precis_model_close(&m);
    }
    precis_ctx_close(&ctx);
}

/* A fused weight is the split ones, with its adapter, beside and merged. */
static void test_fused(void **state)
{
    (void)state;
    char fused[512], split[512], of_fused[512], of_split[512];
    double a[IDS - 1], b[IDS - 1], c[IDS - 1];
    precis_ctx *ctx = test_ctx(1);
    make_model(path_of("fused.gguf", fused), "phi3", false);
    make_model(path_of("split.gguf", split), "phi3", true);
    scores(ctx, fused, NULL, 0, 0, a);
    scores(ctx, split, NULL, 0, 0, b);
    assert_true(apart(a, b) < 1e-9);
    test_gguf g = { 0 };
    begin_adapter(&g, "phi3");
    add_pair(&g, "blk.0.attn_qkv.weight", 0, HEADS * HEAD + 2 * KV * HEAD, WIDTH);
    add_pair(&g, "blk.1.ffn_up.weight", 0, 2 * HIDDEN, WIDTH);
    add_pair(&g, "output.weight", 0, WORDS, WIDTH);
    test_write_gguf(&g, path_of("of_fused.gguf", of_fused));
    begin_adapter(&g, "phi3");
    for (uint64_t i = 0, first = 0; i < 3; first += qkv_rows[i++]) {
        char name[96];
        snprintf(name, sizeof name, "blk.0.%s.weight", qkv[i]);
        add_pair(&g, name, first, qkv_rows[i], WIDTH);
    }
    add_pair(&g, "blk.1.ffn_gate.weight", 0, HIDDEN, WIDTH);
    add_pair(&g, "blk.1.ffn_up.weight", HIDDEN, HIDDEN, WIDTH);
    add_pair(&g, "output.weight", 0, WORDS, WIDTH);
    test_write_gguf(&g, path_of("of_split.gguf", of_split));
    scores(ctx, split, of_split, 1, 0, b);
    assert_true(apart(a, b) > 1e-2);
    scores(ctx, fused, of_fused, 1, 0, c);
    assert_true(apart(b, c) < 1e-9);
    scores(ctx, fused, of_fused, 1, 1, c);
    assert_true(apart(b, c) < 1e-4);
    precis_ctx_close(&ctx);
}

/* Adapters of experts are merged, each into its own. */
static void test_experts(void **state)
{
    (void)state;
    char model[512], adapter[512], by_hand[512];
    double plain[IDS - 1], added[IDS - 1], want[IDS - 1];
    float a[EXPERTS * 2 * WIDTH], b[EXPERTS * HIDDEN * 2];
    test_gguf g = { 0 };
    precis_ctx *ctx = test_ctx(1);
    make_model(path_of("experts.gguf", model), "llama", true);
    test_fill(a, EXPERTS * 2 * WIDTH, 11, 0.2f);
    test_fill(b, EXPERTS * HIDDEN * 2, 12, 0.2f);
    begin_adapter(&g, "llama");
    test_add(&g, "blk.1.ffn_up_exps.weight.lora_a", (test_shape){ WIDTH, 2, EXPERTS }, (test_noise){ 0, 0 }, a);
    test_add(&g, "blk.1.ffn_up_exps.weight.lora_b", (test_shape){ 2, HIDDEN, EXPERTS }, (test_noise){ 0, 0 }, b);
    test_write_gguf(&g, path_of("of_experts.gguf", adapter));
    delta_a = a, delta_b = b;
    make_model(path_of("by_hand.gguf", by_hand), "llama", true);
    delta_a = delta_b = NULL;
    scores(ctx, model, NULL, 0, 0, plain);
    scores(ctx, by_hand, NULL, 0, 0, want);
    assert_true(apart(plain, want) > 1e-2);
    for (int merge = 0; merge < 2; merge++) {
        scores(ctx, model, adapter, 1, merge, added);
        assert_true(apart(added, want) < 1e-6);
    }
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, model));
    make_adapter(adapter, "blk.1.ffn_up_exps.weight", HIDDEN, WIDTH); /* no number of experts */
    assert_int_equal(precis_model_add_adapter(ctx, m, adapter, 1.0, 0), PRECIS_EFORMAT);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static double error_of(precis_ctx *ctx, const char *model, const char *type, const char *method, uint32_t rank,
                       const double *want)
{
    char path[512];
    double got[IDS - 1];
    precis_model *m;
    precis_job job;
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    OK(ctx, precis_model_open(ctx, &m, model));
    o.type = type;
    o.quant.method = method;
    o.quant.rank = rank;
    o.no_calibration = o.no_eval = 1;
    OK(ctx, precis_job_quantize(ctx, m, path_of("made.gguf", path), &o, &job));
    precis_job_close(&job);
    precis_model_close(&m);
    if (strstr(type, "NVFP4")) {
        static const char *const scaled[] = { "blk.0.attn_qkv.scale", "blk.0.attn_q.scale", "blk.1.ffn_up_exps.scale" };
        OK(ctx, precis_model_open(ctx, &m, path));
        const pcs_tensor *t = NULL;
        for (size_t i = 0; i < 3 && !t; i++) t = pcs_model_tensor(m, scaled[i]);
        assert_non_null(t);
        assert_int_equal(t->n, strstr(t->name, "exps") ? EXPERTS : 1);
        precis_model_close(&m);
    }
    scores(ctx, path, NULL, 0, 0, got);
    return apart(got, want);
}

/* An SVD residual of half the rank brings back most of what coding took, also of a fused
 * weight; NVFP4's scale is one for fused and for split weights. */
static void test_residual(void **state)
{
    (void)state;
    char fused[512], split[512];
    double plain[IDS - 1];
    precis_ctx *ctx = test_ctx(1);
    make_model(path_of("fused.gguf", fused), "phi3", false);
    scores(ctx, fused, NULL, 0, 0, plain);
    const char *types = "token_embd.weight=F32,output.weight=F32,*=INT4_G32";
    const double rtn = error_of(ctx, fused, types, "rtn", 0, plain),
                 svd = error_of(ctx, fused, types, "svd+rtn", WIDTH / 2, plain);
    print_message("nll off by: INT4_G32 %.4f, with a residual of half rank %.4f\n", rtn, svd);
    assert_true(svd < 0.6 * rtn);
    make_model(path_of("split.gguf", split), "phi3", true);
    const double nvfp4 = error_of(ctx, fused, "NVFP4", "rtn", 0, plain),
                 of_split = error_of(ctx, split, "NVFP4", "rtn", 0, plain);
    print_message("NVFP4 %.9f, split %.9f\n", nvfp4, of_split);
    assert_true(nvfp4 > 0 && fabs(nvfp4 - of_split) < 1e-9);
    make_model(path_of("experts.gguf", split), "llama", true);
    scores(ctx, split, NULL, 0, 0, plain);
    const double of_experts = error_of(ctx, split, "NVFP4", "rtn", 0, plain);
    print_message("of experts %.9f\n", of_experts);
    assert_true(of_experts > 0 && of_experts < 0.5);
    precis_ctx_close(&ctx);
}

int main(void)
{
    for (int i = 0; i < IDS; i++) ids[i] = 3 + (i * 37 + i * i) % 110;
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ways), cmocka_unit_test(test_fused),
                                        cmocka_unit_test(test_experts), cmocka_unit_test(test_residual) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
