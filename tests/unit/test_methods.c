/* Methods: the factor that GPTQ needs, transforms that change nothing, coders that beat rounding,
 * what is refused; schemes; adapters; containers there and back. */
#include "base/hadamard.h"
#include "plan/plan.h"
#include "precis/convert.h"
#include "quant/methods.h"
#include "test.h"

#include <math.h>
#include <unistd.h>

/* Windows at even distances, and the first few of them, too. */
static void test_spread(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t n = 1; n <= 70; n += n < 10 ? 1 : 12) {
        pcs_windows all = { .ctx = ctx }, some;
        int32_t ids[16];
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < 16; k++) ids[k] = (int32_t)i;
            assert_int_equal(pcs_windows_add(&all, ids, i + 1 == n && n > 1 ? 9 : 16), PRECIS_OK);
        }
        for (uint64_t tokens = 2; tokens <= all.n_ids + 20; tokens += 7) {
            assert_int_equal(pcs_windows_spread(&all, tokens, &some), PRECIS_OK);
            const uint64_t most = tokens < all.n_ids ? tokens : all.n_ids;
            /* All but a rest, and what the short last window lacks. */
            assert_true(some.n_ids <= most && some.n_ids + 11 > most);
            bool seen[70] = { false };
            size_t at = 0;
            for (size_t w = 0; w < some.n; at += some.lengths[w++]) {
                assert_false(seen[some.ids[at]]);
                seen[some.ids[at]] = true;
            }
            /* The first two are of different halves, the first four reach over more than half. */
            if (some.n >= 4 && n >= 16) {
                size_t least = n, most_at = 0;
                assert_true(((size_t)some.ids[0] * 2 / n) != ((size_t)some.ids[some.lengths[0]] * 2 / n));
                at = 0;
                for (size_t w = 0; w < 4; at += some.lengths[w++]) {
                    const size_t place = (size_t)some.ids[at];
                    least = place < least ? place : least;
                    most_at = place > most_at ? place : most_at;
                }
                assert_true(2 * (most_at - least) > n);
            }
            pcs_windows_free(&some);
        }
        pcs_windows_free(&all);
    }
    precis_ctx_close(&ctx);
}

/* What is left beside some of them: from all over, too, and none that holds one of those. */
static void test_apart(void **state)
{
    (void)state;
    enum { LONG = 64, N = 40 };
    precis_ctx *ctx = test_ctx(1);
    pcs_windows all = { .ctx = ctx }, halves = { .ctx = ctx }, some, rest, apart;
    int32_t ids[LONG];
    for (int32_t i = 0; i < N; i++) {
        for (int32_t k = 0; k < LONG; k++) ids[k] = i * LONG + k;
        assert_int_equal(pcs_windows_add(&all, ids, LONG), PRECIS_OK);
        for (int h = 0; h < 2; h++) {
            ids[h * LONG / 2] = -1; /* BOS, in the first token's place */
            assert_int_equal(pcs_windows_add(&halves, ids + h * LONG / 2, LONG / 2), PRECIS_OK);
        }
    }
    assert_int_equal(pcs_windows_spread(&halves, 10 * LONG / 2, &some), PRECIS_OK);
    assert_int_equal(some.n, 10);
    assert_int_equal(pcs_windows_rest(&halves, &some, 20 * LONG / 2, &rest), PRECIS_OK);
    assert_int_equal(rest.n, 20);
    bool late = false;
    for (size_t i = 0; i < rest.n; i++) {
        for (size_t k = 0; k < some.n; k++)
            assert_int_not_equal(rest.ids[i * LONG / 2 + 1], some.ids[k * LONG / 2 + 1]);
        late |= rest.ids[i * LONG / 2 + 1] > N * LONG * 3 / 4;
    }
    assert_true(late);
    assert_int_equal(pcs_windows_apart(&all, &some, &apart), PRECIS_OK);
    bool held[N] = { false };
    size_t left = N;
    for (size_t k = 0; k < some.n; k++) {
        const int32_t of = some.ids[k * LONG / 2 + 1] / LONG;
        left -= !held[of];
        held[of] = true;
    }
    assert_int_equal(apart.n, left);
    for (size_t i = 0; i < apart.n; i++) assert_false(held[apart.ids[i * LONG + 1] / LONG]);
    pcs_windows_free(&all), pcs_windows_free(&halves), pcs_windows_free(&some);
    pcs_windows_free(&rest), pcs_windows_free(&apart);
    precis_ctx_close(&ctx);
}

