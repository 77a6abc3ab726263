/* suite.c - several texts and tasks at once: results by domain, and the gate over them. */
#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool cli_eval_is_suite(const cli *c)
{
    return cli_has(c, "--gate") || cli_has(c, "--tasks") || cli_has(c, "--domains") || cli_has(c, "--results") ||
           cli_get_nth(c, "--text", 1);
}

static void keep_token(void *user, const precis_eval_token *t)
{
    tokens *k = user;
    if (k->n == k->cap) {
        const size_t cap = k->cap * 2 + 4096;
        double *a = cli_grow(k->kld, cap * sizeof *a), *b = a ? cli_grow(k->ratio, cap * sizeof *b) : NULL;
        if (a) k->kld = a;
        if (b) k->ratio = b, k->cap = cap;
        if (!b) {
            k->failed = true;
            return;
        }
    }
    k->kld[k->n] = t->kld;
    k->ratio[k->n++] = t->nll - t->ref_nll;
}

static const char *folder_of(const cli *c)
{
    const char *f = cli_get(c, "--data");
    return f ? f : getenv("PRECIS_DATA");
}

/* ---- gathering ------------------------------------------------------------------------------------------------- */

static int add_domain(suite *s, const char *name, char *own, const char *text, size_t len)
{
    if (s->n_domains == DOMAINS) return cli_usage(s->c, "more than %d texts", DOMAINS);
    domain *d = &s->domains[s->n_domains++];
    *d = (domain){ .name = name, .own = own, .text = text, .len = len, .e.size = sizeof d->e };
    precis_sha256(text, len, d->sha);
    return -1;
}

static int gather_texts(suite *s)
{
    cli *c = s->c;
    size_t len;
    int rc = -1;
    for (int i = 0; rc < 0 && cli_get_nth(c, "--text", i); i++) {
        const char *path = cli_get_nth(c, "--text", i), *last = strrchr(path, '/');
        char *text;
        if ((rc = cli_read_text(c, path, PRECIS_INPUT_TEXT, &text, &len)) >= 0) return rc;
        rc = add_domain(s, last ? last + 1 : path, text, text, len);
        if (rc >= 0) precis_text_free(c->ctx, text);
    }
    for (size_t i = 0; rc < 0 && cli_has(c, "--domains") && precis_probe_name(folder_of(c), i); i++) {
        char *text;
        const precis_status st = precis_probe_text(c->ctx, folder_of(c), precis_probe_name(folder_of(c), i), &text,
                                                   &len);
        if (st) return cli_fail(c, st);
        rc = add_domain(s, precis_probe_name(folder_of(c), i), text, text, len);
        if (rc >= 0) precis_text_free(c->ctx, text);
    }
    const bool wanted = !cli_has(c, "--tasks") || s->max_kld > 0 || s->max_ppl > 0;
    if (rc < 0 && !s->n_domains && wanted) {
        const char *text = precis_eval_default_text(&len);
        rc = add_domain(s, "default", NULL, text, len);
    }
    return rc;
}

static int add_task(suite *s, const char *name, const precis_task_options *o)
{
    if (s->n_tasks == TASKS) return cli_usage(s->c, "more than %d tasks", TASKS);
    asked *a = &s->tasks[s->n_tasks];
    const precis_status st = precis_task_open(s->c->ctx, &a->task, name, o);
    if (st) return cli_fail(s->c, st);
    s->n_tasks++;
    a->info.size = sizeof a->info;
    precis_task_get_info(a->task, &a->info);
    a->answers = cli_alloc(a->info.items, sizeof *a->answers);
    a->reference = s->ref ? cli_alloc(a->info.items, sizeof *a->reference) : NULL;
    a->logliks = cli_alloc(a->info.items, PRECIS_TASK_CHOICES * sizeof *a->logliks);
    if (!a->answers || !a->logliks || (s->ref && !a->reference)) return cli_no_memory(s->c);
    char all[65 * 2 + 1] = { 0 };
    for (size_t i = 0; i < a->info.items; i++) { /* a chain over the items: the same questions have the same hash */
        precis_task_item item = { .size = sizeof item };
        precis_task_get(s->c->ctx, a->task, i, &item);
        const char *first = item.context ? item.context : item.contexts[0];
        precis_sha256(first, strlen(first), all + 64);
        precis_sha256(all, strlen(all), a->sha);
        memcpy(all, a->sha, 64);
    }
    return -1;
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

/* "0.02" or "2%" */
static bool drop_margin(const cli *c, double *drop)
{
    const char *text = cli_get(c, "--max-drop");
    char *end;
    *drop = 0;
    if (!text) return true;
    *drop = strtod(text, &end);
    if (end != text && *end == '%') *drop /= 100, end++;
    if (end != text && !*end && *drop > 0 && *drop < 1) return true;
    cli_usage(c, "--max-drop %s is no part of the answers; write 0.02 or 2%%", text);
    return false;
}

/* ---- the gate --------------------------------------------------------------------------------------------------- */

static precis_gate_result *add_row(suite *s, const char *what, const char *unit, const char *of, bool percent)
{
    s->rows[s->n_rows] = (row){ what, unit, of, percent };
    s->gates[s->n_rows] = (precis_gate_result){ .size = sizeof s->gates[0] };
    return &s->gates[s->n_rows++];
}

static precis_status judge(suite *s)
{
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < s->n_domains && !st; i++) {
        const domain *d = &s->domains[i];
        if (s->max_kld > 0)
            st = precis_gate(s->c->ctx, d->k.kld, d->k.n, BLOCK, s->max_kld,
                             add_row(s, "KL divergence", "nats per token", d->name, false));
        if (s->max_ppl > 0 && !st)
            st = precis_gate(s->c->ctx, d->k.ratio, d->k.n, BLOCK, log1p(s->max_ppl / 100),
                             add_row(s, "perplexity increase", "percent", d->name, true));
    }
    for (size_t i = 0; i < s->n_tasks && s->max_drop > 0 && !st; i++) {
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(s->tasks[i].task, NULL, s->tasks[i].answers, s->tasks[i].reference, &r);
        st = precis_gate_accuracy(s->c->ctx, r.items, r.to_wrong, r.to_right, s->max_drop,
                                  add_row(s, "accuracy drop", "part of the items", s->tasks[i].info.name, false));
    }
    if (!st) s->verdict = precis_gate_holm(s->gates, s->n_rows);
    return st;
}

