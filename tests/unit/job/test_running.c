/* test_running.c - what running takes beside the weights, by threads: bounded, and planned under a target of memory. */
#include "test.h"

#include "job/running.h"

/* The carried model's least plan has 1,644,096 bytes, so a plan in 7,000,000 leaves so much for all else. */
enum { TARGET = 7000000, LEAST = 1644096 };

static void test_threads(void **state)
{
    (void)state;
    static const uint32_t threads[] = { 1, 2, 16, 64, 256 };
    uint64_t alone = 0;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        precis_ctx *ctx = test_ctx(threads[i]);
        precis_model *m = NULL;
        pcs_running all, some;
        OK(ctx, precis_model_open(ctx, &m, MODEL));
        OK(ctx, pcs_running_of(ctx, m, 256, "int4", 0, &all));
        OK(ctx, pcs_running_of(ctx, m, 256, "int4", TARGET, &some));
        if (!i) alone = all.work;
        assert_int_equal(all.threads, threads[i]);
        assert_true(some.threads >= 1 && some.threads <= threads[i] && some.work <= all.work);
        /* threads take what they are said to take, and no more than an eighth of a target */
        assert_true(all.work <= alone + (threads[i] - 1) * all.thread);
        assert_true(some.work <= alone + TARGET / 8);
        if (some.kv + some.work + LEAST > TARGET)
            fail_msg("%u threads: %llu bytes beside the weights", threads[i],
                     (unsigned long long)(some.kv + some.work));
        /* a few tiles of attention, or two panels of 768 columns, and no rows as numbers */
        assert_true(all.thread < 96 << 10);
        precis_model_close(&m);
        precis_ctx_close(&ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
