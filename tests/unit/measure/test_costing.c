/* The table of costs of a tiny model: a row for each type and shape, predictions that are its sums, the same out of its
 * file; and files that are no table. */
#include "tiny_model.h"

#include "plan/costs.h"
#include "plan/plan.h"

static const tiny_shape shape = { 1, 64, 128, 4, 2 };

/* Seconds of a token by the rows, summed here. */
static double seconds_of(const precis_costs *c, const precis_plan *p)
{
    double sum = c->overhead;
    for (size_t i = 0; i < precis_plan_size(p); i++) {
        precis_plan_row row = { .size = sizeof row };
        assert_int_equal(precis_plan_get(p, i, &row), PRECIS_OK);
        const pcs_tensor *t = p->rows[i].tensor;
        if (t->dims < 2 || strstr(row.tensor, "token_embd")) continue; /* looked up, not multiplied */
        const pcs_cost *cost = pcs_costs_find(c, p->rows[i].to, (uint64_t)t->ne[1], (uint64_t)t->ne[0]);
        if (!cost) fail_msg("no row for %s as %s", row.tensor, row.to);
        sum += cost->seconds;
    }
    return sum;
}

static void test_made(void **state)
{
    (void)state;
    precis_ctx *ctx = test_ctx(1);
    precis_model *m = tiny_open(ctx, &shape);
    precis_costs *c, *read;
    precis_costs_info info = { .size = sizeof info }, again = { .size = sizeof again };
    OK(ctx, precis_costs_make(ctx, &c, m));
    precis_costs_get_info(c, &info);
    assert_string_equal(info.cpu, precis_ctx_cpu(ctx));
    assert_true(info.threads == 1 && info.rows > 20 && info.read_bytes_s > 1e8 && info.overhead >= 0);
    for (size_t i = 0; i < c->n; i++) assert_true(c->rows[i].seconds > 0 && c->rows[i].seconds < 10);
    OK(ctx, precis_costs_save(ctx, c, tiny_path("c.json")));
    OK(ctx, precis_costs_open(ctx, &read, tiny_path("c.json")));
    precis_costs_get_info(read, &again);
    assert_true(again.rows == info.rows && fabs(again.overhead - info.overhead) <= 1e-8 * info.overhead);
    static const char *const types[] = { "Q4_0", "Q8_0", "F16" };
    for (int i = 0; i < 3; i++) {
        precis_plan *p;
        double speed, speed_again;
        OK(ctx, precis_plan_types(ctx, &p, m, types[i], 0));
        OK(ctx, precis_costs_predict(c, p, &speed));
        assert_true(fabs(speed * seconds_of(c, p) - 1) < 1e-9);
        OK(ctx, precis_costs_predict(read, p, &speed_again));
        assert_true(fabs(speed_again / speed - 1) < 1e-6);
        precis_plan_close(&p);
    }
    /* of a model with other shapes it says nothing */
    precis_model *other;
    precis_plan *p;
    double speed;
    OK(ctx, precis_model_open(ctx, &other, MODEL));
    OK(ctx, precis_plan_types(ctx, &p, other, "Q4_0", 0));
    assert_int_equal(precis_costs_predict(c, p, &speed), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "it is of another model"));
    precis_plan_close(&p), precis_model_close(&other);
    precis_costs_close(&read), precis_costs_close(&c), precis_costs_close(&c), precis_model_close(&m);
    precis_ctx_close(&ctx);
}

#define HEAD "\"precis\": \"costs\", \"version\": 1, \"cpu\": \"avx2\", \"threads\": 1, "

/* What is no table, by the member that is wrong. */
static void test_files(void **state)
{
    (void)state;
    static const struct { const char *text, *says; } odd[] = {
        { "{}", "this is no table of costs" },
        { "[]", "costs" },
        { "{\"precis\": \"plan\"}", "this is no table of costs" },
        { "{\"precis\": \"costs\", \"version\": 2}", "version: 2 is not 1" },
        { "{\"precis\": \"costs\", \"version\": 1}", "are missing" },
        { "{" HEAD "\"rows\": []}", "are missing" },
        { "{" HEAD "\"rows\": [{\"type\": \"Q9_9\", \"rows\": 1, \"width\": 32, \"seconds\": 1}]}", "rows[]" },
        { "{" HEAD "\"rows\": [{\"type\": \"Q4_0\", \"rows\": 0, \"width\": 32, \"seconds\": 1}]}", "rows[].rows" },
        { "{" HEAD "\"rows\": [{\"type\": \"Q4_0\", \"rows\": 1, \"width\": 32}]}", "rows[]" },
        { "{" HEAD "\"rows\": [{\"type\": 4}]}", "rows[].type" },
        { "{" HEAD "\"rows\": 3}", "rows" },
        { "{" HEAD "\"overhead\": -1}", "overhead" },
        { "{\"precis\": \"costs\", \"threads\": 0}", "threads" },
        { "{\"precis\": 1}", "precis" },
        { "{" HEAD "\"rows\": [{\"type\": \"Q4_0\"", "" },
    };
    precis_ctx *ctx = test_ctx(1);
    precis_costs *c;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        test_write(tiny_path("odd.json"), odd[i].text, strlen(odd[i].text));
        assert_int_equal(precis_costs_open(ctx, &c, tiny_path("odd.json")), PRECIS_EFORMAT);
        assert_null(c);
        const char *m = precis_ctx_message(ctx);
        if (!strstr(m, odd[i].says) || !strstr(m, "odd.json")) fail_msg("%s: \"%s\"", odd[i].text, m);
    }
    assert_int_equal(precis_costs_open(ctx, &c, "/nonexistent/c.json"), PRECIS_EIO);
    /* members that nobody knows, and a table of before there were speeds of memory */
    const char *old = "{" HEAD "\"later\": [1, {\"a\": null}], \"overhead\": 0.5, \"rows\": [{\"type\": \"Q4_0\", "
                      "\"rows\": 3, \"width\": 32, \"seconds\": 0.25, \"more\": true}]}";
    precis_costs_info info = { .size = sizeof info };
    test_write(tiny_path("old.json"), old, strlen(old));
    OK(ctx, precis_costs_open(ctx, &c, tiny_path("old.json")));
    precis_costs_get_info(c, &info);
    assert_true(info.rows == 1 && info.overhead == 0.5 && info.read_bytes_s == 0);
    assert_string_equal(info.cpu, "avx2");
    precis_costs_close(&c);
    precis_ctx_close(&ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_made), cmocka_unit_test(test_files) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