/* A text is uneven when its divergence is above twice that of the text where the model is
 * best, by the same test and Holm. */
static precis_status find_uneven(suite *s)
{
    precis_gate_result g[DOMAINS];
    precis_status st = PRECIS_OK;
    s->best = 0;
    for (size_t i = 1; i < s->n_domains; i++)
        if (s->domains[i].e.kld_mean < s->domains[s->best].e.kld_mean) s->best = i;
    for (size_t i = 0; i < s->n_domains && !st; i++) {
        g[i].size = sizeof g[i];
        st = precis_gate(s->c->ctx, s->domains[i].k.kld, s->domains[i].k.n, BLOCK, 2 * s->domains[s->best].e.kld_mean,
                         &g[i]);
    }
    if (!st) precis_gate_holm(g, s->n_domains);
    for (size_t i = 0; i < s->n_domains && !st; i++) s->domains[i].uneven = g[i].verdict == PRECIS_REJECT;
    return st;
}

/* ---- keeping ---------------------------------------------------------------------------------------------------- */

/* One item of a task; NULL: out of memory. */
static json_t *sample(const suite *s, const asked *a, size_t k)
{
    precis_task_item item = { .size = sizeof item };
    precis_task_get(s->c->ctx, a->task, k, &item);
    json_t *o = json_pack("{s:s, s:I, s:b}", "task", a->info.name, "item", (json_int_t)k, "right", a->answers[k].right),
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
    for (size_t i = 0; i < s->n_tasks && !bad; i++)
        for (size_t k = 0; k < s->tasks[i].info.items && !bad; k++) {
            json_t *o = sample(s, &s->tasks[i], k);
            bad = !o || cli_lacks_memory(s->c) || json_dumpf(o, f, JSON_COMPACT | JSON_REAL_PRECISION(12)) ||
                  fputc('\n', f) == EOF;
            json_decref(o);
        }
    bad = !cli_text_close(f, &text) || bad;
    const precis_status st = bad ? PRECIS_OK : precis_write_file(s->c->ctx, path, text, len);
    free(text);
    if (bad) return cli_error(s->c, "%s: out of memory while the items were made", path), EXIT_RESOURCES;
    return st ? cli_fail(s->c, st) : -1;
}

static float *as_floats(const double *x, size_t n)
{
    float *f = cli_alloc(n ? n : 1, sizeof *f);
    for (size_t i = 0; i < n && f; i++) f[i] = (float)x[i];
    return f;
}

static const char *verdict_of(const suite *s, const char *what, const char *of)
{
    for (size_t i = 0; i < s->n_rows; i++)
        if (!strcmp(s->rows[i].what, what) && !strcmp(s->rows[i].of, of))
            return precis_verdict_name(s->gates[i].verdict);
    return NULL;
}

/* The figures of a suite, as they are kept; n <= ROWS. owned: their values, freed by who holds this. */
typedef struct { cli_measure list[ROWS]; float *owned[ROWS]; size_t n; bool failed; } figures;

static void add_figure(figures *f, cli_measure m, float *values)
{
    m.values = f->owned[f->n] = values;
    f->failed |= !values;
    f->list[f->n++] = m;
}

