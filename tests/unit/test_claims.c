/* Claims: each unit of a step is taken once, whoever comes when, with barriers between steps or without. */
#include "base/claims.h"
#include "test.h"

#include <sched.h>
#include <stdatomic.h>

enum { UNITS = 1000, STEPS = 60, THREADS = 7 };

/* How many thread ith takes, `most` at a time; each is counted. */
static uint64_t taken(pcs_claim k, uint64_t most, int *times)
{
    uint64_t n = 0;
    while (pcs_claim_next(&k, most)) {
        assert_true(k.begin < k.end && k.end <= k.units);
        if (k.of) assert_true(k.end - k.begin <= most);
        for (uint64_t u = k.begin; u < k.end; u++, n++) times[u]++;
    }
    assert_false(pcs_claim_next(&k, most));
    return n;
}

static void all_once(const int *times, uint64_t units)
{
    for (uint64_t u = 0; u < units; u++) assert_int_equal(times[u], 1);
}

/* One thread after the other: the first takes all, in its own order, and the others find nothing; without claims each
 * has its share. */
static void test_alone(void **state)
{
    (void)state;
    static const uint64_t counts[] = { 0, 1, 2, 3, 7, 16, UNITS };
    static pcs_claims claims[THREADS];
    pcs_claims_begin(claims, THREADS);
    uint32_t step = 1;
    for (uint32_t nth = 1; nth <= THREADS; nth++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++, step++) {
            int times[UNITS] = { 0 }, fixed[UNITS] = { 0 };
            const uint32_t first = step % nth;
            const uint64_t most = step % 5 + 1;
            const uint64_t n = taken(pcs_claim_open(claims, step, counts[c], first, nth), most, times);
            if (nth > 1) assert_int_equal(n, counts[c]);
            for (uint32_t i = 0; i < nth; i++) {
                pcs_claim k = pcs_claim_open(claims, step, counts[c], i, nth);
                if (i != first) assert_int_equal(taken(k, most, times), 0);
                uint64_t begin, end;
                pcs_share(counts[c], 1, i, nth, &begin, &end);
                assert_int_equal(taken(pcs_claim_open(NULL, step, counts[c], i, nth), most, fixed), end - begin);
            }
            all_once(times, counts[c]);
            all_once(fixed, counts[c]);
        }
}

/* A thread that is late by two steps: others have done its part of both, and it does not undo what they began; and one
 * that others go on without after its first units. */
static void test_late(void **state)
{
    (void)state;
    static pcs_claims claims[2];
    int one[10] = { 0 }, two[10] = { 0 }, three[10] = { 0 };
    pcs_claims_begin(claims, 2);
    pcs_claim slow = pcs_claim_open(claims, 1, 10, 1, 2);
    assert_true(pcs_claim_next(&slow, 2));
    assert_int_equal(slow.begin, 5);
    one[5]++, one[6]++;
    assert_int_equal(taken(pcs_claim_open(claims, 1, 10, 0, 2), 3, one), 8);
    /* The other is still at its units of step 1. */
    assert_int_equal(taken(pcs_claim_open(claims, 2, 10, 0, 2), 3, two), 10);
    assert_false(pcs_claim_next(&slow, 2));
    assert_int_equal(taken(pcs_claim_open(claims, 2, 10, 1, 2), 3, two), 0);
    pcs_claim begun = pcs_claim_open(claims, 3, 10, 0, 2);
    assert_true(pcs_claim_next(&begun, 10) && begun.begin == 0 && begun.end == 3); /* half of its own share */
    for (int i = 0; i < 3; i++) three[i]++;
    assert_int_equal(taken(pcs_claim_open(claims, 3, 10, 1, 2), 1, three), 7);
    assert_false(pcs_claim_next(&begun, 10));
    all_once(one, 10), all_once(two, 10), all_once(three, 10);
}

/* Too many units for a word, or steps: shares as they are. */
static void test_large(void **state)
{
    (void)state;
    static pcs_claims claims[2];
    pcs_claims_begin(claims, 2);
    pcs_claim k = pcs_claim_open(claims, 1, PCS_CLAIM_UNITS, 1, 2);
    assert_true(pcs_claim_next(&k, 1) && k.begin == PCS_CLAIM_UNITS / 2 && k.end == PCS_CLAIM_UNITS);
    assert_false(pcs_claim_next(&k, 1));
    k = pcs_claim_open(claims, PCS_CLAIM_STEPS, 8, 0, 2);
    assert_true(pcs_claim_next(&k, 1) && k.begin == 0 && k.end == 4);
    k = pcs_claim_open(claims, PCS_CLAIM_STEPS - 1, PCS_CLAIM_UNITS - 1, 1, 2);
    assert_true(pcs_claim_next(&k, 1) && k.end - k.begin == 1);
}

typedef struct { precis_ctx *ctx; pcs_claims claims[THREADS]; _Atomic int times[STEPS][UNITS], wrong; } crowd;

static void work(void *arg, uint32_t ith, uint32_t nth)
{
    crowd *c = arg;
    uint64_t seed = ith + 1;
    for (uint32_t step = 1; step <= STEPS; step++) {
        const uint64_t units = step % 4 ? step * 13 % UNITS : step % 3;
        if (pcs_rand(&seed) % 8 == 0) sched_yield();
        pcs_claim k = pcs_claim_open(c->claims, step, units, ith, nth);
        while (pcs_claim_next(&k, step % 7 + 1)) {
            for (uint64_t u = k.begin; u < k.end; u++) atomic_fetch_add(&c->times[step - 1][u], 1);
            if (pcs_rand(&seed) % 64 == 0) sched_yield();
        }
        if (step % 5) continue;
        pcs_barrier(c->ctx, ith); /* what was claimed before it is done */
        for (uint32_t s = step - 5; s < step; s++) {
            const uint64_t n = (s + 1) % 4 ? (s + 1) * 13 % UNITS : (s + 1) % 3;
            for (uint64_t u = 0; u < UNITS; u++) c->wrong += c->times[s][u] != (u < n);
        }
        pcs_barrier(c->ctx, ith);
    }
}

static void test_crowd(void **state)
{
    (void)state;
    static crowd c;
    for (uint32_t threads = 1; threads <= THREADS; threads += 2)
        for (int round = 0; round < 30; round++) {
            memset(&c, 0, sizeof c);
            c.ctx = test_ctx(threads);
            pcs_claims_begin(c.claims, THREADS);
            pcs_run(c.ctx, work, &c);
            assert_int_equal(c.wrong, 0);
            precis_ctx_close(&c.ctx);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_alone), cmocka_unit_test(test_late),
                                        cmocka_unit_test(test_large), cmocka_unit_test(test_crowd) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
