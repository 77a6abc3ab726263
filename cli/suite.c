/* suite.c - several texts and tasks at once: results by domain, and the gate over them. */
#include "eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DOMAINS = 64, TASKS = 64, ROWS = 3 * DOMAINS + TASKS, BLOCK = 64 /* tokens that are taken to depend on each other */ };

typedef struct { double *kld, *ratio; size_t n, cap; bool failed; } tokens;

typedef struct domain {
    const char *name;
    char *own;                 /* freed with precis_text_free; NULL: the text is carried */
    const char *text;
    size_t len;
    char sha[65];
    precis_eval_result e;
    tokens k;
    bool uneven;               /* the model loses far more here than elsewhere */
} domain;

typedef struct asked {
    precis_task *task;
    precis_task_info info;
    precis_answer *answers, *reference;
    double *logliks;
    char sha[65];
} asked;

typedef struct row { const char *what, *unit, *of; bool percent; } row;

typedef struct suite {
    cli *c;
    const precis_model *m, *ref;
    precis_eval_options o;
    domain domains[DOMAINS];
    asked tasks[TASKS];
    size_t n_domains, n_tasks, n_rows, best; /* best: the text with the least divergence */
    row rows[ROWS];
    precis_gate_result gates[ROWS];
    precis_verdict verdict;
    double max_kld, max_ppl, max_drop;
} suite;

bool cli_eval_is_suite(const cli *c)
{
    return cli_has(c, "--gate") || cli_has(c, "--tasks") || cli_has(c, "--domains") || cli_has(c, "--results") || cli_get_nth(c, "--text", 1);
}

static void keep(void *user, const precis_eval_token *t)
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
        const precis_status st = precis_probe_text(c->ctx, folder_of(c), precis_probe_name(folder_of(c), i), &text, &len);
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
        if (s->max_kld > 0) st = precis_gate(s->c->ctx, d->k.kld, d->k.n, BLOCK, s->max_kld, add_row(s, "KL divergence", "nats per token", d->name, false));
        if (s->max_ppl > 0 && !st) st = precis_gate(s->c->ctx, d->k.ratio, d->k.n, BLOCK, log1p(s->max_ppl / 100), add_row(s, "perplexity increase", "percent", d->name, true));
    }
    for (size_t i = 0; i < s->n_tasks && s->max_drop > 0 && !st; i++) {
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(s->tasks[i].task, NULL, s->tasks[i].answers, s->tasks[i].reference, &r);
        st = precis_gate_accuracy(s->c->ctx, r.items, r.to_wrong, r.to_right, s->max_drop, add_row(s, "accuracy drop", "part of the items", s->tasks[i].info.name, false));
    }
    if (!st) s->verdict = precis_gate_holm(s->gates, s->n_rows);
    return st;
}

/* A text is uneven when its divergence is above twice that of the text where the model is best, by the same test and Holm. */
static precis_status find_uneven(suite *s)
{
    precis_gate_result g[DOMAINS];
    precis_status st = PRECIS_OK;
    s->best = 0;
    for (size_t i = 1; i < s->n_domains; i++)
        if (s->domains[i].e.kld_mean < s->domains[s->best].e.kld_mean) s->best = i;
    for (size_t i = 0; i < s->n_domains && !st; i++) {
        g[i].size = sizeof g[i];
        st = precis_gate(s->c->ctx, s->domains[i].k.kld, s->domains[i].k.n, BLOCK, 2 * s->domains[s->best].e.kld_mean, &g[i]);
    }
    if (!st) precis_gate_holm(g, s->n_domains);
    for (size_t i = 0; i < s->n_domains && !st; i++) s->domains[i].uneven = g[i].verdict == PRECIS_REJECT;
    return st;
}

/* ---- output ----------------------------------------------------------------------------------------------------- */