static void collect(const suite *s, figures *f)
{
    for (size_t i = 0; i < s->n_domains && s->ref; i++) {
        const domain *d = &s->domains[i];
        cli_measure m = { .what = "kld", .domain = d->name, .data = d->sha, .n = d->k.n };
        m.mean = d->e.kld_mean;
        m.se = d->e.kld_se;
        m.verdict = verdict_of(s, "KL divergence", d->name);
        add_figure(f, m, as_floats(d->k.kld, d->k.n));
        m.what = "log_ppl_ratio";
        m.mean = d->e.log_ratio;
        m.se = d->e.log_ratio_se;
        m.verdict = verdict_of(s, "perplexity increase", d->name);
        add_figure(f, m, as_floats(d->k.ratio, d->k.n));
    }
    for (size_t i = 0; i < s->n_tasks; i++) {
        const asked *a = &s->tasks[i];
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(a->task, NULL, a->answers, a->reference, &r);
        float *v = cli_alloc(a->info.items, sizeof *v);
        for (size_t k = 0; k < a->info.items && v; k++) v[k] = a->answers[k].right;
        cli_measure m = { .what = a->info.metric, .domain = a->info.name, .data = a->sha, .n = a->info.items };
        m.mean = r.accuracy;
        m.se = r.accuracy_se;
        m.verdict = verdict_of(s, "accuracy drop", a->info.name);
        add_figure(f, m, v);
    }
}

static int remember(suite *s)
{
    figures f = { .n = 0 };
    collect(s, &f);
    char settings[160];
    snprintf(settings, sizeof settings, "arithmetic %s, window %u, windows %u, keys %s, values %s",
             precis_arithmetic_name(s->o.arithmetic), s->o.window, s->o.windows, s->o.k_type ? s->o.k_type : "f16",
             s->o.v_type ? s->o.v_type : "f16");
    const char *verdict = s->n_rows ? precis_verdict_name(s->verdict) : NULL;
    const cli_run_figures run = { settings, verdict, f.list, f.n };
    const int rc = f.failed ? cli_no_memory(s->c) : cli_history_add(s->c, s->m, s->ref, &run);
    for (size_t i = 0; i < f.n; i++) free(f.owned[i]);
    return rc;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static int check_options(suite *s)
{
    cli *c = s->c;
    if (!cli_number(c, "--max-kld", 0, 1e-12, 1e3, &s->max_kld) ||
        !cli_number(c, "--max-ppl", 0, 1e-9, 1e6, &s->max_ppl) || !drop_margin(c, &s->max_drop))
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
    const precis_status st = samples ? precis_out_check(c->ctx, samples, s->m) : PRECIS_OK;
    return st ? cli_fail(c, st) : -1;
}

static int evaluate(suite *s)
{
    cli *c = s->c;
    precis_status st = PRECIS_OK;
    for (size_t i = 0; i < s->n_domains && !st; i++) {
        domain *d = &s->domains[i];
        precis_eval_options o = s->o;
        o.each = keep_token;
        o.user = &d->k;
        st = precis_eval_text(c->ctx, s->m, s->ref, d->text, d->len, &o, &d->e);
        if (!st && d->k.failed) return cli_no_memory(c);
        if (st == PRECIS_EINVAL && s->n_domains > 1) {
            cli_progress_clear();
            fprintf(stderr, "precis: text %s:\n", d->name);
        }
    }
    precis_eval_options o = s->o;
    if (!cli_has(c, "--ctx")) o.window = 0; /* of texts; a task's prompt takes what the model knows */
    for (size_t i = 0; i < s->n_tasks && !st; i++) {
        st = precis_eval_task(c->ctx, s->m, s->tasks[i].task, &o, s->tasks[i].answers, s->tasks[i].logliks);
        precis_eval_options plain = o;
        plain.k_type = plain.v_type = NULL;
        if (!st && s->ref) st = precis_eval_task(c->ctx, s->ref, s->tasks[i].task, &plain, s->tasks[i].reference, NULL);
    }
    if (!st && s->ref && s->n_domains > 1) st = find_uneven(s);
    if (!st && cli_has(c, "--gate")) st = judge(s);
    return st ? cli_fail(c, st) : -1;
}

int cli_eval_suite(cli *c, const precis_model *m, const precis_model *ref, const precis_eval_options *o)
{
    suite *s = cli_alloc(1, sizeof *s);
    if (!s) return cli_no_memory(c);
    *s = (suite){ .c = c, .m = m, .ref = ref, .o = *o };
    int rc = check_options(s);
    if (rc < 0) rc = gather_texts(s);
    if (rc < 0) rc = gather_tasks(s);
    if (rc < 0) rc = evaluate(s);
    if (rc < 0) rc = write_samples(s);
    if (rc < 0 && (cli_has(c, "--gate") || cli_has(c, "--results"))) rc = remember(s);
    if (rc < 0) rc = c->json ? cli_suite_json(s) : cli_suite_text(s);
    if (!rc && s->n_rows)
        rc = s->verdict == PRECIS_ACCEPT ? EXIT_DONE : s->verdict == PRECIS_REJECT ? EXIT_NEGATIVE : EXIT_UNDECIDED;
    for (size_t i = 0; i < s->n_domains; i++) {
        precis_text_free(c->ctx, s->domains[i].own);
        free(s->domains[i].k.kld);
        free(s->domains[i].k.ratio);
    }
    for (size_t i = 0; i < s->n_tasks; i++) {
        precis_task_close(&s->tasks[i].task);
        free(s->tasks[i].answers);
        free(s->tasks[i].reference);
        free(s->tasks[i].logliks);
    }
    free(s);
    return rc;
}
