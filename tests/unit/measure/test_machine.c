/* What the machine does at best: figures that can be, and that no kernel beats. */
#include "test.h"

#include "base/pool.h"
#include "measure/costing.h"
#include "measure/machine.h"

#include <math.h>

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
    assert_true(t.l2 == 0 || t.l2 > 0.8 * t.memory);
    const pcs_kernels k = pcs_kernels_for(ctx->cpu);
    const double fma = pcs_multiply_speed(ctx, k.peakf);
    assert_true(fma > 1e8 && fma < 1e13);
    precis_ctx_close(&ctx);
}

/* One that reads all it is given and does next to nothing else is no faster than the limit, in the best of some
 * tries: other processes take the memory away from either. */
static void test_no_kernel_above(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_costing c;
    const pcs_format *f = pcs_format_by_name("Q8_0");
    OK(ctx, pcs_costing_open(ctx, &c, PCS_RING));
    double limit = 0, kernel = 0;
    for (int i = 0; i < 5 && (!i || kernel > 1.05 * limit); i++) {
        double seconds = 0;
        limit = fmax(limit, pcs_read_speed(ctx, c.ring, PCS_RING));
        OK(ctx, pcs_costing_measure(&c, &(pcs_matrix){ f, 4096, 4096, PCS_RING, 1 }, &seconds));
        const double speed = (double)pcs_panels_bytes(f, 4096, 4096) / seconds;
        kernel = i ? fmin(kernel, speed) : speed;
        limit = fmax(limit, pcs_read_speed(ctx, c.ring, PCS_RING));
    }
    assert_true(kernel <= 1.05 * limit);
    pcs_costing_close(&c);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_no_kernel_above),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
