/* Costs of a tensor in several types: what lies on its line stays, noise about it goes, the type has its own part. */
#include "measure/along_types.h"
#include "model/model.h"
#include "test.h"

#include <math.h>

enum { TENSORS = 40, TYPES = 5, N = TENSORS * TYPES };

static const char *const names[TYPES] = { "Q6_K", "Q4_K", "Q3_K", "Q2_K", "TQ1_0" };
static const double errors[TYPES] = { 2e-4, 4e-3, 2e-2, 7e-2, 0.2 };

/* Costs on lines of slope 1.1, with noise of so many logarithms, a quarter less in Q3_K. */
static void make(pcs_cost_of_type *costs, double *kld, double *truth, double noise, uint64_t seed)
{
    for (size_t i = 0; i < N; i++) {
        const size_t tensor = i % TENSORS, type = i / TENSORS;
        const double error = errors[type] * (1 + 0.3 * (double)(tensor % 4));
        double s = 0;
        for (int k = 0; k < 12; k++) s += pcs_rand_unit(&seed) - 0.5;
        truth[i] = exp(-9 + 0.1 * (double)tensor + 1.1 * log(error)) * (type == 2 ? 0.75 : 1);
        kld[i] = truth[i] * exp(noise * s);
        costs[i] = (pcs_cost_of_type){ &truth[tensor], pcs_format_by_name(names[type]), error, &kld[i] };
    }
}

static double off(const double *kld, const double *truth)
{
    double sum = 0;
    for (size_t i = 0; i < N; i++) sum += log(kld[i] / truth[i]) * log(kld[i] / truth[i]);
    return sqrt(sum / N);
}

static void test_lines(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_cost_of_type costs[N];
    double kld[N], truth[N];
    make(costs, kld, truth, 0, 1);
    OK(ctx, pcs_along_types(ctx, costs, N));
    assert_true(off(kld, truth) < 0.02); /* what TYPE_LEAST holds back of Q3_K's quarter */
    for (uint64_t seed = 1; seed <= 20; seed++) {
        make(costs, kld, truth, 0.2, seed);
        const double before = off(kld, truth);
        OK(ctx, pcs_along_types(ctx, costs, N));
        print_message("seed %d: off by %.3f, then %.3f\n", (int)seed, before, off(kld, truth));
        assert_true(off(kld, truth) < 0.8 * before);
    }
    precis_ctx_close(&ctx);
}

static void test_few(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_cost_of_type costs[N];
    double kld[N], truth[N], before[N];
    make(costs, kld, truth, 0.3, 7);
    memcpy(before, kld, sizeof before);
    OK(ctx, pcs_along_types(ctx, costs, 2 * TENSORS)); /* two types */
    assert_memory_equal(kld, before, sizeof before);
    OK(ctx, pcs_along_types(ctx, costs, 0));
    for (size_t type = 0; type < TYPES; type++) kld[type * TENSORS] = 0; /* a tensor that costs nothing */
    kld[1] = 0;                                                          /* one of five */
    costs[2].error = 0;
    const double exact = kld[2];
    OK(ctx, pcs_along_types(ctx, costs, N));
    for (size_t type = 0; type < TYPES; type++) assert_true(kld[type * TENSORS] == 0);
    assert_true(kld[1] == 0 && kld[2] == exact);
    for (size_t i = 3; i < TENSORS; i++) assert_true(isfinite(kld[i]) && kld[i] > 0 && kld[i] != before[i]);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines), cmocka_unit_test(test_few) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
