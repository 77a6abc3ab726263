/* test_tasks.c - tasks: what their files become, what generated ones ask (worked out here again from the text alone),
 * and what a model's answers to them are, against its own logits. */
#include "test.h"

#include <math.h>
#include <sys/stat.h>

static precis_ctx *ctx;

static precis_task_item item_of(const precis_task *t, size_t i)
{
    precis_task_item item = { .size = sizeof item };
    OK(ctx, precis_task_get(ctx, t, i, &item));
    return item;
}

static size_t items_of(const precis_task *t)
{
    precis_task_info info = { .size = sizeof info };
    precis_task_get_info(t, &info);
    return info.items;
}

static precis_task *open_task(const char *name, const char *folder, uint32_t limit, uint32_t shots)
{
    precis_task *t;
    precis_task_options o = PRECIS_TASK_OPTIONS_INIT;
    o.folder = folder, o.limit = limit, o.shots = shots, o.seed = 7;
    OK(ctx, precis_task_open(ctx, &t, name, &o));
    return t;
}

static precis_status refused(const char *name, const char *folder, uint32_t shots, const char *says)
{
    precis_task *t = NULL;
    precis_task_options o = PRECIS_TASK_OPTIONS_INIT;
    o.folder = folder, o.shots = shots;
    const precis_status st = precis_task_open(ctx, &t, name, &o);
    assert_null(t);
    const char *said = precis_ctx_message(ctx);
    if (!strstr(said, says)) fail_msg("%s: \"%s\" lacks \"%s\"", name, said, says);
    return st;
}

static const char *keep(const char *name, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    test_write(path, text, strlen(text));
    return path;
}

/* ---- files ------------------------------------------------------------------------------------------ */

static void test_hellaswag(void **state)
{
    (void)state;
    keep("hellaswag_val_full.txt.bz2", "not packed");
    assert_int_equal(refused("hellaswag", test_folder(), 0, "damaged"), PRECIS_EFORMAT);
    assert_int_equal(refused("hellaswag", NULL, 0, "--data FOLDER"), PRECIS_EINVAL);
    char command[400];
    keep("h.txt", "A man sits.\n2\nhe flies\nhe swims\nhe rises\nhe sings\r\nA dog runs.\n0\nit barks\nb\nc\nd\n");
    snprintf(command, sizeof command, "bzip2 -c %s/h.txt > %s/hellaswag_val_full.txt.bz2", test_folder(),
             test_folder());
    if (system(command)) skip(); /* no bzip2 here */
    precis_task *t = open_task("hellaswag", test_folder(), 0, 0);
    assert_int_equal(items_of(t), 2);
    const precis_task_item first = item_of(t, 0), second = item_of(t, 1);
    assert_string_equal(first.context, "A man sits.");
    assert_int_equal(first.right, 2);
    assert_string_equal(first.choices[3], " he sings");
    assert_string_equal(second.choices[0], " it barks");
    assert_int_equal(second.right, 0);
    precis_task_close(&t);
    assert_int_equal(refused("hellaswag", test_folder(), 2, "no solved examples"), PRECIS_EINVAL);
    keep("h.txt", "A man sits.\n7\nhe flies\nhe swims\nhe rises\nhe sings\n");
    assert_int_equal(system(command), 0);
    assert_int_equal(refused("hellaswag", test_folder(), 0, "a label from 0 to 3"), PRECIS_EFORMAT);
}

