/* Profiles of a tiny model: by gradients, by swaps, by a method of the whole model and with a gain measured on plans;
 * kept, saved, read; planned by. */
#include "tiny_model.h"

#include "measure/sensitivity.h"
#include "plan/profile.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static const tiny_shape shape = { 2, 64, 128, 4, 2 };

static precis_profile_options options(precis_effort effort, const char *types)
{
    precis_profile_options o = PRECIS_PROFILE_OPTIONS_INIT;
    o.calibrate = tiny_calibration(200);
    o.effort = effort;
    o.types = types;
    return o;
}

/* Every weight of a layer has a probe of each type; fewer bits lose more, in numbers and in what the model says. */
static void check_probes(const precis_profile *p, size_t tensors, size_t each, double least_share)
{
    precis_profile_info info = { .size = sizeof info };
    size_t n = 0, ordered = 0, pairs = 0;
    precis_probe probe = { .size = sizeof probe }, before = { .tensor = NULL };
    precis_profile_get_info(p, &info);
    assert_true(info.tensors >= tensors && info.tokens > 0 && info.seconds > 0);
    for (; !precis_profile_get(p, n, &probe); before = probe, n++) {
        assert_true(probe.error > 0 && probe.error < 1 && isfinite(probe.kld) && probe.kld_se >= 0);
        if (!before.tensor || strcmp(before.tensor, probe.tensor)) continue;
        assert_true(probe.error > before.error); /* they stand in that order */
        pairs++;
        ordered += probe.kld > before.kld;
    }
    assert_true(n >= tensors * each);
    if ((double)ordered < least_share * (double)pairs) fail_msg("%zu of %zu cost more with fewer bits", ordered, pairs);
}

static void same_profiles(const precis_profile *a, const precis_profile *b)
{
    precis_probe x = { .size = sizeof x }, y = { .size = sizeof y };
    double in[2], other[2];
    size_t i = 0;
    for (; !precis_profile_get(a, i, &x); i++) {
        assert_int_equal(precis_profile_get(b, i, &y), PRECIS_OK);
        assert_string_equal(x.tensor, y.tensor);
        assert_string_equal(x.type, y.type);
        assert_true(x.error == y.error && x.kld == y.kld && x.kld_se == y.kld_se);
    }
    assert_int_equal(precis_profile_get(b, i, &y), PRECIS_EINVAL);
    assert_true(precis_profile_predict(a, 0.1, in) == precis_profile_predict(b, 0.1, other));
    assert_true(in[0] == other[0] && in[1] == other[1] && in[0] <= in[1]);
}

/* More loss of single tensors is more of the whole; the interval holds the prediction. */
static void check_prediction(const precis_profile *p)
{
    double before = 0, interval[2];
    for (double sum = 1e-4; sum < 1; sum *= 3) {
        const double v = precis_profile_predict(p, sum, interval);
        assert_true(v > before && interval[0] <= v && v <= interval[1]);
        before = v;
    }
}

static void test_gradients(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m = tiny_open(ctx, &shape);
    precis_profile *p, *again, *read;
    precis_profile_options o = options(PRECIS_EFFORT_NORMAL, "Q8_0,Q4_0");
    OK(ctx, precis_profile_make(ctx, &p, m, &o));
    check_probes(p, 14, 2, 0.9);
    check_prediction(p);
    OK(ctx, precis_profile_save(ctx, p, tiny_path("p.json")));
    OK(ctx, precis_profile_open(ctx, &read, tiny_path("p.json")));
    same_profiles(p, read);
    precis_ctx *one = test_ctx(1); /* the same on any number of threads */
    precis_model *m1 = tiny_open(one, &shape);
    OK(one, precis_profile_make(one, &again, m1, &o));
    same_profiles(p, again);
    precis_profile_close(&again), precis_profile_close(&read), precis_profile_close(&p);
    precis_model_close(&m1), precis_model_close(&m);
    precis_ctx_close(&one), precis_ctx_close(&ctx);
}

