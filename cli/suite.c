/* suite.c - several texts and tasks at once, and the gate over them (precis/suite.h): what the options ask for. */
#include "suite.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

bool cli_eval_is_suite(const cli *c)
{
    return cli_has(c, "--gate") || cli_has(c, "--tasks") || cli_has(c, "--domains") || cli_has(c, "--results") ||
           cli_get_nth(c, "--text", 1);
}

static const char *folder_of(const cli *c)
{
    const char *f = cli_get(c, "--data");
    return f ? f : getenv("PRECIS_DATA");
}

/* ---- gathering ------------------------------------------------------------------------------------------------- */

/* A text of the suite, which the command holds while it runs. own: freed with precis_text_free; NULL: it is carried. */
static int add_text(suite *s, const char *name, char *own, const char *text, size_t len)
{
    const precis_status st = precis_suite_add_text(s->suite, name, text, len);
    if (st) precis_text_free(s->c->ctx, own);
    else s->texts[s->n_texts++] = own;
    return st ? cli_fail(s->c, st) : -1;
}

static int gather_texts(suite *s)
{
    cli *c = s->c;
    const char *folder = folder_of(c), *name;
    size_t len;
    int rc = -1;
    for (int i = 0; rc < 0 && cli_get_nth(c, "--text", i); i++) {
        const char *path = cli_get_nth(c, "--text", i), *last = strrchr(path, '/');
        char *text;
        if ((rc = cli_read_text(c, path, PRECIS_INPUT_TEXT, &text, &len)) >= 0) return rc;
        rc = add_text(s, last ? last + 1 : path, text, text, len);
    }
    for (size_t i = 0; rc < 0 && cli_has(c, "--domains") && (name = precis_probe_name(folder, i)); i++) {
        char *text;
        const precis_status st = precis_probe_text(c->ctx, folder, name, &text, &len);
        rc = st ? cli_fail(c, st) : add_text(s, name, text, text, len);
    }
    const bool wanted = !cli_has(c, "--tasks") || s->max_kld > 0 || s->max_ppl > 0;
    if (rc < 0 && !s->n_texts && wanted) {
        const char *text = precis_eval_default_text(&len);
        rc = add_text(s, "default", NULL, text, len);
    }
    return rc;
}

static int add_task(suite *s, const char *name, const precis_task_options *o)
{
    const precis_status st = precis_suite_add_task(s->suite, name, o);
    s->n_tasks += !st;
    return st ? cli_fail(s->c, st) : -1;
}

static int gather_tasks(suite *s)
{
    cli *c = s->c;
    int64_t limit, shots;
    if (!cli_has(c, "--tasks")) return -1;
    if (!cli_int(c, "--limit", 0, 1, 1 << 20, &limit) || !cli_int(c, "--shots", 0, 0, 32, &shots)) return EXIT_USAGE;
    precis_task_options o = PRECIS_TASK_OPTIONS_INIT;
    o.folder = folder_of(c);
    o.limit = (uint32_t)limit;
    o.shots = (uint32_t)shots;
    o.seed = c->seed;
    char *list = cli_joined(c, "--tasks"), *state = NULL;
    int rc = list ? -1 : cli_no_memory(c);
    for (char *name = list ? strtok_r(list, ",", &state) : NULL; name && rc < 0; name = strtok_r(NULL, ",", &state)) {
        const bool group = !strcmp(name, "reasoning") || !strcmp(name, "all");
        int generated;
        const char *known;
        for (size_t i = 0; group && rc < 0 && (known = precis_task_name(i, NULL, &generated)); i++)
            if (generated || *name == 'a') rc = add_task(s, known, &o);
        if (!group) rc = add_task(s, name, &o);
    }
    free(list);
    return rc < 0 && !s->n_tasks ? cli_usage(c, "--tasks names none") : rc;
}

/* ---- keeping ---------------------------------------------------------------------------------------------------- */

