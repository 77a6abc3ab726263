/* The main job on the carried model: the same bytes for any number of threads and instruction set; KV types; batches;
 * what a full disk, a cancelled job and an output that is the input leave behind. */
#include "base/cpu.h"
#include "test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static precis_ctx *masked(uint32_t threads, const char *cpu)
{
    if (cpu) setenv("PRECIS_CPU", cpu, 1);
    else unsetenv("PRECIS_CPU");
    precis_ctx *ctx = test_ctx(threads);
    unsetenv("PRECIS_CPU");
    return ctx;
}

static void make(precis_ctx *ctx, const char *path, char hex[65])
{
    precis_model *m;
    precis_job job;
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    o.max_part = 0.3;
    o.no_eval = 1;
    o.calibrate.tokens = 128;
    o.quant.types = "Q4_K,Q3_K,Q2_K"; /* all of them take a minute for each way */
    OK(ctx, precis_job_quantize(ctx, m, path, &o, &job));
    assert_true(job.bytes <= 0.3 * 15e6);
    precis_job_close(&job);
    precis_model_close(&m);
    OK(ctx, precis_sha256_file(ctx, path, hex));
}

static void test_same_bytes(void **state)
{
    (void)state;
    static const struct {
        uint32_t threads;
        const char *cpu;
    } ways[] = { { 1, NULL }, { 2, NULL }, { 3, "avx2" }, { 2, "avxvnni" }, { 2, "scalar" } };
    char want[65], got[65], path[256];
    snprintf(path, sizeof path, "%s/same.gguf", test_folder());
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        precis_ctx *ctx = masked(ways[i].threads, ways[i].cpu);
        make(ctx, path, i ? got : want);
        if (i && strcmp(want, got)) fail_msg("%u threads, %s: other bytes", ways[i].threads, precis_ctx_cpu(ctx));
        precis_ctx_close(&ctx);
    }
    print_message("sha256 %s\n", want);
    unlink(path);
}

enum { VOCABULARY = 4096 };

/* Logits depend neither on the batch, nor on threads, nor on the instruction set, nor on
 * whether and when weights are packed. */
static void same_logits(const char *path)
{
    enum { N = 20, WAYS = 9 };
    static float first[VOCABULARY];
    for (int way = 0; way < WAYS; way++) {
        precis_ctx *ctx = masked(way == 1 ? 1 : 2, way == 2 ? "scalar" : way == 3 || way == 7 ? "avx2" : NULL);
        precis_model *m;
        precis_runner *r;
        precis_runner_options o = PRECIS_RUNNER_OPTIONS_INIT;
        precis_runner_info info = { .size = sizeof info };
        o.sequences = 2;
        o.pack = way == 5 || way == 7   ? PRECIS_PACK_LOAD
                 : way == 6 || way == 8 ? PRECIS_PACK_BACKGROUND
                                        : PRECIS_PACK_OFF;
        OK(ctx, precis_model_open(ctx, &m, path));
        OK(ctx, precis_runner_open(ctx, &r, m, &o));
        precis_runner_get_info(r, &info);
        assert_int_equal(info.vocabulary, VOCABULARY);
        precis_row rows[N];
        const float *logits = NULL;
        for (uint32_t i = 0; i < N; i++) rows[i] = (precis_row){ (int32_t)(i * 91 % 4096), i, 1, i == N - 1 };
        if (way < 4 || way == 5) OK(ctx, precis_runner_decode(r, rows, N, &logits));
        else if (way == 8) /* a prompt, then one at a time */
            for (uint32_t i = 0; i < N; i += i ? 1 : 13)
                OK(ctx, precis_runner_decode(r, rows + i, i ? 1 : 13, &logits));
        else /* beside another sequence */
            for (uint32_t i = 0; i < N; i++) {
                const precis_row two[2] = { { 7, i, 0, 0 }, { rows[i].token, i, 1, 1 } };
                OK(ctx, precis_runner_decode(r, two, 2, &logits));
            }
        if (!way) memcpy(first, logits, sizeof first);
        else if (memcmp(first, logits, sizeof first)) fail_msg("%s: way %d gives other logits", path, way);
        precis_runner_close(&r);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

static void test_same_logits(void **state)
{
    (void)state;
    static const char *const types[] = { NULL,     "F16",  "BF16", "Q4_K_M", "Q5_0",
                                         "IQ4_XS", "Q2_K", "Q8_0", "IQ2_S",  "W4A16" };
    char path[256];
    snprintf(path, sizeof path, "%s/same.gguf", test_folder());
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i]) {
            precis_ctx *ctx = test_ctx(2);
            precis_model *m;
            precis_plan *p;
            OK(ctx, precis_model_open(ctx, &m, MODEL));
            OK(ctx, precis_plan_types(ctx, &p, m, types[i], 0));
            OK(ctx, precis_quantize(ctx, m, p, path, NULL, NULL));
            precis_plan_close(&p);
            precis_model_close(&m);
            precis_ctx_close(&ctx);
        }
        same_logits(types[i] ? path : MODEL);
    }
    unlink(path);
}

