/* Offsets by lifetimes: those of the definition (each span, largest first, at the lowest offset that nothing alive at
 * the same time uses), whatever the lifetimes are; and as many spans as a net may have nodes. */
#include "run/layout.h"
#include "test.h"

enum { MOST = 600 };

static void by_definition(const pcs_span *sorted, size_t n, bool all, uint64_t *offset)
{
    for (size_t i = 0; i < n; i++) {
        const pcs_span *s = &sorted[i];
        uint64_t at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t k = 0; k < i; k++) {
                const pcs_span *o = &sorted[k];
                const bool alive = all || (o->first <= s->last && s->first <= o->last);
                if (!alive || at >= offset[k] + o->bytes || offset[k] >= at + s->bytes) continue;
                at = offset[k] + o->bytes;
                moved = true;
            }
        }
        offset[i] = at;
    }
}

static void test_definition(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    uint64_t seed = 5;
    for (int round = 0; round < 60; round++) {
        pcs_span spans[MOST];
        uint64_t want[MOST], bytes, most = 0;
        const size_t n = 1 + (pcs_rand(&seed) >> 33) % MOST;
        const uint32_t times = 1 + (uint32_t)(pcs_rand(&seed) >> 33) % 5000,
                       longest = 1 + (uint32_t)(pcs_rand(&seed) >> 33) % times;
        for (size_t i = 0; i < n; i++) {
            const int32_t first = (int32_t)((pcs_rand(&seed) >> 33) % times),
                          last = first + (int32_t)((pcs_rand(&seed) >> 33) % longest);
            spans[i] = (pcs_span){ 64 * (1 + (pcs_rand(&seed) >> 33) % 40), 0, first, last, (int32_t)i };
        }
        OK(ctx, pcs_lay_out(ctx, spans, n, round % 5 == 0, &bytes));
        by_definition(spans, n, round % 5 == 0, want);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(spans[i].offset, want[i]);
            if (want[i] + spans[i].bytes > most) most = want[i] + spans[i].bytes;
            if (i) assert_true(spans[i - 1].bytes >= spans[i].bytes);
        }
        assert_int_equal(bytes, most);
    }
    precis_ctx_close(&ctx);
}

static void test_chain(void **state)
{
    (void)state;
    enum { NODES = 300000 };
    precis_ctx *ctx = test_ctx(1);
    pcs_span *spans = malloc(NODES * sizeof *spans);
    uint64_t bytes;
    for (int32_t i = 0; i < NODES; i++) spans[i] = (pcs_span){ 64, 0, i, i == 7 ? INT32_MAX : i + 1, i };
    OK(ctx, pcs_lay_out(ctx, spans, NODES, false, &bytes));
    assert_int_equal(bytes, 3 * 64); /* two of the chain, and the one that stays */
    OK(ctx, pcs_lay_out(ctx, spans, 0, false, &bytes));
    assert_int_equal(bytes, 0);
    free(spans);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_definition), cmocka_unit_test(test_chain) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
