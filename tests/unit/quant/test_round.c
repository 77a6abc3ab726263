/* Sign descent on a layer's codes: it beats what it begins with, on text that it has not seen, for types of every kind
 * of scale; its bytes depend on neither threads nor instruction set; and a layer of which nothing is coded is left
 * alone. And 2 of 4 weights that are left out in the sweep of the coder. */
#include "test.h"

#include "precis/job.h"
#include "quant/methods.h"

#include <stdlib.h>

typedef struct { const char *type, *method; uint32_t tokens, threads; bool evaluates; } wanted;

/* The file NAME of a model; its KL divergence, where that is wanted. */
static double quantized(const wanted *w, const char *model, const char *name, char sha256[65])
{
    char path[512];
    precis_ctx *ctx = test_ctx(w->threads);
    precis_model *m;
    precis_job job;
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    OK(ctx, precis_model_open(ctx, &m, model));
    o.type = w->type;
    o.quant.method = w->method;
    o.calibrate.tokens = w->tokens;
    o.eval.window = 256;
    o.eval.windows = 2;
    o.no_eval = !w->evaluates;
    o.eval.arithmetic = PRECIS_REFERENCE;
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    OK(ctx, precis_job_quantize(ctx, m, path, &o, &job));
    const double kld = job.eval.kld_mean;
    precis_job_close(&job);
    precis_model_close(&m);
    if (sha256) OK(ctx, precis_sha256_file(ctx, path, sha256));
    precis_ctx_close(&ctx);
    return kld;
}

static double divergence(const char *type, const char *method, uint32_t tokens)
{
    return quantized(&(wanted){ type, method, tokens, 2, true }, MODEL, "one.precis.gguf", NULL);
}

static void test_beats(void **state)
{
    (void)state;
    const char *two = "*blk.3.*=Q2_K";
    const double rtn = divergence(two, "rtn", 4096), gptq = divergence(two, "gptq", 4096),
                 kld = divergence(two, "round", 4096);
    print_message("Q2_K: rtn %.5f, gptq %.5f, round %.5f\n", rtn, gptq, kld);
    assert_true(gptq < rtn && kld < 0.9 * gptq);
}

/* Another kind of scale: one a row. */
static void test_types(void **state)
{
    (void)state;
    static const char *const types[] = { "INT3_C" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char type[64];
        snprintf(type, sizeof type, "*blk.1.*=%s", types[i]);
        const double rtn = divergence(type, "rtn", 2048), kld = divergence(type, "round", 2048);
        print_message("%s: rtn %.6f, round %.6f\n", types[i], rtn, kld);
        assert_true(kld > 0 && kld < 0.7 * rtn);
    }
}

static void test_same_bytes(void **state)
{
    (void)state;
    static const struct { uint32_t threads; const char *cpu; } ways[] = { { 1, NULL }, { 3, "avx2" }, { 2, "scalar" } };
    char want[65], got[65];
    for (size_t i = 0; i < 3; i++) {
        if (ways[i].cpu) setenv("PRECIS_CPU", ways[i].cpu, 1);
        const wanted w = { "*blk.1.attn_*=IQ4_XS", "round", 64, ways[i].threads, false };
        quantized(&w, MODEL, "same.gguf", i ? got : want);
        unsetenv("PRECIS_CPU");
        if (i && strcmp(want, got)) fail_msg("%u threads, %s: other bytes", ways[i].threads, ways[i].cpu);
    }
}

/* 2 of each 4 weights of the matrices of layers that have codes are 0 in the file. */
static void assert_half(const char *name)
{
    char path[512];
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    size_t matrices = 0;
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    OK(ctx, precis_model_open(ctx, &m, path));
    for (size_t i = 0; i < m->n_tensors; i++) {
        const pcs_tensor *t = &m->tensors[i];
        if (t->is.layer < 0 || t->dims != 2 || t->format->kind != PCS_QUANT) continue;
        matrices++;
        const size_t n = (size_t)t->ne[0];
        float *x = malloc(n * sizeof *x);
        for (uint64_t r = 0; r < pcs_tensor_rows(t); r++) {
            pcs_decode(t->format, n, t->data + r * pcs_tensor_row_bytes(t), x);
            for (size_t k = 0; k < n; k += 4)
                if ((x[k] == 0) + (x[k + 1] == 0) + (x[k + 2] == 0) + (x[k + 3] == 0) < 2)
                    fail_msg("%s, row %llu: columns from %zu on are %g %g %g %g", t->name, (unsigned long long)r, k,
                             (double)x[k], (double)x[k + 1], (double)x[k + 2], (double)x[k + 3]);
        }
        free(x);
    }
    assert_true(matrices > 0);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* In one sweep against pruned first: weights that SparseGPT chose, which is what `pruned` has, then GPTQ that keeps
 * its zeros, whoever chose them. */
static void test_one_sweep(void **state)
{
    (void)state;
    char pruned[512];
    snprintf(pruned, sizeof pruned, "%s/pruned.gguf", test_folder());
    quantized(&(wanted){ "*blk*=F32", "sparsegpt", 1024, 2, false }, MODEL, "pruned.gguf", NULL);
    quantized(&(wanted){ "*blk*=Q4_0", "magnitude+gptq", 1024, 2, false }, pruned, "after.gguf", NULL);
    assert_half("after.gguf");
    const wanted sweep = { "*blk*=Q4_0", "sparsegpt+gptq", 1024, 2, true };
    const double kld = quantized(&sweep, MODEL, "sweep.gguf", NULL);
    assert_half("sweep.gguf");
    char path[512];
    precis_ctx *ctx = test_ctx(2);
    precis_model *m, *after;
    precis_eval_options e = PRECIS_EVAL_OPTIONS_INIT;
    precis_eval_result got = { .size = sizeof got };
    size_t len;
    snprintf(path, sizeof path, "%s/after.gguf", test_folder());
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_model_open(ctx, &after, path));
    e.window = 256;
    e.windows = 2;
    e.arithmetic = PRECIS_REFERENCE;
    const char *text = precis_eval_default_text(&len);
    OK(ctx, precis_eval_text(ctx, after, m, text, len, &e, &got));
    print_message("2:4, Q4_0: pruned, then gptq %.4f; one sweep %.4f\n", got.kld_mean, kld);
    assert_true(kld < 0.95 * got.kld_mean);
    precis_model_close(&after);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* What was left out stays so in what is learned, too. */
static void test_sparse_round(void **state)
{
    (void)state;
    const wanted w = { "*blk.0.attn_*=Q4_0", "sparsegpt+round", 64, 2, false };
    quantized(&w, MODEL, "round.gguf", NULL);
    assert_half("round.gguf");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_beats), cmocka_unit_test(test_types),
                                        cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_one_sweep),
                                        cmocka_unit_test(test_sparse_round) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