static void test_swaps(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m = tiny_open(ctx, &shape);
    precis_profile *p, *again;
    precis_profile_info info = { .size = sizeof info };
    precis_profile_options o = options(PRECIS_EFFORT_BEST, "Q8_0,Q4_0");
    o.cache = tiny_path("cache.json");
    o.time_limit = 60;
    OK(ctx, precis_profile_make(ctx, &p, m, &o));
    check_probes(p, 14, 2, 0.9);
    check_prediction(p);
    precis_profile_get_info(p, &info);
    assert_true(info.plans >= 4 && info.ratio > 0 && info.spread >= 0);
    assert_true(info.estimate_rank >= -1 && info.estimate_rank <= 1 && info.estimate_ratio > 0);
    /* what is in the cache is not measured again */
    OK(ctx, precis_profile_make(ctx, &again, m, &o));
    same_profiles(p, again);
    precis_profile_close(&again), precis_profile_close(&p), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* Coded by gptq: its costs are its own, and the model that a plan makes is held against the profile's text. */
static void test_method(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m = tiny_open(ctx, &shape), *q;
    precis_profile *p;
    double kld, se, same_kld, same_se;
    precis_profile_options o = options(PRECIS_EFFORT_NORMAL, "INT8_G32,INT4_G32");
    o.method = "gptq";
    OK(ctx, precis_profile_make(ctx, &p, m, &o));
    check_probes(p, 14, 2, 0.8);
    assert_string_equal(p->coder, "gptq");
    precis_plan *plan;
    OK(ctx, precis_plan_types(ctx, &plan, m, "INT4_G32", 0));
    precis_quant_options qo = PRECIS_QUANT_OPTIONS_INIT;
    qo.method = "rtn";
    OK(ctx, precis_quantize(ctx, m, plan, tiny_path("q.precis.gguf"), &qo, NULL));
    OK(ctx, precis_model_open(ctx, &q, tiny_path("q.precis.gguf")));
    OK(ctx, pcs_sensitivity_again(ctx, p, m, q, &kld, &se));
    assert_true(kld > 0 && se > 0 && kld < 2);
    OK(ctx, pcs_sensitivity_again(ctx, p, m, m, &same_kld, &same_se));
    assert_true(fabs(same_kld) < 1e-9);
    precis_model_close(&q), precis_plan_close(&plan), precis_profile_close(&p), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void imatrix_hash(precis_ctx *ctx, precis_imatrix *a, char hex[65])
{
    OK(ctx, precis_imatrix_save(a, tiny_path("i.gguf")));
    OK(ctx, precis_sha256_file(ctx, tiny_path("i.gguf"), hex));
}

/* Every file of the folder loses its last byte, or can be written by all. */
static void spoil(const char *folder, bool damage)
{
    DIR *d = opendir(folder);
    assert_non_null(d);
    size_t n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char path[600];
        struct stat sb;
        if (e->d_name[0] == '.' || strlen(e->d_name) < 64) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_int_equal(stat(path, &sb), 0);
        assert_int_equal(sb.st_mode & 077, 0); /* its writer's alone */
        assert_int_equal(damage ? truncate(path, sb.st_size - 1) : chmod(path, 0666), 0);
        n++;
    }
    closedir(d);
    assert_true(n > 0);
}

/* Results that are kept by what they depend on: the second asking measures nothing; a damaged file, and one that others
 * can write, are not believed; files of others stay. */
static void test_kept(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &shape);
    precis_profile *p, *again;
    precis_imatrix *a;
    precis_profile_options o = options(PRECIS_EFFORT_NORMAL, "Q4_0");
    int kept;
    char folder[200], first[65], hex[65];
    snprintf(folder, sizeof folder, "%s/kept", test_folder());
    assert_int_equal(mkdir(folder, 0700), 0);
    test_write(tiny_path("kept/a stranger's"), "x", 1);
    o.folder = folder;
    OK(ctx, precis_profile_make(ctx, &p, m, &o));
    OK(ctx, precis_profile_make(ctx, &again, m, &o));
    same_profiles(p, again);
    for (int turn = 0; turn < 5; turn++) { /* made, taken, damaged, open to all, taken */
        if (turn == 2 || turn == 3) spoil(folder, turn == 2);
        OK(ctx, precis_calibrate_kept(ctx, &a, m, &o.calibrate, folder, &kept));
        assert_int_equal(kept, turn == 1 || turn == 4);
        imatrix_hash(ctx, a, turn ? hex : first);
        if (turn) assert_string_equal(hex, first);
        precis_imatrix_close(&a);
    }
    assert_int_equal(access(tiny_path("kept/a stranger's"), F_OK), 0);
    OK(ctx, precis_calibrate_kept(ctx, &a, m, &o.calibrate, "/nonexistent/folder", &kept));
    assert_int_equal(kept, 0);
    precis_imatrix_close(&a);
    precis_profile_close(&again), precis_profile_close(&p), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *types, *method, *says; } odd[] = {
        { "Q9_9", NULL, "\"Q9_9\" is no type" }, { "", NULL, "no types to probe" },
        { "Q8_0,Q6_K,Q5_0,Q4_0,Q4_K,Q3_K", NULL, "more than 5 types" }, { NULL, "magic", "magic" } };
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &shape);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        precis_profile *p;
        precis_profile_options o = options(PRECIS_EFFORT_NORMAL, odd[i].types);
        o.method = odd[i].method;
        assert_int_equal(precis_profile_check(ctx, &o), PRECIS_EINVAL);
        if (!strstr(precis_ctx_message(ctx), odd[i].says)) fail_msg("%s", precis_ctx_message(ctx));
        assert_int_equal(precis_profile_make(ctx, &p, m, &o), PRECIS_EINVAL);
        assert_null(p);
    }
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_gradients), cmocka_unit_test(test_swaps),
                                        cmocka_unit_test(test_method), cmocka_unit_test(test_kept),
                                        cmocka_unit_test(test_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