static void test_feedback(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    for (size_t n = 1; n <= 200; n += n < 5 ? 1 : 65) {
        float *x = malloc(n * 2 * n * sizeof *x), *a = malloc(PCS_FEEDBACK_SIZE(n) * sizeof *a);
        double *h = malloc(n * n * sizeof *h), *work = malloc(PCS_FEEDBACK_WORK(n) * sizeof *work),
               *square = malloc(n * sizeof *square);
        uint32_t *order = malloc(n * sizeof *order);
        test_fill(x, n * 2 * n, n, 1.0f);
        for (size_t i = 0; i < n; i++) {
            order[i] = (uint32_t)(n - 1 - ((i ^ 1) < n ? i ^ 1 : i)); /* neighbours change places, from the last on */
            for (size_t j = 0; j < n; j++) {
                double s = i == j ? 0.01 : 0;
                for (size_t t = 0; t < 2 * n; t++) s += (double)x[t * n + i] * x[t * n + j];
                h[i * n + j] = s;
            }
        }
        assert_true(pcs_feedback(ctx, &(pcs_damped){ n, h, order, 0.25 }, work, a));
#define A(i, c) ((i) == (c) ? 1.0 : (double)a[PCS_FEEDBACK_PANEL((c) / 16) + (i) * 16 + (c) % 16])
        for (size_t i = n; i-- > 0;)
            for (size_t c = i + 1; c-- > 0;) { /* H = A D A^T, D from the last on */
                double s = h[order[i] * n + order[c]] + (i == c ? 0.25 : 0);
                for (size_t k = i + 1; k < n; k++) s -= A(i, k) * A(c, k) * square[k];
                if (i == c) square[i] = s, assert_true(s > 0);
                else if (fabs(s - A(c, i) * square[i]) > 1e-3)
                    fail_msg("n %zu: entry %zu, %zu is %g, not %g", n, c, i, A(c, i) * square[i], s);
            }
        for (size_t c = 0; c < (n + 15) / 16 * 16; c++)
            for (size_t i = c; i < (c / 16 + 1) * 16; i++)
                assert_true(a[PCS_FEEDBACK_PANEL(c / 16) + i * 16 + c % 16] == 0);
#undef A
        h[0] = -1.0; /* not positive definite */
        assert_false(pcs_feedback(ctx, &(pcs_damped){ n, h, order, 0 }, work, a));
        free(a);
        free(work);
        free(square);
        free(order);
        free(x);
        free(h);
    }
    precis_ctx_close(&ctx);
}

static void test_hadamard(void **state)
{
    (void)state;
    static const size_t orders[] = { 1, 2, 64, 12, 20, 28, 36, 24, 40, 56, 72, 576, 640, 768, 1536 };
    assert_int_equal(pcs_hadamard_order(172), 0);
    assert_int_equal(pcs_hadamard_order(0), 0);
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        const size_t n = orders[k];
        float *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y);
        test_fill(x, n, n, 1.0f);
        memcpy(y, x, n * sizeof *x);
        double a = 0, b = 0;
        pcs_hadamard(y, n);
        for (size_t i = 0; i < n; i++) a += (double)x[i] * x[i], b += (double)y[i] * y[i];
        if (fabs(a - b) > 1e-4 * a) fail_msg("order %zu: %g became %g", n, a, b);
        pcs_hadamard_transposed(y, n);
        for (size_t i = 0; i < n; i++)
            if (fabsf(x[i] - y[i]) > 1e-4f) fail_msg("order %zu: the transpose is no inverse at %zu", n, i);
        free(x);
        free(y);
    }
}

static char *path_of(const char *name, char buf[512])
{
    snprintf(buf, 512, "%s/%s", test_folder(), name);
    return buf;
}

