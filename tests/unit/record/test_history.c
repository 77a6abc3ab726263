/* A history of results from C: runs are kept, read in their order, and a version is compared with the one before it on
 * the same items only. A build without SQLite says so. */
#include "test.h"

#include <math.h>

enum { ITEMS = 1280, ROWS = 16 };

static precis_ctx *ctx;
static char path[512];
static float values[ITEMS];

typedef struct { precis_history_row rows[ROWS]; char names[ROWS][24]; size_t n; } found;

static void keep_row(void *user, const precis_history_row *r)
{
    found *f = user;
    assert_true(f->n < ROWS);
    f->rows[f->n] = *r;
    snprintf(f->names[f->n++], sizeof f->names[0], "%s", r->name);
}

static precis_status add(const char *name, const char *model, const char *what, const char *settings, double loss)
{
    uint64_t seed = 5;
    for (size_t i = 0; i < ITEMS; i++) values[i] = (float)(loss + pcs_rand_unit(&seed) * 0.01);
    const precis_measure m = { sizeof m, what, "prose", "d0", values, ITEMS, loss, 0.001, "ACCEPT" };
    const precis_history_run run = { sizeof run, name, model, "ref", settings, NULL, 1764440000, &m, 1 };
    return precis_history_add(ctx, path, &run);
}

static int read_history(const char *name, found *f)
{
    precis_history h = { .size = sizeof h };
    f->n = 0;
    OK(ctx, precis_history_read(ctx, path, name, keep_row, f, &h));
    assert_int_equal(h.rows, f->n);
    return h.worse;
}

static void test_versions(void **state)
{
    (void)state;
    if (!precis_history_available()) skip();
    static found f;
    OK(ctx, add("v", "one", "kld", "s", 0.1));
    assert_int_equal(read_history(NULL, &f), 0);
    assert_int_equal(f.n, 1);
    assert_true(isnan(f.rows[0].change)); /* there is nothing before it */
    assert_int_equal(f.rows[0].items, ITEMS);
    OK(ctx, add("v", "two", "kld", "s", 0.2));
    assert_int_equal(read_history(NULL, &f), 1);
    assert_true(fabs(f.rows[1].change - 0.1) < 1e-6);
    assert_int_equal(f.rows[1].worse, 1);
    OK(ctx, add("v", "three", "kld", "s", 0.05));
    assert_int_equal(read_history(NULL, &f), 0);
    assert_int_equal(f.rows[2].better, 1);
    OK(ctx, add("v", "four", "kld", "other settings", 0.9)); /* cannot be compared */
    assert_int_equal(read_history(NULL, &f), 0);
    assert_true(isnan(f.rows[3].change));
    OK(ctx, add("w", "three", "kld", "s", 0.9)); /* the same model again says nothing of a version */
    read_history(NULL, &f);
    assert_true(isnan(f.rows[4].change));
    read_history("w", &f);
    assert_int_equal(f.n, 1);
    assert_string_equal(f.names[0], "w");
}

static void test_answers(void **state)
{
    (void)state;
    if (!precis_history_available()) skip();
    static found f;
    float right[200];
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < 200; i++) right[i] = !pass || i % 4; /* a quarter of the answers is lost */
        const precis_measure m = { sizeof m, "acc", "task", "d1", right, 200, pass ? 0.75 : 1, 0.03, NULL };
        const precis_history_run run = { sizeof run, "a", pass ? "new" : "old", NULL, "s", NULL, 1, &m, 1 };
        OK(ctx, precis_history_add(ctx, path, &run));
    }
    assert_int_equal(read_history("a", &f), 1);
    assert_true(fabs(f.rows[1].change + 0.25) < 1e-9);
}

static void test_refused(void **state)
{
    (void)state;
    char other[560];
    precis_history h = { .size = sizeof h, .rows = 7 };
    const precis_history_run none = { sizeof none, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0 };
    if (!precis_history_available()) {
        assert_int_equal(add("v", "one", "kld", "s", 0.1), PRECIS_EUNSUPPORTED);
        assert_non_null(strstr(precis_ctx_message(ctx), "built without SQLite"));
        assert_int_equal(precis_history_read(ctx, path, NULL, NULL, NULL, &h), PRECIS_EUNSUPPORTED);
        return;
    }
    assert_int_equal(precis_history_add(ctx, path, &none), PRECIS_EINVAL);
    snprintf(other, sizeof other, "%s/words.txt", test_folder());
    test_write(other, "not a database, and long enough that nobody takes it for an empty one", 69);
    assert_int_equal(precis_history_read(ctx, other, NULL, NULL, NULL, &h), PRECIS_EFORMAT);
    assert_int_equal(precis_history_read(ctx, "/nowhere/r.sqlite", NULL, NULL, NULL, &h), PRECIS_EIO);
    assert_int_equal(h.rows, 0);
}

static void test_place(void **state)
{
    (void)state;
    char place[PRECIS_HISTORY_PATH];
    setenv("XDG_STATE_HOME", test_folder(), 1);
    assert_int_equal(precis_history_path(place), 1);
    assert_ptr_equal(strstr(place, test_folder()), place);
    if (precis_history_available()) { /* its folders are made */
        const precis_history_run run = { sizeof run, "v", "one", NULL, "s", NULL, 1, NULL, 0 };
        OK(ctx, precis_history_add(ctx, place, &run));
    }
    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "", 1);
    assert_int_equal(precis_history_path(place), 0);
}

int main(void)
{
    ctx = test_ctx(2);
    snprintf(path, sizeof path, "%s/r.sqlite", test_folder());
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_versions), cmocka_unit_test(test_answers),
                                        cmocka_unit_test(test_refused), cmocka_unit_test(test_place) };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_ctx_close(&ctx);
    return failed;
}
