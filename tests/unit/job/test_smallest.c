/* The smallest file under a bound of its divergence: it keeps the bound, the next smaller one does not, a looser bound
 * never takes more bytes, and a bound that no plan keeps is said with what is best. */
#include "test.h"

#include "job/gain.h"
#include "job/smallest.h"
#include "plan/profile.h"

#include <math.h>

static void test_bounds(void **state)
{
    (void)state;
    static const double wrong[] = { 0, -0.1, NAN, INFINITY, -INFINITY, 1.1 * PCS_KLD_MOST };
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(pcs_kld_check(ctx, wrong[i]), PRECIS_EINVAL);
        assert_non_null(strstr(precis_ctx_message(ctx), "no budget"));
    }
    OK(ctx, pcs_kld_check(ctx, 1e-9));
    OK(ctx, pcs_kld_check(ctx, PCS_KLD_MOST));
    precis_ctx_close(&ctx);
}

/* Where the interval of the best plan within so many bytes ends; INFINITY: there is no plan. */
static double end_of(precis_ctx *ctx, pcs_loss_table *t, const precis_quant_options *o, uint64_t bytes)
{
    precis_plan *p = NULL;
    precis_solution s = { .size = sizeof s };
    double loss = 0, interval[2] = { 0, INFINITY };
    size_t plans;
    const precis_status st = pcs_loss_table_plan(t, bytes, &p, &s, &loss);
    if (st == PRECIS_EBUDGET) return INFINITY;
    OK(ctx, st);
    precis_profile_predict_method(o->profile, o->method, pcs_gain_share(ctx, p, o->method), loss, interval, &plans);
    precis_plan_close(&p);
    return interval[1];
}

static void test_smallest(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_profile *profile;
    pcs_loss_table *t;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    precis_model_info info = { .size = sizeof info };
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_model_get_info(m, &info);
    OK(ctx, pcs_profile_new(ctx, &profile)); /* without probes: each tensor costs what its class does */
    o.profile = profile;
    o.types = "Q8_0,Q4_0,Q2_K";
    OK(ctx, pcs_loss_table_open(ctx, &t, m, &o, false));
    const uint64_t most = info.file_bytes;
    const double least = end_of(ctx, t, &o, most / 2), loosest = end_of(ctx, t, &o, most / 5);
    assert_true(least < loosest);
    uint64_t before = most;
    for (int i = 1; i <= 3; i++) {
        const double bound = least + (loosest < INFINITY ? loosest - least : least) * i / 4;
        uint64_t bytes = 0;
        OK(ctx, pcs_smallest(ctx, t, &o, bound, most, &bytes));
        assert_true(bytes > 0 && bytes <= before);
        assert_true(end_of(ctx, t, &o, bytes) <= bound);
        assert_true(end_of(ctx, t, &o, bytes - bytes / 1000 - 1) > bound);
        assert_string_equal(precis_ctx_message(ctx), ""); /* plans that were too large on the way are no error */
        before = bytes;
    }
    /* what the model has as it is keeps any bound; with less room none is kept */
    uint64_t bytes = 0;
    const double half = end_of(ctx, t, &o, most / 2);
    assert_int_equal(pcs_smallest(ctx, t, &o, half / 2, most / 2, &bytes), PRECIS_EBUDGET);
    assert_non_null(strstr(precis_ctx_message(ctx), "the best is predicted"));
    assert_int_equal(pcs_smallest(ctx, t, &o, 1, 1000, &bytes), PRECIS_EBUDGET);
    assert_int_equal(bytes, 0);
    pcs_loss_table_close(&t);
    precis_profile_close(&profile);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_smallest) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