static void test_mmlu(void **state)
{
    (void)state;
    static const char head[] = "question,choice0,choice1,choice2,choice3,answer\n";
    char text[600], path[300];
    const char *const folders[] = { "mmlu", "mmlu/test", "mmlu/dev" };
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", test_folder(), folders[i]);
        assert_int_equal(mkdir(path, 0777), 0);
    }
    snprintf(text, sizeof text, "%s\"What is \"\"two\"\", doubled?\",1,2,3,4,3\n One more ,a,\"b, c\",d,e,1\n", head);
    keep("mmlu/test/high_sums_test.csv", text);
    snprintf(text, sizeof text, "%sShown?,w,x,y,z,2\n", head);
    keep("mmlu/dev/high_sums_dev.csv", text);
    precis_task *t = open_task("mmlu", test_folder(), 0, 1);
    assert_int_equal(items_of(t), 2);
    precis_task_item item = item_of(t, 0);
    assert_string_equal(item.context, "The following are multiple choice questions (with answers) about high sums.\n\n"
                                      "Shown?\nA. w\nB. x\nC. y\nD. z\nAnswer: C\n\n"
                                      "What is \"two\", doubled?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:");
    assert_int_equal(item.right, 3);
    assert_string_equal(item.group, "high sums");
    assert_string_equal(item.choices[3], " D");
    item = item_of(t, 1);
    assert_non_null(strstr(item.context, "One more\nA. a\nB. b, c\nC. d\nD. e\nAnswer:"));
    precis_task_close(&t);
    assert_int_equal(refused("mmlu", test_folder(), 2, "1 solved examples, less than 2"), PRECIS_EINVAL);
    assert_int_equal(refused("mmlu", test_folder(), 6, "5 solved examples"), PRECIS_EINVAL);
    assert_int_equal(refused("mmlu", NULL, 0, "--data"), PRECIS_EINVAL);
    snprintf(text, sizeof text, "%sA?,1,2,3,4,9\n", head);
    keep("mmlu/test/high_sums_test.csv", text);
    assert_int_equal(refused("mmlu", test_folder(), 0, "an answer from 0 to 3"), PRECIS_EFORMAT);
    keep("mmlu/test/high_sums_test.csv", "wrong,heading\n");
    assert_int_equal(refused("mmlu", test_folder(), 0, "its first row"), PRECIS_EFORMAT);
}

static void test_lines(void **state)
{
    (void)state;
    keep("lambada_test.jsonl", "{\"text\": \"the cat sat on the mat\"}\n\n{\"text\": \"one two\"}\n");
    precis_task *t = open_task("lambada", test_folder(), 0, 0);
    assert_int_equal(items_of(t), 2);
    assert_string_equal(item_of(t, 0).context, "the cat sat on the");
    assert_string_equal(item_of(t, 0).choices[0], " mat");
    precis_task_close(&t);
    static const struct {
        const char *line, *says;
    } wrong[] = { { "{\"context\": 1}", "is no string" },
                  { "{\"choices\": 1}", "is no array" },
                  { "{\"choices\": [1]}", "is no string" },
                  { "{\"choices\": [\"a\"], \"choices\": [\"b\"]}", "appears twice" },
                  { "{\"answer\": []}", "neither a number nor a string" },
                  { "{\"context\": \"c\", \"choices\": [\"a\"], \"answer\": 1}", "index of the right one" },
                  { "{\"context\": \"c\", \"choices\": [\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
                    "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"], \"answer\": 1}", "more than 16" } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(refused(keep("own.jsonl", wrong[i].line), NULL, 0, wrong[i].says), PRECIS_EFORMAT);
    assert_int_equal(refused("no_such_task", NULL, 0, "is no task"), PRECIS_EINVAL);
}

static void test_sums_in_words(void **state)
{
    (void)state;
    keep("test.jsonl", "{\"question\": \"What is 1 + 1?\", \"answer\": \"It is #### 2\"}\n");
    keep("train.jsonl", "{\"question\": \"a?\", \"answer\": \"b #### 1\"}\n"
                        "{\"question\": \"c?\", \"answer\": \"d #### 3\"}\n");
    precis_task *t = open_task("gsm8k", test_folder(), 0, 2);
    assert_int_equal(items_of(t), 1);
    const precis_task_item item = item_of(t, 0);
    assert_string_equal(item.context, "Question: a?\nAnswer: b #### 1\n\nQuestion: c?\nAnswer: d #### 3\n\n"
                                      "Question: What is 1 + 1?\nAnswer:");
    assert_string_equal(item.answer, "2");
    assert_null(item.choices);
    precis_task_close(&t);
    assert_int_equal(refused("gsm8k", test_folder(), 3, "2 solved examples, less than 3"), PRECIS_EINVAL);
    keep("test.jsonl", "{\"question\": \"What?\", \"answer\": \"none\"}\n");
    assert_int_equal(refused("gsm8k", test_folder(), 0, "#### NUMBER"), PRECIS_EFORMAT);
}

