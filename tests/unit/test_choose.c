/* Which level a format's prompts are multiplied at, by a table and a clock that are made up. */
#include "test.h"

#include "kernel/choose.h"
#include "precis/costs.h"

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

/* A table of costs that says a level for Q4_0. */
static const char *table_of(precis_ctx *ctx, const char *level)
{
    static char path[256];
    char text[512];
    const int n = snprintf(text, sizeof text,
                           "{\"precis\": \"costs\", \"version\": 1, \"cpu\": \"%s\", \"threads\": 1, \"rows\": ["
                           "{\"type\": \"Q4_0\", \"rows\": 8, \"width\": 32, \"seconds\": 1, "
                           "\"prompt_level\": \"%s\"}]}",
                           precis_ctx_cpu(ctx), level);
    snprintf(path, sizeof path, "%s/costs.json", test_folder());
    test_write(path, text, (size_t)n);
    return path;
}

/* What was kept is not measured again; a level that is none of this machine's changes nothing. */
static void test_kept(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    const pcs_format *f = pcs_format_by_name("Q4_0");
    const char *top = pcs_kernel_find(PCS_DO_mp, NULL, ctx->cpu)->isa;
    const char *below = pcs_kernel_find(PCS_DO_mp, NULL, ctx->cpu & ~PCS_CPU_DOUBTED)->isa;
    const bool doubted = ctx->cpu & PCS_CPU_DOUBTED;
    const char *const kept[] = { below, top, "no such level", below };
    const char *now = top;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        precis_costs *costs;
        precis_costs_info info = { .size = sizeof info };
        OK(ctx, precis_costs_open(ctx, &costs, table_of(ctx, kept[i])));
        if (i != 2) now = kept[i];
        if (doubted) assert_string_equal(pcs_mp_level(ctx, f), now);
        else assert_null(pcs_mp_level(ctx, f));
        precis_costs_get_info(costs, &info);
        if (doubted) assert_string_equal(info.below, i == 1 ? "" : "Q4_0");
        precis_costs_close(&costs);
    }
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_race), cmocka_unit_test(test_here), cmocka_unit_test(test_kept)
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
