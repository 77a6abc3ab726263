/* test_gate - how often the gate errs: losses whose mean lies on the margin must rarely be accepted or rejected, and
 * losses well below it mostly accepted at the number of items that it asks for. Values are skewed and depend on
 * their neighbours, as divergences do. */
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
        OK(ctx, precis_gate(ctx, x, n, BLOCK, 1.0, &r));
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
    OK(ctx, precis_gate(ctx, x, 64, 16, 1.0, &r));
    assert_int_equal(r.verdict, PRECIS_UNDECIDED);
    assert_int_equal(r.items_needed, 128);
    assert_int_equal(precis_gate(ctx, x, 64, 0, 1.0, &r), PRECIS_EINVAL);
    assert_int_equal(precis_gate(ctx, x, 64, 16, NAN, &r), PRECIS_EINVAL);
    precis_ctx_close(&ctx);
}

/* Answers of two models: each of n items changes to wrong or to right with these probabilities. */
typedef struct { uint64_t n; double to_wrong, to_right, margin; } changes;

static void accuracy_rates(const changes *of, double *accepted, double *rejected, double *needed)
{
    const uint64_t n = of->n;
    const double to_wrong = of->to_wrong, to_right = of->to_right;
    precis_ctx *ctx = test_ctx(1);
    uint64_t seed = 7 + n;
    static precis_gate_result known[128][128]; /* counts come again and again */
    memset(known, 0, sizeof known);
    *accepted = *rejected = *needed = 0;
    for (int i = 0; i < PAIRS; i++) {
        precis_gate_result r = { .size = sizeof r };
        uint64_t b = 0, c = 0;
        for (uint64_t k = 0; k < n; k++) {
            const double u = pcs_rand_unit(&seed);
            b += u < to_wrong;
            c += u >= to_wrong && u < to_wrong + to_right;
        }
        if (b < 128 && c < 128 && known[b][c].size) r = known[b][c];
        else OK(ctx, precis_gate_accuracy(ctx, n, b, c, of->margin, &r));
        if (b < 128 && c < 128) known[b][c] = r;
        *accepted += r.verdict == PRECIS_ACCEPT ? 1.0 / PAIRS : 0;
        *rejected += r.verdict == PRECIS_REJECT ? 1.0 / PAIRS : 0;
        if (b == (uint64_t)((double)n * to_wrong) && c == (uint64_t)((double)n * to_right))
            *needed = (double)r.items_needed;
    }
    precis_ctx_close(&ctx);
}

static void test_accuracy(void **state)
{
    (void)state;
    const double most = 0.05 + 2 * sqrt(0.05 * 0.95 / PAIRS);
    double accepted, rejected, needed, ignored;
    static const changes on[] = { { 200, 0.06, 0.03, 0.03 }, { 500, 0.02, 0.0, 0.02 }, { 60, 0.2, 0.1, 0.1 } };
    for (size_t i = 0; i < 3; i++) {
        accuracy_rates(&on[i], &accepted, &rejected, &ignored);
        print_message("accuracy, on the margin, %llu items: accepted %.3f, rejected %.3f\n",
                      (unsigned long long)on[i].n, accepted, rejected);
        assert_true(accepted <= most && rejected <= most);
    }
    accuracy_rates(&(changes){ 400, 0.03, 0.03, 0.03 }, &accepted, &rejected, &needed);
    const uint64_t n = (uint64_t)needed; /* about (1.645 + 0.842)^2 x 0.06 / 0.03^2 = 412, and some for whole counts */
    accuracy_rates(&(changes){ n, 0.03, 0.03, 0.03 }, &accepted, &rejected, &ignored);
    print_message("accuracy unchanged, margin 3 %%, %llu items: accepted %.3f\n", (unsigned long long)n, accepted);
    assert_true(accepted >= 0.8 && rejected < 0.01);
}

/* One item more or less by hand: 10 items, none changed: p is (1 - margin)^10, the best that a nuisance of 0 allows. */
static void test_exact(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_gate_result r = { .size = sizeof r };
    OK(ctx, precis_gate_accuracy(ctx, 10, 0, 0, 0.2, &r));
    assert_true(fabs(r.p_accept - pow(0.8, 10)) < 1e-9);
    OK(ctx, precis_gate_accuracy(ctx, 10, 10, 0, 0.2, &r));
    assert_int_equal(r.verdict, PRECIS_REJECT);
    assert_int_equal(precis_gate_accuracy(ctx, 10, 8, 3, 0.2, &r), PRECIS_EINVAL);
    assert_int_equal(precis_gate_accuracy(ctx, 0, 0, 0, 0.2, &r), PRECIS_EINVAL);
    precis_ctx_close(&ctx);
}

static void test_holm(void **state)
{
    (void)state;
    precis_gate_result r[4];
    const double accept[4] = { 0.001, 0.012, 0.02, 0.04 };
    for (int i = 0; i < 4; i++)
        r[i] = (precis_gate_result){ .size = sizeof r[0], .p_accept = accept[i], .p_reject = 1 };
    assert_int_equal(precis_gate_holm(r, 4), PRECIS_ACCEPT); /* 0.0125, 0.0167, 0.025, 0.05 */
    r[2].p_accept = 0.03;
    assert_int_equal(precis_gate_holm(r, 4), PRECIS_UNDECIDED);
    assert_int_equal(r[1].verdict, PRECIS_ACCEPT);
    assert_int_equal(r[3].verdict, PRECIS_UNDECIDED); /* after the first that fails */
    r[0].p_accept = 1;
    r[0].p_reject = 0.012;
    assert_int_equal(precis_gate_holm(r, 4), PRECIS_REJECT);
}

/* The whole of several tests, each on its margin, accepts at most 5 %; and any of ten domains is falsely accepted in
 * at most 5 % of cases. */
static void test_family(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    enum { TESTS = 10, N = 24 * BLOCK };
    double x[N];
    uint64_t seed = 99;
    double any = 0, rejected = 0;
    for (int i = 0; i < PAIRS / 4; i++) {
        precis_gate_result r[TESTS];
        for (int k = 0; k < TESTS; k++) {
            r[k].size = sizeof r[k];
            series(x, N, 1.0, &seed);
            OK(ctx, precis_gate(ctx, x, N, BLOCK, 1.0, &r[k]));
        }
        rejected += precis_gate_holm(r, TESTS) == PRECIS_REJECT;
        bool one = false;
        for (int k = 0; k < TESTS; k++) one |= r[k].verdict == PRECIS_ACCEPT;
        any += one;
    }
    any /= PAIRS / 4;
    rejected /= PAIRS / 4;
    print_message("ten tests on their margins: one accepted in %.3f of cases, one rejected in %.3f\n", any, rejected);
    const double most = 0.05 + 2 * sqrt(0.05 * 0.95 / (PAIRS / 4));
    assert_true(any <= most && rejected <= most);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors), cmocka_unit_test(test_few), cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_exact), cmocka_unit_test(test_holm), cmocka_unit_test(test_family)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