/* ---- generated ones: the answer that the text alone has --------------------------------------------- */

static void solve_arithmetic(const char *text, char *out)
{
    const char *last = strrchr(text, '\n');
    char *at;
    long value = strtol(last ? last + 1 : text, &at, 10);
    for (;;) {
        at += strspn(at, " ");
        const char sign = *at;
        if (sign != '+' && sign != '-') break;
        char *end;
        const long x = strtol(at + 1, &end, 10);
        if (end == at + 1) break;
        value += sign == '-' ? -x : x;
        at = end;
    }
    snprintf(out, 64, " %ld", value);
}

/* Whoever is never behind "than". */
static void solve_transitive(const char *text, char *out)
{
    char who[32], than[64];
    for (const char *p = text, *end; (end = strstr(p, " is")) && strncmp(p, "\nQ", 2); p = strchr(p, '.') + 2) {
        snprintf(who, sizeof who, "%.*s", (int)(end - p), p);
        snprintf(than, sizeof than, "than %s.", who);
        if (!strstr(text, than)) break;
    }
    snprintf(out, 64, " %s", who);
}

static void solve_copy(const char *text, char *out)
{
    const char *again = strstr(text, "again:") + 6, *list = strchr(text, ':') + 1;
    const size_t n = strlen(again);
    assert_int_equal(strncmp(list, again, n), 0);
    snprintf(out, 64, "%.*s", (int)(1 + strcspn(list + n + 1, " \n")), list + n);
}

static void walk_generated(const char *name, void (*solve)(const char *, char *))
{
    precis_task *t = open_task(name, NULL, 12, 0);
    uint32_t places = 0;
    assert_true(items_of(t) >= 24);
    for (size_t i = 0; i < items_of(t); i++) {
        char want[64];
        const precis_task_item item = item_of(t, i);
        assert_true(item.right < item.n_choices);
        places |= 1u << item.right;
        for (uint32_t a = 0; a < item.n_choices; a++)
            for (uint32_t b = 0; b < a; b++) assert_string_not_equal(item.choices[a], item.choices[b]);
        if (!solve) continue;
        solve(item.context, want);
        if (strcmp(want, item.choices[item.right]))
            fail_msg("%s: \"%s\" is answered by \"%s\"", name, item.context, item.choices[item.right]);
    }
    assert_true((places & 3) == 3); /* the right one stands here and there */
    precis_task_close(&t);
    assert_int_equal(refused(name, NULL, 1, "no solved examples"), PRECIS_EINVAL);
}

static void test_generated(void **state)
{
    (void)state;
    walk_generated("arithmetic", solve_arithmetic);
    walk_generated("transitive", solve_transitive);
    walk_generated("copy", solve_copy);
    walk_generated("brackets", NULL);
    walk_generated("lookup", NULL);
}

static void test_pairs(void **state)
{
    (void)state;
    precis_task *t = open_task("pairs", NULL, 3, 0);
    assert_int_equal(items_of(t) % 6, 0);
    for (size_t i = 0; i < items_of(t); i += 2) {
        const precis_task_item a = item_of(t, i), b = item_of(t, i + 1);
        assert_int_equal(a.right, 0);
        assert_int_equal(b.right, 1);
        assert_string_equal(a.choices[0], b.choices[0]);
        assert_string_equal(a.choices[1], b.choices[1]);
        assert_string_equal(a.group, b.group);
        assert_string_not_equal(a.context, b.context);
        assert_null(strpbrk(a.context, "{}|%"));
    }
    precis_task_close(&t);
}

/* ---- answers ---------------------------------------------------------------------------------------- */