static uint32_t tokens = 512; /* of calibration */

/* Quantize the carried model; its KL divergence. */
static double divergence(const char *type, const char *method, const char *name, int fallback)
{
    char path[512];
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_job job;
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    o.type = type;
    o.quant.method = method;
    o.quant.fallback = fallback;
    o.calibrate.tokens = tokens;
    o.eval.window = 256;
    o.eval.windows = 2;
    o.no_eval = !strcmp(name, "container.gguf") || !strcmp(name, "scheme.gguf");
    o.no_calibration = o.no_eval && !strcmp(method ? method : "", "rtn");
    o.eval.arithmetic = PRECIS_REFERENCE;
    OK(ctx, precis_job_quantize(ctx, m, path_of(name, path), &o, &job));
    const double kld = job.eval.kld_mean;
    precis_job_close(&job);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    return kld;
}

static void test_transforms(void **state)
{
    (void)state;
    static const char *const methods[] = { "rotate", "hadamard", "smoothquant", "rotate+hadamard+smoothquant" };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const double kld = divergence("F32", methods[i], "transform.gguf", 0);
        if (!(kld < 1e-4)) fail_msg("%s changed what the model computes: KL %g", methods[i], kld);
    }
    /* awq moves scale only where that makes rounding better */
    static const char *const scaled[] = { "awq+rtn", "hadamard+awq+rtn", "rotate+hadamard+awq+rtn" };
    const double plain = divergence("UINT4_G64", "rtn", "transform.gguf", 0);
    tokens = 4096;
    for (size_t i = 0; i < sizeof scaled / sizeof *scaled; i++) {
        const double kld = divergence("UINT4_G64", scaled[i], "transform.gguf", 0);
        print_message("%s: KL %.4f, rtn alone %.4f\n", scaled[i], kld, plain);
        assert_true(kld < 1.1 * plain);
    }
    tokens = 512;
}

static void test_coders(void **state)
{
    (void)state;
    const double rtn = divergence("UINT3_G64", "rtn", "rtn.gguf", 0),
                 hqq = divergence("UINT3_G64", "hqq", "hqq.gguf", 0),
                 gptq = divergence("UINT3_G64", "gptq", "gptq.gguf", 0),
                 svd = divergence("UINT3_G64", "svd", "svd.gguf", 0),
                 clip = divergence("UINT3_G64", "clip", "clip.gguf", 0);
    print_message("UINT3_G64: rtn %.4f, hqq %.4f, gptq %.4f, svd %.4f, clip %.4f\n", rtn, hqq, gptq, svd, clip);
    assert_true(gptq < rtn && svd < rtn && clip < rtn && hqq < 1.5 * rtn);
    /* formats with blocks, books and powers of two too */
    static const char *const types[] = { "Q4_K", "IQ4_NL", "INT4_T" };
    tokens = 2048; /* 512 are too few for one scale per tensor: gptq gains nothing there */
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const double plain = divergence(types[i], "rtn", "rtn.gguf", 0),
                     kld = divergence(types[i], "gptq", "gptq.gguf", 0);
        print_message("%s: rtn %.4f, gptq %.4f\n", types[i], plain, kld);
        assert_true(kld < plain);
    }
    tokens = 512;
}

/* Methods give the same bytes for any number of threads and instruction set. */
static void test_same_bytes(void **state)
{
    (void)state;
    static const struct { uint32_t threads; const char *cpu; } ways[] = { { 1, NULL }, { 3, "avx2" }, { 2, "scalar" } };
    static const char *const methods[] = { "rotate+gptq+svd", "awq+clip" };
    char want[65], got[65], path[512];
    for (size_t k = 0; k < 6; k++) {
        const size_t i = k % 3;
        if (ways[i].cpu) setenv("PRECIS_CPU", ways[i].cpu, 1);
        precis_ctx *ctx = test_ctx(ways[i].threads);
        unsetenv("PRECIS_CPU");
        precis_model *m;
        precis_job job;
        precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
        OK(ctx, precis_model_open(ctx, &m, MODEL));
        o.type = "*attn*=UINT3_G64";
        o.quant.method = methods[k / 3];
        o.no_eval = 1;
        o.calibrate.tokens = 128;
        OK(ctx, precis_job_quantize(ctx, m, path_of("same.gguf", path), &o, &job));
        precis_job_close(&job);
        precis_model_close(&m);
        OK(ctx, precis_sha256_file(ctx, path, i ? got : want));
        if (i && strcmp(want, got))
            fail_msg("%s, %u threads, %s: other bytes", methods[k / 3], ways[i].threads, precis_ctx_cpu(ctx));
        precis_ctx_close(&ctx);
    }
}

