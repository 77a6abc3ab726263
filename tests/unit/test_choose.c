/* Which level a format's prompts are multiplied at, by a table and a clock that are made up. */
#include "test.h"

#include "kernel/choose.h"

static const pcs_kernel rows[] = {
    { PCS_DO_mv, "mv", "other", 8, NULL, { 0 } },
    { PCS_DO_mp, "mp", "tiles", 4, NULL, { 0 } },
    { PCS_DO_mp, "mp", "wide", 2, NULL, { 0 } },
    { PCS_DO_mp, "mp", "narrow", 1, NULL, { 0 } },
    { PCS_DO_mp, "mp", "scalar", 0, NULL, { 0 } },
    { .name = NULL },
};

/* Seconds of each row above. */
typedef struct { double of[5]; int races; } clock_of;

static void race(void *user, const pcs_kernel *const two[2], const pcs_format *f, double seconds[2])
{
    clock_of *c = user;
    assert_non_null(f);
    assert_true(two[0] < two[1]);
    c->races++;
    for (int i = 0; i < 2; i++) seconds[i] = c->of[two[i] - rows];
}

static unsigned levels(double tiles, double wide, double narrow, unsigned cpu, unsigned doubted, int races)
{
    clock_of c = { { 1, tiles, wide, narrow, 9 }, 0 };
    const pcs_races races_of = { rows, PCS_DO_mp, doubted, race, &c };
    const unsigned got = pcs_levels_by_race(&races_of, pcs_formats[0], cpu);
    assert_int_equal(c.races, races);
    return got;
}

static void test_race(void **state)
{
    (void)state;
    assert_int_equal(levels(1.0, 2.0, 3.0, 15, 4, 1), 15);    /* the best is the fastest */
    assert_int_equal(levels(2.0, 1.0, 3.0, 15, 4, 1), 11);    /* it is slower */
    assert_int_equal(levels(1.04, 1.0, 3.0, 15, 4, 1), 15);   /* or as fast, but for noise */
    assert_int_equal(levels(3.0, 2.0, 1.0, 15, 4, 1), 11);    /* only those that are doubted */
    assert_int_equal(levels(3.0, 2.0, 1.0, 15, 6, 2), 9);     /* one after another */
    assert_int_equal(levels(3.0, 2.0, 1.0, 13, 4, 1), 9);     /* the machine lacks the one between */
    assert_int_equal(levels(3.0, 1.0, 1.0, 11, 4, 0), 11);    /* it has no tiles */
    assert_int_equal(levels(3.0, 0.0, 1.0, 15, 4, 1), 15);    /* it could not be measured */
    assert_int_equal(levels(30.0, 20.0, 10.0, 4, 4, 1), 0);   /* down to the scalar row */
}

/* Whatever is chosen is a level of this machine; what is not doubted stays. */
static void test_here(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    for (size_t i = 0; pcs_formats[i]; i++) {
        if (pcs_formats[i]->kind != PCS_QUANT || pcs_formats[i]->element) continue;
        const unsigned cpu = pcs_mp_levels(ctx, pcs_formats[i]);
        assert_int_equal(cpu | PCS_CPU_DOUBTED, ctx->cpu | PCS_CPU_DOUBTED);
        assert_int_equal(pcs_mp_levels(ctx, pcs_formats[i]), cpu);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_race), cmocka_unit_test(test_here) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