static double shown(const row *r, double v) { return r->percent ? 100 * expm1(v) : v; }
static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *json_evidence(const suite *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_rows; i++) {
        const row *r = &s->rows[i];
        const precis_gate_result *g = &s->gates[i];
        char measure[64];
        snprintf(measure, sizeof measure, "%s, %s", r->what, r->unit);
        json_t *o = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:I}", "measure", measure, "of", r->of, "verdict", precis_verdict_name(g->verdict), "mean", shown(r, g->mean), "margin", shown(r, g->margin), "p_accept",
                              g->p_accept, "p_reject", g->p_reject, "items", (json_int_t)g->items, "blocks", (json_int_t)g->blocks);
        json_object_set_new(o, "lower", real(shown(r, g->lower)));
        json_object_set_new(o, "upper", real(shown(r, g->upper)));
        json_object_set_new(o, "items_needed", g->items_needed == UINT64_MAX ? json_null() : json_integer((json_int_t)g->items_needed));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_domains(const suite *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_domains; i++) {
        const domain *d = &s->domains[i];
        json_t *o = json_pack("{s:s, s:s, s:I, s:f, s:f}", "name", d->name, "sha256", d->sha, "tokens", (json_int_t)d->e.tokens, "ppl", d->e.ppl, "ppl_se", d->e.ppl_se);
        if (s->ref) {
            json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "ref_ppl", d->e.ref_ppl, "kld_mean", d->e.kld_mean, "kld_se", d->e.kld_se, "top1", d->e.top1, "log_ppl_ratio", d->e.log_ratio, "log_ppl_ratio_se",
                                     d->e.log_ratio_se, "uneven", d->uneven);
            json_object_update(o, more);
            json_decref(more);
        }
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_result(const asked *a, const precis_task_result *r, const char *name)
{
    json_t *o = json_pack("{s:s, s:I, s:f, s:f}", "name", name, "items", (json_int_t)r->items, a->info.metric, r->accuracy, "se", r->accuracy_se);
    if (a->info.second) json_object_set_new(o, a->info.second, json_real(r->second));
    if (!strcmp(a->info.name, "lambada")) json_object_set_new(o, "perplexity", real(r->perplexity));
    if (a->info.paired) {
        json_object_set_new(o, "pairs_right", real(r->pairs_right));
        json_object_set_new(o, "sensitivity", real(r->sensitivity));
    }
    if (a->reference) {
        json_t *more = json_pack("{s:f, s:I, s:I, s:f, s:f, s:f}", "reference", r->reference, "to_wrong", (json_int_t)r->to_wrong, "to_right", (json_int_t)r->to_right, "flips", r->flips, "flips_se", r->flips_se, "changed", r->changed);
        json_object_update(o, more);
        json_decref(more);
        if (a->info.paired) json_object_set_new(o, "reference_sensitivity", real(r->reference_sensitivity));
    }
    return o;
}

/* Groups of a task, each once, in the order of its items; fn for each. */
static void each_group(const suite *s, const asked *a, void (*fn)(void *user, const asked *a, const char *group, const precis_task_result *r), void *user)
{
    const char *seen[256];
    size_t n = 0;
    for (size_t i = 0; i < a->info.items; i++) {
        precis_task_item item = { .size = sizeof item };
        precis_task_get(s->c->ctx, a->task, i, &item);
        size_t k = 0;
        while (item.group && k < n && strcmp(seen[k], item.group)) k++;
        if (!item.group || k < n || n == 256) continue;
        seen[n++] = item.group;
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(a->task, item.group, a->answers, a->reference, &r);
        fn(user, a, item.group, &r);
    }
}

static void group_json(void *list, const asked *a, const char *group, const precis_task_result *r) { json_array_append_new(list, json_result(a, r, group)); }

static json_t *json_tasks(const suite *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_tasks; i++) {
        const asked *a = &s->tasks[i];
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(a->task, NULL, a->answers, a->reference, &r);
        json_t *o = json_result(a, &r, a->info.name), *groups = json_array();
        json_object_set_new(o, "metric", json_string(a->info.metric));
        each_group(s, a, group_json, groups);
        if (json_array_size(groups)) json_object_set(o, "groups", groups);
        json_decref(groups);
        json_array_append_new(list, o);
    }
    return list;
}

/* Of all texts together: what scripts find at the top. */
static void json_pool(const suite *s, json_t *all)
{
    double kld = 0, nll = 0, n = 0;
    for (size_t i = 0; i < s->n_domains; i++) {
        const double k = (double)s->domains[i].e.tokens;
        n += k;
        kld += k * s->domains[i].e.kld_mean;
        nll += k * log(s->domains[i].e.ppl);
    }
    if (!(n > 0)) return;
    json_object_set_new(all, "tokens", json_integer((json_int_t)n));
    json_object_set_new(all, "ppl", json_real(exp(nll / n)));
    json_object_set_new(all, "kld_mean", s->ref ? json_real(kld / n) : json_null());
    if (s->n_domains == 1) json_object_set_new(all, "kld_se", s->ref ? json_real(s->domains[0].e.kld_se) : json_null());
}