/* The log-likelihood of what follows `context`, by one call of a runner and sums in double. */
static double by_logits(const precis_model *m, const char *context, const char *more)
{
    precis_tokenizer *tok;
    precis_runner *r;
    precis_runner_options ro = PRECIS_RUNNER_OPTIONS_INIT;
    precis_runner_info info = { .size = sizeof info };
    char whole[300];
    int32_t *head, *ids;
    size_t k, n;
    double sum = 0;
    snprintf(whole, sizeof whole, "%s%s", context, more);
    ro.context = 64, ro.batch = 64, ro.outputs = 64;
    OK(ctx, precis_tokenizer_open(ctx, &tok, m));
    OK(ctx, precis_runner_open(ctx, &r, m, &ro));
    precis_runner_get_info(r, &info);
    OK(ctx, precis_tokenizer_encode(tok, context, strlen(context), PRECIS_TEXT_ADD, &head, &k));
    OK(ctx, precis_tokenizer_encode(tok, whole, strlen(whole), PRECIS_TEXT_ADD, &ids, &n));
    precis_row rows[64];
    for (size_t i = 0; i < n; i++) rows[i] = (precis_row){ ids[i], (uint32_t)i, 0, 1 };
    const float *logits;
    OK(ctx, precis_runner_decode(r, rows, (uint32_t)n, &logits));
    for (size_t i = k; i < n; i++) {
        const float *x = logits + (i - 1) * info.vocabulary;
        double most = x[0], all = 0;
        for (uint32_t v = 0; v < info.vocabulary; v++) most = x[v] > most ? x[v] : most;
        for (uint32_t v = 0; v < info.vocabulary; v++) all += exp(x[v] - most);
        sum += x[ids[i]] - most - log(all);
    }
    precis_ids_free(tok, head), precis_ids_free(tok, ids);
    precis_runner_close(&r), precis_tokenizer_close(&tok);
    return sum;
}

static void test_answers(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"context\": \"The king of the\", \"choices\": [\" country\", \" zebra quartz\"], \"answer\": 0, "
        "\"group\": \"a\"}\n"
        "{\"context\": \"She looked at\", \"choices\": [\" him\", \" herself in a\", \" the\"], \"answer\": 2}\n";
    precis_model *m;
    precis_answer answers[2];
    double logliks[2 * PRECIS_TASK_CHOICES];
    precis_eval_options o = PRECIS_EVAL_OPTIONS_INIT;
    o.window = 64;
    OK(ctx, precis_model_open(ctx, &m, MODEL));
    precis_task *t = open_task(keep("own.jsonl", lines), NULL, 0, 0);
    OK(ctx, precis_eval_task(ctx, m, t, &o, answers, logliks));
    for (size_t i = 0; i < 2; i++) {
        const precis_task_item item = item_of(t, i);
        uint32_t best = 0;
        for (uint32_t c = 0; c < item.n_choices; c++) {
            const double want = by_logits(m, item.context, item.choices[c]), got = logliks[i * PRECIS_TASK_CHOICES + c];
            if (fabs(got - want) > 1e-3) fail_msg("%s%s: %.9g, not %.9g", item.context, item.choices[c], got, want);
            if (got > logliks[i * PRECIS_TASK_CHOICES + best]) best = c;
        }
        assert_int_equal(answers[i].choice, best);
        assert_int_equal(answers[i].right, best == item.right);
    }
    precis_task_close(&t);
    keep("test.jsonl", "{\"question\": \"What is 1 + 1?\", \"answer\": \"#### 1234567\"}\n");
    t = open_task("gsm8k", test_folder(), 0, 0);
    OK(ctx, precis_eval_task(ctx, m, t, &o, answers, NULL));
    assert_int_equal(answers[0].right, 0); /* nobody says that number */
    precis_task_close(&t);
    precis_model_close(&m);
}

static int open_all(void **state)
{
    (void)state;
    ctx = test_ctx(2);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    precis_ctx_close(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_hellaswag), cmocka_unit_test(test_mmlu),
                                        cmocka_unit_test(test_lines),     cmocka_unit_test(test_sums_in_words),
                                        cmocka_unit_test(test_generated), cmocka_unit_test(test_pairs),
                                        cmocka_unit_test(test_answers) };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
