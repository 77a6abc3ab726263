/* What the machine does at best: figures that can be. Which kernel comes how near is a benchmark's to say
 * (bench/kernels.py): beside other processes no clock can. */
#include "test.h"

#include "base/pool.h"
#include "measure/machine.h"

static void test_filled(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        precis_ctx *ctx = test_ctx(threads);
        for (uint64_t n = 1; n < 1000; n += 111) {
            uint8_t bytes[1001] = { 0 };
            pcs_fill_near(ctx, bytes, n, 7);
            for (uint64_t i = 0; i < sizeof bytes; i++) assert_int_equal(bytes[i], i < n ? 7 : 0);
        }
        precis_ctx_close(&ctx);
    }
}

static void test_tiers(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_tiers t = pcs_tier_speeds(ctx);
    assert_true(t.memory > 2e8 && t.memory < 1e12); /* a core: 10 to 40e9 */
    assert_true(t.l2 == 0 || (t.l2 > 2e8 && t.l2 < 1e13));
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    const double fma = pcs_multiply_speed(ctx, k.peakf);
    assert_true(fma > 1e8 && fma < 1e13);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_tiers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
