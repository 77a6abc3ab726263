/* Nodes of a model over a text: what they say of numbers, against formulas on values that are known; and of a model
 * beside its reference. And joules out of counters that the test writes. */
#include "tiny_model.h"

#include "measure/machine.h"

#include <sys/stat.h>

typedef struct { size_t n, compared, exact; double worst, rms_last, cosine; char first[64], last[64]; } told;

static void hear(void *user, const precis_node_stats *s)
{
    told *t = user;
    if (!t->n++) snprintf(t->first, sizeof t->first, "%s", s->name);
    snprintf(t->last, sizeof t->last, "%s", s->name);
    if (!(s->top >= s->rms && s->rms > 0)) fail_msg("%s: rms %g, largest %g", s->name, s->rms, s->top);
    assert_true(s->rows > 0 && s->width > 0 && s->op[0]);
    /* crest is the largest over the root mean square; kurtosis is at least 1 for any numbers */
    assert_true(fabs(s->crest_db - 20 * log10(s->top / s->rms)) < 1e-9 && s->kurtosis >= 1 - 1e-12);
    assert_true(s->range_db >= 0 && s->outlier_channels <= s->width);
    t->rms_last = s->rms;
    if (isnan(s->sqnr_db)) {
        assert_true(isnan(s->cosine));
        return;
    }
    t->compared++;
    t->exact += s->sqnr_db == INFINITY;
    t->worst = t->compared == 1 || s->sqnr_db < t->worst ? s->sqnr_db : t->worst;
    t->cosine += s->cosine;
}

static void test_alone(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m = tiny_open(ctx, &tiny_small);
    const precis_calibrate_options o = tiny_calibration(100);
    told t = { .n = 0 };
    OK(ctx, precis_profile_nodes(ctx, m, NULL, &o, hear, &t));
    assert_true(t.n > 20 && t.compared == 0);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* A model beside itself is no distance away; one of 4 bits is, and one of 2 bits farther. */
static void test_beside(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &tiny_small);
    const precis_calibrate_options o = tiny_calibration(100);
    told same = { .n = 0 }, by[2] = { { .n = 0 } };
    OK(ctx, precis_profile_nodes(ctx, m, m, &o, hear, &same));
    assert_true(same.compared == same.n && same.exact == same.n);
    assert_true(fabs(same.cosine / (double)same.n - 1) < 1e-9);
    for (int i = 0; i < 2; i++) {
        precis_plan *p;
        precis_model *q;
        precis_quant_options qo = PRECIS_QUANT_OPTIONS_INIT;
        qo.method = "rtn";
        OK(ctx, precis_plan_types(ctx, &p, m, i ? "INT2_G32" : "INT4_G32", 0));
        OK(ctx, precis_quantize(ctx, m, p, tiny_path("n.precis.gguf"), &qo, NULL));
        OK(ctx, precis_model_open(ctx, &q, tiny_path("n.precis.gguf")));
        OK(ctx, precis_profile_nodes(ctx, q, m, &o, hear, &by[i]));
        assert_true(by[i].compared > 20 && by[i].exact < by[i].compared);
        precis_plan_close(&p), precis_model_close(&q);
    }
    assert_true(by[0].worst > by[1].worst + 3 && by[0].cosine / (double)by[0].compared > 0.9);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &tiny_small), *other;
    const precis_calibrate_options o = tiny_calibration(64);
    told t = { .n = 0 };
    OK(ctx, precis_model_open(ctx, &other, MODEL)); /* 4,096 tokens, not 320 */
    assert_int_equal(precis_profile_nodes(ctx, other, m, &o, hear, &t), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "other vocabularies"));
    assert_int_equal(t.n, 0);
    precis_model_close(&other), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

/* ---- energy ---------------------------------------------------------------------------------------------- */

static void counter(int package, const char *name, const char *text)
{
    char folder[200], path[260];
    snprintf(folder, sizeof folder, "%s/power", test_folder());
    mkdir(folder, 0777);
    snprintf(folder, sizeof folder, "%s/power/intel-rapl:%d", test_folder(), package);
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    test_write(path, text, strlen(text));
}

/* Microjoules of two packages, one of which ran over its range. */
static void test_energy(void **state)
{
    (void)state;
    char folder[200];
    pcs_energy a, b;
    snprintf(folder, sizeof folder, "%s/power", test_folder());
    setenv("PRECIS_POWERCAP", folder, 1);
    assert_false(pcs_energy_read(&a));
    counter(0, "energy_uj", "1000000\n");
    counter(0, "max_energy_range_uj", "262143328850\n");
    counter(1, "energy_uj", "262143000000\n");
    counter(1, "max_energy_range_uj", "262143328850\n");
    assert_true(pcs_energy_read(&a));
    assert_int_equal(a.n, 2);
    counter(0, "energy_uj", "3500000\n");
    counter(1, "energy_uj", "171150\n"); /* 328,850 to the end, and 171,150 from the start */
    assert_true(pcs_energy_read(&b));
    assert_true(fabs(pcs_energy_since(&a, &b) - 3.0) < 1e-9);
    counter(1, "energy_uj", "no number\n");
    assert_true(pcs_energy_read(&b));
    assert_int_equal(b.n, 1);
    unsetenv("PRECIS_POWERCAP");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_alone), cmocka_unit_test(test_beside),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_energy) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
