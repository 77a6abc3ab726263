/* The pool: nobody passes a barrier before all have arrived, however many there are. */
#include "base/pool.h"
#include "test.h"

#include <stdatomic.h>

enum { MOST = 19, ROUNDS = 200 };

typedef struct { precis_ctx *ctx; _Atomic uint32_t at[MOST], early, threads; } meeting;

static void meet(void *arg, uint32_t ith, uint32_t nth)
{
    meeting *m = arg;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        atomic_store_explicit(&m->at[ith], round, memory_order_relaxed);
        pcs_barrier(m->ctx, ith);
        for (uint32_t i = 0; i < nth; i++) {
            const uint32_t at = atomic_load_explicit(&m->at[i], memory_order_relaxed);
            if (at != round) atomic_fetch_add(&m->early, 1);
        }
        pcs_barrier(m->ctx, ith);
    }
    if (!ith) m->threads = nth;
}

static void test_barrier(void **state)
{
    (void)state;
    static const uint32_t threads[] = { 1, 2, 3, 4, 5, 8, 9, 16, 17, MOST };
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        meeting m = { .ctx = test_ctx(threads[i]) };
        /* The pool may rest on one thread where other programs want the cores. */
        for (int region = 0; region < 3; region++) {
            memset(m.at, 0, sizeof m.at);
            pcs_run(m.ctx, meet, &m);
            assert_int_equal(m.early, 0);
            assert_true(m.threads == threads[i] || m.threads == 1);
        }
        precis_ctx_close(&m.ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_barrier) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
