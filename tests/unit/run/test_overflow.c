/* test_overflow.c - bounds on integer accumulators, against sums worked out by hand and over all activations that are
 * tried. */
#include "format/format.h"
#include "run/overflow.h"
#include "test.h"

#include "precis/run.h"

static void test_bounds(void **state)
{
    (void)state;
    static const int8_t q[] = { 1, -2, 3, -4, 5, 5, -5, 5 };
    static const struct {
        uint32_t products;
        int32_t offset;
        bool raw;
        int64_t want;
    } cases[] = {
        { 4, 0, false, 127 * 20 },         /* |5| + |5| + |-5| + |5| */
        { 2, 0, false, 127 * 10 },         /* |5| + |5| */
        { 4, 1, false, 128 * 20 },         /* activations of up to 128 */
        { 2, 8, true, 127 * (13 + 13) },   /* codes 13 and 13 as they are stored */
        { 2, 100, true, 127 * (105 + 105) },
        { 8, 0, true, 127 * 30 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const pcs_accumulator a = { "mv", "x", 32, cases[i].products, cases[i].offset, cases[i].raw };
        assert_int_equal(pcs_accumulator_bound(&a, q, sizeof q), cases[i].want);
    }
    /* what is taken away outweighs what is stored: 2 x 8 for codes of -8 */
    assert_int_equal(pcs_accumulator_bound(&(pcs_accumulator){ "mv", "x", 16, 2, 8, true }, (int8_t[]){ -1, -1 }, 2),
                     127 * 16);
}

/* No activations of int8 reach more, and some reach it where codes are signed. */
static void test_reached(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (int turn = 0; turn < 50; turn++) {
        int8_t q[32];
        int64_t most = 0;
        for (int i = 0; i < 32; i++) q[i] = (int8_t)(pcs_rand(&seed) % 255 - 127);
        const pcs_accumulator a = { "mp", "scalar", 32, 32, 0, false };
        for (int k = 0; k < 32; k++) {
            int64_t sum = 0;
            for (int i = 0; i < 32; i++) sum += q[i] * (k ? (int)(pcs_rand(&seed) % 255) - 127 : q[i] < 0 ? -127 : 127);
            most = sum > most ? sum : most;
        }
        assert_int_equal(pcs_accumulator_bound(&a, q, 32), most);
    }
}

/* Rows of Q8_0 whose codes are all `code`: every lane's sum is known. */
static void test_tensor(void **state)
{
    (void)state;
    enum { K = 64, ROWS = 3, BLOCK = 34 };
    uint8_t data[ROWS * K / 32 * BLOCK];
    precis_ctx *ctx = test_ctx(2);
    const int8_t code = 100;
    for (size_t b = 0; b < sizeof data / BLOCK; b++) {
        memcpy(data + b * BLOCK, (uint8_t[]){ 0, 0x3c }, 2); /* a scale of 1 */
        memset(data + b * BLOCK + 2, code, 32);
    }
    pcs_tensor t = { .name = "w", .dims = 2, .ne = { K, ROWS, 1, 1 }, .n = K * ROWS, .data = data };
    t.format = pcs_format_by_name("Q8_0");
    assert_non_null(t.format);
    const precis_model m = { .ctx = ctx, .tensors = &t, .n_tensors = 1 };
    precis_overflow rows[40];
    size_t n, kinds;
    const pcs_accumulator *all = pcs_accumulators(&kinds);
    OK(ctx, precis_overflow_check(ctx, &m, 0, rows, 40, &n));
    assert_true(n > 5);
    for (size_t i = 0; i < n; i++) {
        bool known = false; /* a kernel may have two forms, of which one takes this format */
        for (size_t a = 0; a < kinds; a++) {
            const int64_t p = all[a].products, o = all[a].offset;
            const int64_t want = all[a].raw ? 127 * p * (code + o) : (127 + o) * p * code;
            known |= !strcmp(all[a].kernel, rows[i].kernel) && !strcmp(all[a].isa, rows[i].isa) &&
                     all[a].bits == rows[i].bits && p == rows[i].products && want == rows[i].bound;
        }
        if (!known) fail_msg("%s %s: %lld", rows[i].kernel, rows[i].isa, (long long)rows[i].bound);
        assert_int_equal(rows[i].limit, ((int64_t)1 << (rows[i].bits - 1)) - 1);
        assert_int_equal(rows[i].overflows, rows[i].bound > rows[i].limit);
    }
    assert_int_equal(precis_overflow_check(ctx, &m, 1, rows, 40, &n), PRECIS_EINVAL);
    t.format = pcs_format_by_name("F32");
    OK(ctx, precis_overflow_check(ctx, &m, 0, rows, 40, &n));
    assert_int_equal(n, 0); /* multiplied as floats */
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_reached),
                                        cmocka_unit_test(test_tensor) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