static void is_refused(const char *type, const char *method, precis_status want, const char *says)
{
    char path[512];
    precis_ctx *ctx = test_ctx(1);
    precis_model *m;
    precis_job job;
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    o.type = type;
    o.quant.method = method;
    o.no_eval = 1;
    o.calibrate.tokens = 64;
    const precis_status st = precis_job_quantize(ctx, m, path_of("refused.gguf", path), &o, &job);
    if (st != want || !strstr(precis_ctx_message(ctx), says))
        fail_msg("%s with %s: status %d, \"%s\"", type, method, st, precis_ctx_message(ctx));
    assert_int_not_equal(access(path, F_OK), 0);
    precis_job_close(&job);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    is_refused("Q4_0", "awq+smoothquant", PRECIS_EINVAL, "cannot be combined");
    is_refused("Q4_0", "gptq+hqq", PRECIS_EINVAL, "both choose the codes");
    is_refused("Q4_0", "clip+search", PRECIS_EINVAL, "would cut what is left");
    is_refused("INT4_T", "clip", PRECIS_EUNSUPPORTED, "whole tensor");
    is_refused("Q4_0", "magic", PRECIS_EINVAL, "is no method");
    is_refused("IQ2_S", "gptq", PRECIS_EUNSUPPORTED, "blk.0.");
    is_refused("Q4_0", "hqq", PRECIS_EUNSUPPORTED, "zero point");
    is_refused("W9A16", NULL, PRECIS_EINVAL, "is no type");
    /* with fallback the same goes through, and says where */
    assert_true(divergence("IQ3_S", "gptq", "fallback.gguf", 1) < 0.2);
    size_t pairs = 0, methods = 0; /* every method with every other is judged */
    char text[192];
    while (pcs_methods_pair(pairs, text, sizeof text)) pairs++;
    while (precis_list("methods", methods)) methods++;
    assert_true(methods >= 10);
    assert_int_equal(pairs, methods * methods);
}

static void test_schemes(void **state)
{
    (void)state;
    pcs_scheme s;
    assert_true(pcs_scheme_of("W4A8KV8", &s));
    assert_string_equal(s.weights, "INT4_G128");
    assert_string_equal(s.activations, "INT8");
    assert_string_equal(s.kv, "int8");
    assert_true(pcs_scheme_of("w8a16", &s) && !s.activations && !s.kv);
    assert_true(pcs_scheme_of("FP8", &s) && s.fixed);
    static const char *const none[] = { "W4", "A8", "W0A8", "W4A1", "W4A8KV7", "W4A8X", "", "KV8", "W4A16_STATIC" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (pcs_scheme_of(none[i], &s)) fail_msg("%s is taken for a scheme", none[i]);
    static const struct {
        const char *type;
        double most;
    } made[] = { { "W8A8", 0.01 }, { "W8A8_STATIC", 0.05 }, { "W4A8KV8", 0.05 },
                 { "FP8", 0.01 },  { "NVFP4A4", 0.1 },      { "MXFP8", 0.01 } };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        char path[512];
        divergence(made[i].type, NULL, "scheme.gguf", 0);
        precis_ctx *ctx = test_ctx(2);
        precis_model *m, *ref;
        precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
        precis_eval_result e = { .size = sizeof e }, w = { .size = sizeof w };
        size_t len;
        const char *text = precis_eval_default_text(&len);
        o.window = 256;
        o.windows = 2;
        OK(ctx, precis_model_open(ctx, &m, path_of("scheme.gguf", path)));
        OK(ctx, precis_model_open(ctx, &ref, MODEL));
        o.arithmetic = PRECIS_EMULATED;
        OK(ctx, precis_eval_text(ctx, m, ref, text, len, &o, &e));
        o.arithmetic = PRECIS_REFERENCE;
        OK(ctx, precis_eval_text(ctx, m, ref, text, len, &o, &w));
        if (!(e.kld_mean < made[i].most) || !(e.kld_mean > w.kld_mean))
            fail_msg("%s: KL %g emulated, %g of the weights alone", made[i].type, e.kld_mean, w.kld_mean);
        precis_model_close(&m);
        precis_model_close(&ref);
        precis_ctx_close(&ctx);
    }
}