/* The most items that an undecided row needs; UINT64_MAX: none would do. */
static uint64_t needed(const suite *s)
{
    uint64_t most = 0;
    for (size_t i = 0; i < s->n_rows; i++)
        if ((s->verdict != PRECIS_UNDECIDED || s->gates[i].verdict == PRECIS_UNDECIDED) && s->gates[i].items_needed > most) most = s->gates[i].items_needed;
    return most;
}

static int print_json(const suite *s)
{
    json_t *all = json_pack("{s:s}", "arithmetic", precis_arithmetic_name(s->o.arithmetic));
    json_pool(s, all);
    if (s->n_domains) json_object_set_new(all, "domains", json_domains(s));
    if (s->n_tasks) json_object_set_new(all, "tasks", json_tasks(s));
    if (s->n_rows) {
        const uint64_t most = needed(s);
        json_object_set_new(all, "verdict", json_string(precis_verdict_name(s->verdict)));
        json_object_set_new(all, "evidence", json_evidence(s));
        json_object_set_new(all, "items_needed", most == UINT64_MAX ? json_null() : json_integer((json_int_t)most));
    }
    return cli_print_json(s->c, all);
}

static void print_result(const asked *a, const char *name, const precis_task_result *r, const char *indent)
{
    printf("%s%-*s %6zu  %6.2f%% +- %5.2f%%", indent, (int)(26 - strlen(indent)), name, r->items, 100 * r->accuracy, 100 * r->accuracy_se);
    if (a->reference) printf("  %6.2f%%  %5llu  %5llu  %5.2f%%", 100 * r->reference, (unsigned long long)r->to_wrong, (unsigned long long)r->to_right, 100 * r->changed);
    if (a->info.second && *indent == 0) printf("  %s %.2f%%", a->info.second, 100 * r->second);
    if (a->info.paired) printf("  both right %.2f%%, choice moves with the word %.2f%%", 100 * r->pairs_right, 100 * r->sensitivity);
    if (a->info.paired && a->reference) printf(" (reference %.2f%%)", 100 * r->reference_sensitivity);
    if (!strcmp(a->info.name, "lambada")) printf("  perplexity %.3f", r->perplexity);
    printf("\n");
}

static void group_text(void *user, const asked *a, const char *group, const precis_task_result *r)
{
    (void)user;
    print_result(a, group, r, "  ");
}

static int print_text(const suite *s)
{
    if (s->n_domains) printf("%-26s %7s %11s%s\n", "text", "tokens", "perplexity", s->ref ? "  reference   KL, nats per token       top-1" : "");
    for (size_t i = 0; i < s->n_domains; i++) {
        const domain *d = &s->domains[i];
        printf("%-26s %7llu %11.3f", d->name, (unsigned long long)d->e.tokens, d->e.ppl);
        if (s->ref) printf(" %10.3f  %9.6f +- %.6f  %6.2f%%", d->e.ref_ppl, d->e.kld_mean, d->e.kld_se, 100 * d->e.top1);
        if (d->uneven) printf("  UNEVEN: %.1f x the loss on %s", d->e.kld_mean / s->domains[s->best].e.kld_mean, s->domains[s->best].name);
        printf("\n");
    }
    if (s->n_tasks) printf("%s%-26s %6s  %-17s%s\n", s->n_domains ? "\n" : "", "task", "items", "right", s->ref ? "  reference  lost  gained  changed" : "");
    for (size_t i = 0; i < s->n_tasks; i++) {
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(s->tasks[i].task, NULL, s->tasks[i].answers, s->tasks[i].reference, &r);
        print_result(&s->tasks[i], s->tasks[i].info.name, &r, "");
        each_group(s, &s->tasks[i], group_text, NULL);
    }
    if (s->n_rows) printf("\n%-20s %-20s %12s %25s %10s  verdict\n", "measure", "of", "mean", "95 % bounds", "margin");
    for (size_t i = 0; i < s->n_rows; i++) {
        const row *r = &s->rows[i];
        const precis_gate_result *g = &s->gates[i];
        printf("%-20s %-20s %12.6g %12.6g %12.6g %10.4g  %s", r->what, r->of, shown(r, g->mean), shown(r, g->lower), shown(r, g->upper), shown(r, g->margin), precis_verdict_name(g->verdict));
        if (g->verdict == PRECIS_UNDECIDED && g->items_needed != UINT64_MAX) printf(" (%llu items; about %llu would decide)", (unsigned long long)g->items, (unsigned long long)g->items_needed);
        printf("\n");
    }
    if (s->n_rows) printf("%s\n", precis_verdict_name(s->verdict));
    return cli_done(s->c);
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
    FILE *f = open_memstream(&text, &len);
    bool bad = !f;
    for (size_t i = 0; i < s->n_tasks && !bad; i++)
        for (size_t k = 0; k < s->tasks[i].info.items && !bad; k++) {
            json_t *o = sample(s, &s->tasks[i], k);
            bad = !o || cli_lacks_memory(s->c) || json_dumpf(o, f, JSON_COMPACT | JSON_REAL_PRECISION(12)) || fputc('\n', f) == EOF;
            json_decref(o);
        }
    if (f && fclose(f)) bad = true;
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
        if (!strcmp(s->rows[i].what, what) && !strcmp(s->rows[i].of, of)) return precis_verdict_name(s->gates[i].verdict);
    return NULL;
}

