/* test_gate - how often the gate errs: losses whose mean lies on the margin must rarely be accepted or rejected, and losses well below it
 * mostly accepted at the number of items that it asks for. Values are skewed and depend on their neighbours, as divergences do. */
#include "test.h"

#include <math.h>

enum { PAIRS = 1000, BLOCK = 16 };

/* Squares of a smooth normal series, of the given mean. */
static void series(double *x, size_t n, double mean, uint64_t *seed)
{
    double state = 0;
    for (size_t i = 0; i < n; i++) {
        double u = 0;
        for (int k = 0; k < 12; k++) u += pcs_rand_unit(seed) - 0.5;
        state = i ? 0.7 * state + sqrt(1 - 0.49) * u : u;
        x[i] = mean * state * state; /* the square of a standard normal has the mean 1 */
    }
}

static void rates(double mean, size_t n, double *accepted, double *rejected, double *needed)
{
    precis_ctx *ctx = test_ctx(1);
    double *x = malloc(n * sizeof *x);
    uint64_t seed = 20 + (uint64_t)(mean * 1000);
    assert_non_null(x);
    *accepted = *rejected = *needed = 0;
    for (int i = 0; i < PAIRS; i++) {
        precis_gate_result r = { .size = sizeof r };
        series(x, n, mean, &seed);
        OK(ctx, precis_gate(ctx, x, n, BLOCK, 1.0, 1, &r));
        *accepted += r.verdict == PRECIS_ACCEPT ? 1.0 / PAIRS : 0;
        *rejected += r.verdict == PRECIS_REJECT ? 1.0 / PAIRS : 0;
        *needed += r.items_needed < 1u << 30 ? (double)r.items_needed / PAIRS : 0;
    }
    free(x);
    precis_ctx_close(&ctx);
}

static void test_errors(void **state)
{
    (void)state;
    double accepted, rejected, needed, power, ignored;
    rates(1.0, 40 * BLOCK, &accepted, &rejected, &ignored);
    print_message("on the margin, 40 blocks: accepted %.3f, rejected %.3f of %d pairs\n", accepted, rejected, PAIRS);
    /* 5 % of 1,000, and two deviations of that count */
    assert_true(accepted <= 0.05 + 2 * sqrt(0.05 * 0.95 / PAIRS) && rejected <= 0.05 + 2 * sqrt(0.05 * 0.95 / PAIRS));
    rates(0.7, 40 * BLOCK, &power, &rejected, &needed);
    const size_t n = ((size_t)needed / BLOCK + 1) * BLOCK;
    rates(0.7, n, &power, &rejected, &ignored);
    print_message("30 %% below it, at the %zu items that the gate asks for: accepted %.3f\n", n, power);
    assert_true(power >= 0.8 && rejected < 0.01);
}

static void test_few(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_gate_result r = { .size = sizeof r };
    double x[64] = { 0 };
    OK(ctx, precis_gate(ctx, x, 64, 16, 1.0, 1, &r));
    assert_int_equal(r.verdict, PRECIS_UNDECIDED);
    assert_int_equal(r.items_needed, 128);
    assert_int_equal(precis_gate(ctx, x, 64, 16, 0.0, 1, &r), PRECIS_EINVAL);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_errors), cmocka_unit_test(test_few) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
