/* test_frontier.c - the best plans of several sizes and the usual mixes: what must hold of them whatever the model. */
#include "precis/frontier.h"
#include "test.h"

static void test_frontier(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(2);
    precis_model *m;
    precis_quant_options o = PRECIS_QUANT_OPTIONS_INIT;
    precis_tradeoff points[64];
    size_t n = 64, best = 0;
    o.method = "rtn"; /* what is asked for is the plan, and rtn measures it fastest */
    o.types = "Q4_0,Q8_0";
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    OK(ctx, precis_plan_frontier(ctx, m, &o, points, &n));
    while (best < n && !*points[best].name) best++;
    assert_true(best >= 3);
    for (size_t i = 0; i < n; i++) {
        assert_true(points[i].bytes > 0 && points[i].bits > 0 && points[i].kld >= 0);
        if (i && i < best) { /* larger files lose less, or as much */
            assert_true(points[i].bytes >= points[i - 1].bytes);
            assert_true(points[i].kld <= points[i - 1].kld);
        }
        /* bits of a weight are the weights' alone, the file has a header and a vocabulary beside them */
        precis_model_info info = { .size = sizeof info };
        precis_model_get_info(m, &info);
        assert_true(points[i].bits * (double)info.parameters / 8 <= (double)points[i].bytes);
    }
    assert_true(points[0].bits >= 4.5 && points[0].bits < 10); /* all of it Q4_0, but what must not be */
    size_t some = 2;
    precis_tradeoff first[2];
    OK(ctx, precis_plan_frontier(ctx, m, &o, first, &some)); /* room for two: the first two */
    assert_int_equal(some, 2);
    assert_int_equal(first[1].bytes, points[1].bytes);
    precis_model_close(&m);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_frontier) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