static int remember(suite *s)
{
    cli_measure list[ROWS];
    float *owned[ROWS];
    size_t n = 0;
    bool failed = false;
    for (size_t i = 0; i < s->n_domains && s->ref; i++) {
        const domain *d = &s->domains[i];
        owned[n] = as_floats(d->k.kld, d->k.n);
        list[n] = (cli_measure){ "kld", d->name, d->sha, owned[n], d->k.n, d->e.kld_mean, d->e.kld_se, verdict_of(s, "KL divergence", d->name) };
        failed |= !owned[n++];
        owned[n] = as_floats(d->k.ratio, d->k.n);
        list[n] = (cli_measure){ "log_ppl_ratio", d->name, d->sha, owned[n], d->k.n, d->e.log_ratio, d->e.log_ratio_se, verdict_of(s, "perplexity increase", d->name) };
        failed |= !owned[n++];
    }
    for (size_t i = 0; i < s->n_tasks; i++) {
        const asked *a = &s->tasks[i];
        precis_task_result r = { .size = sizeof r };
        precis_task_summarize(a->task, NULL, a->answers, a->reference, &r);
        float *v = cli_alloc(a->info.items, sizeof *v);
        for (size_t k = 0; k < a->info.items && v; k++) v[k] = a->answers[k].right;
        owned[n] = v;
        list[n] = (cli_measure){ a->info.metric, a->info.name, a->sha, v, a->info.items, r.accuracy, r.accuracy_se, verdict_of(s, "accuracy drop", a->info.name) };
        failed |= !owned[n++];
    }
    char settings[160];
    snprintf(settings, sizeof settings, "arithmetic %s, window %u, windows %u, keys %s, values %s", precis_arithmetic_name(s->o.arithmetic), s->o.window, s->o.windows, s->o.k_type ? s->o.k_type : "f16",
             s->o.v_type ? s->o.v_type : "f16");
    const int rc = failed ? cli_no_memory(s->c)
                          : cli_history_add(s->c, s->m, s->ref, settings,
                                            s->n_rows ? precis_verdict_name(s->verdict) : NULL, list, n);
    for (size_t i = 0; i < n; i++) free(owned[i]);
    return rc;
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

static int check(suite *s)
{
    cli *c = s->c;
    if (!cli_number(c, "--max-kld", 0, 1e-12, 1e3, &s->max_kld) || !cli_number(c, "--max-ppl", 0, 1e-9, 1e6, &s->max_ppl) || !drop_margin(c, &s->max_drop)) return EXIT_USAGE;
    const bool gate = cli_has(c, "--gate"), margins = s->max_kld > 0 || s->max_ppl > 0 || s->max_drop > 0;
    if (gate && !s->ref) return cli_usage(c, "--gate compares: give --against REF");
    if (gate && !margins) return cli_usage(c, "--gate needs a margin: --max-kld NATS, --max-ppl PERCENT, --max-drop PART (docs/gate.md says which suits what)");
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
        o.each = keep;
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
    int rc = check(s);
    if (rc < 0) rc = gather_texts(s);
    if (rc < 0) rc = gather_tasks(s);
    if (rc < 0) rc = evaluate(s);
    if (rc < 0) rc = write_samples(s);
    if (rc < 0 && (cli_has(c, "--gate") || cli_has(c, "--results"))) rc = remember(s);
    if (rc < 0) rc = c->json ? print_json(s) : print_text(s);
    if (!rc && s->n_rows) rc = s->verdict == PRECIS_ACCEPT ? EXIT_DONE : s->verdict == PRECIS_REJECT ? EXIT_NEGATIVE : EXIT_UNDECIDED;
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