/* Narrower caches cost little, and more as they get narrower. */
static void test_cache_types(void **state)
{
    (void)state;
    static const char *const types[] = { "f32", "f16", "int8", "int4" };
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    double kld[4];
    for (int i = 0; i < 4; i++) {
        size_t len;
        const char *text = precis_eval_default_text(&len);
        precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
        precis_eval_result e = { .size = sizeof e };
        o.window = 256;
        o.windows = 6;
        o.k_type = o.v_type = types[i];
        OK(ctx, precis_eval_text(ctx, m, m, text, len, &o, &e));
        kld[i] = e.kld_mean;
        assert_int_equal(e.tokens, 6 * 127);
    }
    print_message("KL of the cache: f32 %g, f16 %g, int8 %g, int4 %g\n", kld[0], kld[1], kld[2], kld[3]);
    assert_true(kld[1] == 0 && kld[0] < 1e-5 && kld[2] < 0.01 && kld[3] < 0.2 && kld[2] < kld[3]);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static int files_in(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

static int stop_at_once(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)total;
    return !strcmp(stage, user) && done > 0;
}

static void test_failures(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_plan *p;
    char path[256];
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_plan_types(ctx, &p, m, "Q8_0", 0));
    snprintf(path, sizeof path, "%s/out.gguf", test_folder());
    const int before = files_in(test_folder());
    /* a limit on file size stands in for a full disk */
    struct rlimit old, small = { 1 << 20, RLIM_INFINITY };
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    const precis_status full = precis_quantize(ctx, m, p, path, NULL, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(full, PRECIS_ENOSPC);
    assert_int_equal(files_in(test_folder()), before);
    /* a folder that is not there; an output that is a folder; the input itself */
    assert_int_equal(precis_quantize(ctx, m, p, "/nonexistent/x.gguf", NULL, NULL), PRECIS_EIO);
    assert_int_equal(precis_quantize(ctx, m, p, test_folder(), NULL, NULL), PRECIS_EINVAL);
    OK(ctx, precis_quantize(ctx, m, p, path, NULL, NULL));
    precis_model *again;
    precis_plan *plan;
    OK(ctx, precis_model_open(ctx, &again, path));
    OK(ctx, precis_plan_types(ctx, &plan, again, "Q4_0", 0));
    char link[300];
    snprintf(link, sizeof link, "%s/link.gguf", test_folder());
    assert_int_equal(symlink("out.gguf", link), 0);
    assert_int_equal(precis_quantize(ctx, again, plan, path, NULL, NULL), PRECIS_EINVAL);
    assert_int_equal(precis_quantize(ctx, again, plan, link, NULL, NULL), PRECIS_EINVAL);
    unlink(link);
    precis_plan_close(&plan);
    precis_model_close(&again);
    precis_plan_close(&p);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
    unlink(path);
}

static void test_stopped(void **state)
{
    (void)state;
    precis_ctx *ctx;
    precis_model *m;
    char path[256];
    snprintf(path, sizeof path, "%s/out.gguf", test_folder());
    const int before = files_in(test_folder());
    static const char *const stages[] = { "calibrate", "measure", "quantize", "verify", "evaluate" };
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        precis_ctx_options o = PRECIS_CTX_OPTIONS_INIT;
        o.progress = stop_at_once;
        o.user = (void *)(uintptr_t)stages[i];
        assert_int_equal(precis_ctx_open(&ctx, &o), PRECIS_OK);
        precis_job job;
        precis_job_options jo = PRECIS_JOB_OPTIONS_INIT;
        jo.max_part = 0.4;
        jo.calibrate.tokens = 128;
        jo.quant.types = "Q4_K,Q3_K";
        jo.eval.window = 256;
        OK(ctx, precis_model_open(ctx, &m, MODEL));
        const precis_status st = precis_job_quantize(ctx, m, path, &jo, &job);
        if (st != PRECIS_ECANCELED) fail_msg("stopped in %s: %d", stages[i], st);
        precis_job_close(&job);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
        if (strcmp(stages[i], "evaluate")) assert_int_equal(files_in(test_folder()), before);
    }
    unlink(path);
}