/* One item of a task; NULL: out of memory. */
static json_t *sample(const suite *s, const precis_suite_task *a, const char *task, size_t k)
{
    precis_task_item item = { .size = sizeof item };
    precis_task_get(s->c->ctx, a->task, k, &item);
    json_t *o = json_pack("{s:s, s:I, s:b}", "task", task, "item", (json_int_t)k, "right", a->answers[k].right),
        *contexts = json_array(), *choices = json_array(), *lls = json_array();
    bool bad = !o || !contexts || !choices || !lls;
    for (uint32_t n = 0; n < item.n_choices; n++) {
        bad |= json_array_append_new(contexts, json_string(item.contexts ? item.contexts[n] : item.context));
        bad |= json_array_append_new(choices, json_string(item.choices[n]));
        bad |= json_array_append_new(lls, json_real(a->logliks[k * PRECIS_TASK_CHOICES + n]));
    }
    bad |= item.context ? json_object_set_new(o, "context", json_string(item.context))
        : json_object_set(o, "contexts", contexts);
    if (item.choices) {
        bad |= json_object_set(o, "choices", choices) || json_object_set(o, "logliks", lls);
        bad |= json_object_set_new(o, "answer", json_integer(item.right)) ||
            json_object_set_new(o, "choice", json_integer(a->answers[k].choice));
    } else bad |= json_object_set_new(o, "answer", json_string(item.answer));
    if (item.group) bad |= json_object_set_new(o, "group", json_string(item.group));
    json_decref(contexts), json_decref(choices), json_decref(lls);
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

static int write_samples(const suite *s)
{
    const char *path = cli_get(s->c, "--samples");
    if (!path) return -1;
    char *text = NULL;
    size_t len = 0;
    FILE *f = cli_text_stream(&text, &len);
    bool bad = !f;
    precis_suite_task a = { .size = sizeof a };
    for (size_t i = 0; precis_suite_get_task(s->suite, i, &a) && !bad; i++) {
        precis_task_info info = { .size = sizeof info };
        precis_task_get_info(a.task, &info);
        for (size_t k = 0; k < info.items && !bad; k++) {
            json_t *o = sample(s, &a, info.name, k);
            bad = !o || cli_lacks_memory(s->c) || json_dumpf(o, f, JSON_COMPACT | JSON_REAL_PRECISION(12)) ||
                  fputc('\n', f) == EOF;
            json_decref(o);
        }
    }
    bad = !cli_text_close(f, &text) || bad;
    const precis_status st = bad ? PRECIS_OK : precis_write_file(s->c->ctx, path, text, len);
    free(text);
    if (bad) return cli_error(s->c, "%s: out of memory while the items were made", path), EXIT_RESOURCES;
    return st ? cli_fail(s->c, st) : -1;
}

/* The results in the user's history, or where --results says. */
static int remember(const suite *s)
{
    cli *c = s->c;
    const char *given = cli_get(c, "--results"), *named = cli_get(c, "--name"), *slash = strrchr(c->args[0], '/');
    char own[PRECIS_HISTORY_PATH];
    if (given && !strcmp(given, "none")) return -1;
    if (!given && precis_part_need(c->ctx, "SQLite", "a history of results")) {
        cli_warn(c, precis_ctx_message(c->ctx)); /* nobody asked for it */
        return -1;
    }
    if (!given && !precis_history_path(own)) {
        cli_warn(c, "the results are not kept: neither XDG_STATE_HOME nor HOME says where; --results FILE does");
        return -1;
    }
    if (!named) named = slash && slash[1] ? slash + 1 : c->args[0];
    const precis_status st = precis_suite_keep(s->suite, given ? given : own, named, (int64_t)time(NULL));
    if (!st) return -1;
    const int rc = cli_fail(c, st);
    if (given || st == PRECIS_ENOMEM || cli_lacks_memory(c)) return rc;
    /* Nobody asked for it: no error. */
    cli_warn(c, "the results could not be kept; --results FILE names another place, --results none keeps none");
    return -1;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static int check_options(suite *s)
{
    cli *c = s->c;
    if (!cli_number(c, "--max-kld", 0, 1e-12, 1e3, &s->max_kld) ||
        !cli_number(c, "--max-ppl", 0, 1e-9, 1e6, &s->max_ppl) || !cli_drop(c, 0, &s->max_drop))
        return EXIT_USAGE;
    const bool gate = cli_has(c, "--gate"), margins = s->max_kld > 0 || s->max_ppl > 0 || s->max_drop > 0;
    if (gate && !s->ref) return cli_usage(c, "--gate compares: give --against REF");
    if (gate && !margins)
        return cli_usage(c, "--gate needs a margin: --max-kld NATS, --max-ppl PERCENT, --max-drop PART (docs/gate.md "
                            "says which suits what)");
    if (!gate && margins) return cli_usage(c, "margins are for --gate");
    if (s->max_drop > 0 && !cli_has(c, "--tasks")) return cli_usage(c, "--max-drop is about answers: name --tasks");
    const char *samples = cli_get(c, "--samples");
    if (samples && !cli_has(c, "--tasks")) return cli_usage(c, "--samples are of tasks: name --tasks");
    const char *results = cli_get(c, "--results");
    precis_status st = samples ? precis_out_check(c->ctx, samples, s->m) : PRECIS_OK;
    if (!st && results && strcmp(results, "none") != 0) st = precis_part_need(c->ctx, "SQLite", "--results");
    return st ? cli_fail(c, st) : -1;
}

static int open_suite(suite *s, const precis_eval_options *o)
{
    precis_suite_options all = PRECIS_SUITE_OPTIONS_INIT;
    precis_eval_options own = *o;
    own.each = cli_running_token;
    own.user = &s->running;
    s->running.reference = s->ref != NULL;
    all.eval = &own;
    all.begin = cli_running_begin;
    all.task_window = cli_has(s->c, "--ctx") ? o->window : 0; /* of texts; a task's prompt takes what the model knows */
    all.max_kld = s->max_kld;
    all.max_ppl = s->max_ppl;
    all.max_drop = s->max_drop;
    const precis_status st = precis_suite_open(s->c->ctx, &s->suite, s->m, s->ref, &all);
    return st ? cli_fail(s->c, st) : -1;
}

static int judged(const suite *s)
{
    switch (precis_suite_verdict(s->suite)) {
    case PRECIS_ACCEPT: return EXIT_DONE;
    case PRECIS_REJECT: return EXIT_NEGATIVE;
    case PRECIS_UNDECIDED: break;
    }
    return EXIT_UNDECIDED;
}

/* When it was stopped, what there is is shown, but not kept, nor judged: a verdict is of the items that were asked
 * for. */
static int run_suite(suite *s)
{
    precis_suite_text text = { .size = sizeof text };
    precis_suite_task task = { .size = sizeof task };
    const precis_status st = precis_suite_run(s->suite);
    cli_progress_note("");
    s->stopped = st == PRECIS_ECANCELED &&
                 (precis_suite_get_text(s->suite, 0, &text) || precis_suite_get_task(s->suite, 0, &task));
    if (st && !s->stopped) return cli_fail(s->c, st);
    if (s->stopped)
        cli_error(s->c, "stopped: what follows is of the windows and items before, and is not kept%s",
                  cli_has(s->c, "--gate") ? "; there is no verdict" : "");
    return -1;
}

int cli_eval_suite(cli *c, const precis_model *m, const precis_model *ref, const precis_eval_options *o)
{
    suite *s = cli_alloc(1, sizeof *s);
    if (!s) return cli_no_memory(c);
    *s = (suite){ .c = c, .m = m, .ref = ref, .arithmetic = o->arithmetic };
    int rc = check_options(s);
    if (rc < 0) rc = open_suite(s, o);
    if (rc < 0) rc = gather_texts(s);
    if (rc < 0) rc = gather_tasks(s);
    if (rc < 0) rc = run_suite(s);
    if (rc < 0 && !s->stopped) rc = write_samples(s);
    if (rc < 0 && !s->stopped && (cli_has(c, "--gate") || cli_has(c, "--results"))) rc = remember(s);
    if (rc < 0) rc = c->json ? cli_suite_json(s) : cli_suite_text(s);
    if (s->stopped) rc = EXIT_INTERRUPTED;
    if (!rc && cli_has(c, "--gate")) rc = judged(s);
    precis_suite_close(&s->suite);
    for (size_t i = 0; i < s->n_texts; i++) precis_text_free(c->ctx, s->texts[i]);
    free(s);
    return rc;
}
