/* test_spill.c - large tables in files without a name, and what a build has of its parts. */
#include "base/parts.h"
#include "test.h"

#include "precis/part.h"

#include <dirent.h>

static size_t files_in(const char *folder)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.' || e->d_name[1] == 'p';
    closedir(d);
    return n;
}

static void test_spilled(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_spill s;
    OK(ctx, pcs_spill_open(ctx, &s, 1 << 20));
    assert_false(s.mapped); /* there is no limit */
    for (size_t i = 0; i < 1 << 20; i++) assert_int_equal(((char *)s.data)[i], 0);
    pcs_spill_close(ctx, &s);
    assert_null(s.data);
    OK(ctx, precis_ctx_set_memory_limit(ctx, (uint64_t)4 << 30, test_folder()));
    const size_t before = files_in(test_folder());
    OK(ctx, pcs_spill_open(ctx, &s, 3 << 20));
    assert_true(s.mapped);
    assert_int_equal(s.bytes, 3 << 20);
    assert_int_equal(files_in(test_folder()), before); /* a killed process leaves nothing */
    for (size_t i = 0; i < s.bytes; i += 4096) assert_int_equal(((char *)s.data)[i], 0);
    memset(s.data, 7, s.bytes);
    assert_int_equal(((char *)s.data)[s.bytes - 1], 7);
    pcs_spill_close(ctx, &s);
    OK(ctx, pcs_spill_open(ctx, &s, 0));
    assert_false(s.mapped);
    pcs_spill_close(ctx, &s);
    precis_ctx_close(&ctx);
}

static void test_refused(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    pcs_spill s;
    char name[2000];
    OK(ctx, precis_ctx_set_memory_limit(ctx, (uint64_t)4 << 30, "/dev/null/none"));
    assert_int_not_equal(pcs_spill_open(ctx, &s, 4096), PRECIS_OK);
    assert_non_null(strstr(precis_ctx_message(ctx), "/dev/null/none: a table cannot be spilled there"));
    OK(ctx, precis_ctx_set_memory_limit(ctx, (uint64_t)4 << 30, test_folder()));
    assert_int_not_equal(pcs_spill_open(ctx, &s, (uint64_t)1 << 60), PRECIS_OK);
    assert_non_null(strstr(precis_ctx_message(ctx), "cannot be spilled there"));
    memset(name, 'a', sizeof name), name[sizeof name - 1] = 0;
    assert_int_equal(precis_ctx_set_memory_limit(ctx, (uint64_t)4 << 30, name), PRECIS_EINVAL);
    assert_int_equal(precis_ctx_set_memory_limit(ctx, 1, NULL), PRECIS_ENOMEM);
    assert_non_null(strstr(precis_ctx_message(ctx), "more than the limit of 1"));
    assert_true(pcs_peak_memory() >= pcs_private_memory());
    precis_ctx_close(&ctx);
}

static void test_parts(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    char text[300];
    size_t n = 0, here = 0;
    for (; pcs_part_name(n); n++) {
        assert_non_null(pcs_part_row(n, text, sizeof text));
        assert_non_null(strstr(text, pcs_part_name(n)));
        const bool has = strstr(text, " here ") != NULL;
        const precis_status st = precis_part_need(ctx, pcs_part_name(n), "a test");
        assert_int_equal(st, has ? PRECIS_OK : PRECIS_EUNSUPPORTED);
        if (!has) assert_non_null(strstr(precis_ctx_message(ctx), "a test needs"));
        here += has;
    }
    assert_int_equal(n, PCS_PARTS);
    assert_null(pcs_part_row(n, text, sizeof text));
    assert_true(here > 0);
    assert_int_equal(precis_part_need(ctx, "no such", "a test"), PRECIS_EINVAL);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_spilled), cmocka_unit_test(test_refused),
                                        cmocka_unit_test(test_parts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