static void nll_of(precis_ctx *ctx, const char *path, double *nll)
{
    static const int32_t ids[] = { 3, 77, 500, 1200, 9, 88, 4000, 17, 250, 31 };
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, path));
    OK(ctx,
       precis_eval_ids(ctx, m, ids, 10,
                       &(precis_eval_options){ sizeof(precis_eval_options), .arithmetic = PRECIS_REFERENCE }, nll));
    precis_model_close(&m);
}

static void remove_folder(const char *path)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command)) fail_msg("%s stays", path);
}

/* Integer weights go through every container and come back with the same numbers. */
static void test_containers(void **state)
{
    (void)state;
    static const struct {
        const char *type, *format;
    } ways[] = { { "INT4_G128", "safetensors" }, { "UINT4_G64", "safetensors" },  { "INT8_C", "safetensors" },
                 { "Q6_K", "safetensors" },      { "FP8_E4M3_C", "safetensors" }, { "NVFP4", "safetensors" },
                 { "MXFP4", "safetensors" },     { "INT4_G128", "gptq" },         { "UINT4_G128", "awq" },
                 { "INT3_G64", "safetensors" } };
    char q[512], out[512];
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char type[96];
        double a[9], b[9];
        precis_ctx *ctx = test_ctx(2);
        precis_model *m;
        precis_convert_report *r;
        precis_convert_options o = PRECIS_CONVERT_OPTIONS_INIT;
        snprintf(type, sizeof type, "token_embd.weight=F16,*=%s", ways[i].type);
        divergence(type, "rtn", "container.gguf", 0);
        path_of("container.gguf", q);
        remove_folder(path_of("container", out));
        OK(ctx, precis_model_open(ctx, &m, q));
        o.format = ways[i].format;
        OK(ctx, precis_convert(ctx, m, out, &o, &r));
        for (size_t k = 0; k < precis_convert_report_size(r); k++) {
            precis_convert_row row = { .size = sizeof row };
            OK(ctx, precis_convert_report_get(r, k, &row));
            /* a scale of a whole is stored as its reciprocal, and where it is nobody's loses its last bit */
            const bool reciprocal = strstr(row.name, ".scale") && row.max_error < 1e-9;
            if (!row.exact && !reciprocal)
                fail_msg("%s to %s: tensor %s is off by %g", ways[i].type, ways[i].format, row.name, row.max_error);
        }
        precis_convert_report_close(&r);
        /* a folder that has something in it is not written over */
        assert_int_equal(precis_convert(ctx, m, out, &o, &r), PRECIS_EINVAL);
        precis_model_close(&m);
        nll_of(ctx, q, a);
        nll_of(ctx, out, b);
        for (int k = 0; k < 9; k++)
            if (fabs(a[k] - b[k]) > 1e-5)
                fail_msg("%s through %s: nll %g became %g", ways[i].type, ways[i].format, a[k], b[k]);
        remove_folder(out);
        precis_ctx_close(&ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_spread),    cmocka_unit_test(test_apart),
                                        cmocka_unit_test(test_feedback),
                                        cmocka_unit_test(test_hadamard),  cmocka_unit_test(test_transforms),
                                        cmocka_unit_test(test_coders),    cmocka_unit_test(test_same_bytes),
                                        cmocka_unit_test(test_refused),   cmocka_unit_test(test_schemes),
                                        cmocka_unit_test(test_containers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