static void test_budgets(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    precis_job job;
    o.no_eval = o.no_calibration = o.dry_run = 1;
    o.max_bytes = 1000;
    assert_int_equal(precis_job_quantize(ctx, m, NULL, &o, &job), PRECIS_EBUDGET);
    assert_non_null(strstr(precis_ctx_message(ctx), "least"));
    precis_job_close(&job);
    o.max_bytes = 0;
    double last = 1e30;
    for (double bpw = 3; bpw < 9; bpw += 1.3) {
        o.bpw = bpw;
        OK(ctx, precis_job_quantize(ctx, m, NULL, &o, &job));
        assert_true(job.bits_per_weight <= bpw + 1e-9 && job.bits_per_weight > bpw - 0.1);
        assert_true(job.solution.loss <= last);
        last = job.solution.loss;
        precis_job_close(&job);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static int measured(void *user, const char *stage, uint64_t done, uint64_t total)
{
    (void)stage, (void)done, (void)total;
    ++*(int *)user;
    return 0;
}

/* What can't be met is refused before anything is measured, with one figure, and that figure will do. */
static void test_refused(void **state)
{
    (void)state;
    int n = 0;
    precis_ctx_options co = PRECIS_CTX_OPTIONS_INIT;
    precis_ctx *ctx;
    precis_model *m;
    co.progress = measured;
    co.user = &n;
    assert_int_equal(precis_ctx_open(&ctx, &co), PRECIS_OK);
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    precis_planning_options po = PRECIS_PLANNING_OPTIONS_INIT;
    precis_solution s = { .size = sizeof s };
    precis_job job;
    precis_plan *plan;
    precis_planning planning;
    o.dry_run = 1;
    o.quant.types = po.quant.types = "Q4_0,Q8_0";
    assert_int_equal(precis_quant_plan(ctx, &plan, m, 1000, &o.quant, &s), PRECIS_EBUDGET);
    const uint64_t least = s.min_bytes;
    char figure[32];
    snprintf(figure, sizeof figure, "%llu bytes", (unsigned long long)least);
    o.max_bytes = po.max_bytes = least - 1;
    assert_int_equal(precis_job_quantize(ctx, m, NULL, &o, &job), PRECIS_EBUDGET);
    precis_job_close(&job);
    assert_non_null(strstr(precis_ctx_message(ctx), figure));
    assert_int_equal(precis_planning_check(ctx, m, &po), PRECIS_EBUDGET);
    assert_non_null(strstr(precis_ctx_message(ctx), figure));
    assert_int_equal(precis_job_plan(ctx, m, &po, &planning), PRECIS_EBUDGET);
    o.max_bytes = 0;
    o.max_part = 5;
    assert_int_equal(precis_job_quantize(ctx, m, NULL, &o, &job), PRECIS_EINVAL);
    precis_job_close(&job);
    assert_non_null(strstr(precis_ctx_message(ctx), "nothing needs to be done"));
    assert_int_equal(n, 0);
    o.max_part = 0;
    o.max_bytes = least;
    o.effort = PRECIS_EFFORT_FAST;
    o.no_calibration = 1;
    OK(ctx, precis_job_quantize(ctx, m, NULL, &o, &job));
    assert_true(job.bytes == least);
    precis_job_close(&job);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_logits), cmocka_unit_test(test_cache_types),
                                        cmocka_unit_test(test_budgets),     cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_failures),    cmocka_unit_test(test_stopped),
                                        cmocka_unit_test(test_same_bytes) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
