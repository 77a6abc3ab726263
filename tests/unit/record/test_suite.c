/* Texts and tasks at once, and the gate over them, from C. */
#include "test.h"

#include <math.h>

static precis_ctx *ctx;
static precis_model *model, *small;
static char tasks[512];

static const char words[] =
    "It was a dark night and the wind blew from the sea. The old man sat by the fire and told of the years when the "
    "ships still came. Nobody spoke. Outside the rain fell on the roof, and the dog slept at his feet. He had seen the "
    "harbour full of masts, and the streets full of people who had come from far away to buy and to sell.";

static precis_suite *open_suite(const precis_model *m, const precis_model *reference, double max_kld, double max_drop)
{
    precis_eval_options eval = PRECIS_EVAL_OPTIONS_INIT;
    precis_suite_options o = PRECIS_SUITE_OPTIONS_INIT;
    precis_suite *s;
    eval.window = 64;
    o.eval = &eval;
    o.max_kld = max_kld;
    o.max_drop = max_drop;
    OK(ctx, precis_suite_open(ctx, &s, m, reference, &o));
    return s;
}

static void test_all(void **state)
{
    (void)state;
    size_t len;
    const char *long_text = precis_eval_default_text(&len);
    precis_suite *s = open_suite(small, model, 10, 0.9);
    OK(ctx, precis_suite_add_text(s, "long", long_text, 6000));
    OK(ctx, precis_suite_add_text(s, "words", words, strlen(words)));
    OK(ctx, precis_suite_add_task(s, tasks, NULL));
    OK(ctx, precis_suite_run(s));

    precis_suite_text t = { .size = sizeof t };
    int best = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(precis_suite_get_text(s, i, &t), 1);
        double sum = 0;
        for (size_t k = 0; k < t.tokens; k++) sum += t.kld[k];
        assert_int_equal(t.tokens, t.eval->tokens);
        assert_true(t.tokens > 0 && fabs(sum / (double)t.tokens - t.eval->kld_mean) < 1e-9);
        assert_true(t.eval->kld_mean > 0);
        best += t.best;
    }
    assert_int_equal(best, 1);
    assert_string_equal(t.name, "words");
    assert_int_equal(precis_suite_get_text(s, 2, &t), 0);

    precis_suite_task a = { .size = sizeof a };
    assert_int_equal(precis_suite_get_task(s, 0, &a), 1);
    assert_non_null(a.reference);
    assert_int_equal(precis_suite_get_task(s, 1, &a), 0);

    precis_suite_row r = { .size = sizeof r };
    static const char *const of[] = { "long", "words" };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(precis_suite_get_row(s, i, &r), 1);
        assert_string_equal(r.of, of[i]);
        assert_true(r.gate->margin == 10);
    }
    assert_int_equal(precis_suite_get_row(s, 2, &r), 1); /* the task's */
    assert_int_equal(precis_suite_get_row(s, 3, &r), 0);
    precis_suite_close(&s);
}

/* The models differ, so a margin of nearly nothing is rejected; a model against itself is accepted. */
static void test_verdict(void **state)
{
    (void)state;
    size_t len;
    const char *text = precis_eval_default_text(&len);
    for (int same = 0; same < 2; same++) {
        precis_suite *s = open_suite(same ? model : small, model, same ? 0.1 : 1e-9, 0);
        OK(ctx, precis_suite_add_text(s, "text", text, 6000));
        OK(ctx, precis_suite_run(s));
        assert_int_equal(precis_suite_verdict(s), same ? PRECIS_ACCEPT : PRECIS_REJECT);
        precis_suite_close(&s);
    }
}

static void count_rows(void *user, const precis_history_row *r)
{
    (void)r;
    ++*(size_t *)user;
}

static void test_kept(void **state)
{
    (void)state;
    char path[512];
    precis_history h = { .size = sizeof h };
    size_t seen = 0;
    snprintf(path, sizeof path, "%s/r.sqlite", test_folder());
    precis_suite *s = open_suite(small, model, 0.5, 0);
    OK(ctx, precis_suite_add_text(s, "words", words, strlen(words)));
    OK(ctx, precis_suite_run(s));
    const precis_status st = precis_suite_keep(s, path, "v", 1764440000);
    if (!precis_history_available()) {
        assert_int_equal(st, PRECIS_EUNSUPPORTED);
        precis_suite_close(&s);
        return;
    }
    OK(ctx, st);
    OK(ctx, precis_history_read(ctx, path, "v", count_rows, &seen, &h));
    assert_int_equal(h.rows, 2); /* the divergence, and the ratio of perplexities */
    assert_int_equal(seen, 2);
    precis_suite_close(&s);
}

static void test_refused(void **state)
{
    (void)state;
    precis_suite *s;
    precis_suite_options o = PRECIS_SUITE_OPTIONS_INIT;
    o.max_kld = 1;
    assert_int_equal(precis_suite_open(ctx, &s, model, NULL, &o), PRECIS_EINVAL);
    assert_null(s);
    s = open_suite(model, NULL, 0, 0);
    assert_int_equal(precis_suite_add_task(s, "no_such_task", NULL), PRECIS_EINVAL);
    OK(ctx, precis_suite_add_text(s, "first", words, strlen(words)));
    OK(ctx, precis_suite_add_text(s, "short", "no", 2));
    assert_int_equal(precis_suite_run(s), PRECIS_EINVAL);
    assert_non_null(strstr(precis_ctx_message(ctx), "text short"));
    precis_suite_close(&s);
    s = open_suite(model, NULL, 0, 0);
    for (size_t i = 0; i < PRECIS_SUITE_MOST; i++) OK(ctx, precis_suite_add_text(s, "x", words, 1));
    assert_int_equal(precis_suite_add_text(s, "x", words, 1), PRECIS_EINVAL);
    precis_suite_close(&s);
    precis_suite_close(&s);
}

int main(void)
{
    static const char items[] =
        "{\"context\": \"The wind blew from the\", \"choices\": [\" sea\", \" of\"], \"answer\": 0}\n"
        "{\"context\": \"He sat by the\", \"choices\": [\" fire\", \" is\"], \"answer\": 0, \"group\": \"g\"}\n";
    char path[512];
    ctx = test_ctx(2);
    snprintf(tasks, sizeof tasks, "%s/items.jsonl", test_folder());
    test_write(tasks, items, strlen(items));
    snprintf(path, sizeof path, "%s/small.gguf", test_folder());
    precis_job_options o = PRECIS_JOB_OPTIONS_INIT;
    precis_job job = { 0 };
    o.type = "Q2_K";
    o.quant.method = "rtn";
    o.no_calibration = o.no_eval = 1;
    if (precis_model_open(ctx, &model, MODEL) || precis_job_quantize(ctx, model, path, &o, &job) ||
        precis_model_open(ctx, &small, path))
        return fprintf(stderr, "%s\n", precis_ctx_message(ctx)), 1;
    precis_job_close(&job);
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all), cmocka_unit_test(test_verdict),
                                        cmocka_unit_test(test_kept), cmocka_unit_test(test_refused) };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    precis_model_close(&small);
    precis_model_close(&model);
    precis_ctx_close(&ctx);
    return failed;
}
