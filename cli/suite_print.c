/* suite_print.c - results of several texts and tasks, and of the gate over them, as JSON and as text. */
#include "suite.h"

#include <math.h>
#include <string.h>

static double shown(const precis_suite_row *r, double v) { return r->percent ? 100 * expm1(v) : v; }
static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *json_evidence(const suite *s)
{
    json_t *list = json_array();
    precis_suite_row row = { .size = sizeof row }, *r = &row;
    for (size_t i = 0; precis_suite_get_row(s->suite, i, r); i++) {
        const precis_gate_result *g = r->gate;
        char measure[64];
        snprintf(measure, sizeof measure, "%s, %s", r->what, r->unit);
        json_t *o = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:I}", "measure", measure, "of", r->of,
                              "verdict", precis_verdict_name(g->verdict), "mean", shown(r, g->mean), "margin",
                              shown(r, g->margin), "p_accept", g->p_accept, "p_reject", g->p_reject, "items",
                              (json_int_t)g->items, "blocks", (json_int_t)g->blocks);
        json_object_set_new(o, "lower", real(shown(r, g->lower)));
        json_object_set_new(o, "upper", real(shown(r, g->upper)));
        json_object_set_new(o, "items_needed",
                            g->items_needed == UINT64_MAX ? json_null() : json_integer((json_int_t)g->items_needed));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *json_domains(const suite *s)
{
    json_t *list = json_array();
    precis_suite_text d = { .size = sizeof d };
    for (size_t i = 0; precis_suite_get_text(s->suite, i, &d); i++) {
        const precis_eval_result *e = d.eval;
        json_t *o = json_pack("{s:s, s:s, s:I, s:f, s:f}", "name", d.name, "sha256", d.sha256, "tokens",
                              (json_int_t)e->tokens, "ppl", e->ppl, "ppl_se", e->ppl_se);
        if (s->ref) {
            json_t *more = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:b}", "ref_ppl", e->ref_ppl, "kld_mean",
                                     e->kld_mean, "kld_se", e->kld_se, "top1", e->top1, "log_ppl_ratio",
                                     e->log_ratio, "log_ppl_ratio_se", e->log_ratio_se, "uneven", d.uneven);
            json_object_update(o, more);
            json_decref(more);
        }
        json_array_append_new(list, o);
    }
    return list;
}

/* A task of the suite with what it is called. */
typedef struct { precis_suite_task of; precis_task_info info; } asked;

static bool task_at(const suite *s, size_t i, asked *a)
{
    *a = (asked){ .of.size = sizeof a->of, .info.size = sizeof a->info };
    if (!precis_suite_get_task(s->suite, i, &a->of)) return false;
    precis_task_get_info(a->of.task, &a->info);
    return true;
}

/* Of all items (group NULL), or of those of one group. */
static precis_task_result summary(const asked *a, const char *group)
{
    precis_task_result r = { .size = sizeof r };
    precis_task_summarize(a->of.task, group, a->of.answers, a->of.reference, &r);
    return r;
}

static json_t *json_result(const asked *a, const precis_task_result *r, const char *name)
{
    json_t *o = json_pack("{s:s, s:I, s:f, s:f}", "name", name, "items", (json_int_t)r->items, a->info.metric,
                          r->accuracy, "se", r->accuracy_se);
    if (a->info.second) json_object_set_new(o, a->info.second, json_real(r->second));
    if (!strcmp(a->info.name, "lambada")) json_object_set_new(o, "perplexity", real(r->perplexity));
    if (a->info.paired) {
        json_object_set_new(o, "pairs_right", real(r->pairs_right));
        json_object_set_new(o, "sensitivity", real(r->sensitivity));
    }
    if (a->of.reference) {
        json_t *more = json_pack("{s:f, s:I, s:I, s:f, s:f, s:f}", "reference", r->reference, "to_wrong",
                                 (json_int_t)r->to_wrong, "to_right", (json_int_t)r->to_right, "flips", r->flips,
                                 "flips_se", r->flips_se, "changed", r->changed);
        json_object_update(o, more);
        json_decref(more);
        if (a->info.paired) json_object_set_new(o, "reference_sensitivity", real(r->reference_sensitivity));
    }
    return o;
}

/* Groups of a task, each once, in the order of its items; fn for each. */
static void each_group(const suite *s, const asked *a,
                       void (*fn)(void *user, const asked *a, const char *group, const precis_task_result *r),
                       void *user)
{
    const char *seen[256];
    size_t n = 0;
    for (size_t i = 0; i < a->info.items; i++) {
        precis_task_item item = { .size = sizeof item };
        precis_task_get(s->c->ctx, a->of.task, i, &item);
        size_t k = 0;
        while (item.group && k < n && strcmp(seen[k], item.group)) k++;
        if (!item.group || k < n || n == 256) continue;
        seen[n++] = item.group;
        const precis_task_result r = summary(a, item.group);
        if (r.items) fn(user, a, item.group, &r);
    }
}

static void group_json(void *list, const asked *a, const char *group, const precis_task_result *r)
{
    json_array_append_new(list, json_result(a, r, group));
}

static json_t *json_tasks(const suite *s)
{
    json_t *list = json_array();
    asked a;
    for (size_t i = 0; task_at(s, i, &a); i++) {
        const precis_task_result r = summary(&a, NULL);
        json_t *o = json_result(&a, &r, a.info.name), *groups = json_array();
        json_object_set_new(o, "metric", json_string(a.info.metric));
        each_group(s, &a, group_json, groups);
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
    precis_suite_text d = { .size = sizeof d };
    for (size_t i = 0; precis_suite_get_text(s->suite, i, &d); i++) {
        const double k = (double)d.eval->tokens;
        n += k;
        kld += k * d.eval->kld_mean;
        nll += k * log(d.eval->ppl);
    }
    if (!(n > 0)) return;
    json_object_set_new(all, "tokens", json_integer((json_int_t)n));
    json_object_set_new(all, "ppl", json_real(exp(nll / n)));
    json_object_set_new(all, "kld_mean", s->ref ? json_real(kld / n) : json_null());
    /* of the only one, if it is */
    if (s->n_texts == 1) json_object_set_new(all, "kld_se", s->ref ? json_real(d.eval->kld_se) : json_null());
}

/* The most items that an undecided row needs; UINT64_MAX: none would do. */
static uint64_t needed(const suite *s)
{
    uint64_t most = 0;
    const bool decided = precis_suite_verdict(s->suite) != PRECIS_UNDECIDED;
    precis_suite_row r = { .size = sizeof r };
    for (size_t i = 0; precis_suite_get_row(s->suite, i, &r); i++)
        if ((decided || r.gate->verdict == PRECIS_UNDECIDED) && r.gate->items_needed > most)
            most = r.gate->items_needed;
    return most;
}

int cli_suite_json(const suite *s)
{
    const char *arithmetic = precis_arithmetic_name(s->arithmetic);
    json_t *all = json_pack("{s:s, s:b}", "arithmetic", arithmetic, "stopped", s->stopped);
    json_pool(s, all);
    if (s->n_texts) json_object_set_new(all, "domains", json_domains(s));
    if (s->n_tasks) json_object_set_new(all, "tasks", json_tasks(s));
    if (cli_has(s->c, "--gate")) {
        const uint64_t most = s->stopped ? UINT64_MAX : needed(s);
        const char *verdict = precis_verdict_name(precis_suite_verdict(s->suite));
        json_object_set_new(all, "verdict", s->stopped ? json_null() : json_string(verdict));
        json_object_set_new(all, "evidence", json_evidence(s));
        json_object_set_new(all, "items_needed", most == UINT64_MAX ? json_null() : json_integer((json_int_t)most));
    }
    return cli_print_json(s->c, all);
}

static void print_result(const asked *a, const char *name, const precis_task_result *r, const char *indent)
{
    char beside[96] = "", second[96] = "", paired[128] = "", more[64] = "";
    if (a->of.reference)
        snprintf(beside, sizeof beside, "  %6.2f%%  %5llu  %5llu  %5.2f%%", 100 * r->reference,
                 (unsigned long long)r->to_wrong, (unsigned long long)r->to_right, 100 * r->changed);
    if (a->info.second && *indent == 0)
        snprintf(second, sizeof second, "  %s %.2f%%", a->info.second, 100 * r->second);
    if (a->info.paired)
        snprintf(paired, sizeof paired, "  both right %.2f%%, choice moves with the word %.2f%%", 100 * r->pairs_right,
                 100 * r->sensitivity);
    if (a->info.paired && a->of.reference)
        snprintf(more, sizeof more, " (reference %.2f%%)", 100 * r->reference_sensitivity);
    else if (!strcmp(a->info.name, "lambada")) snprintf(more, sizeof more, "  perplexity %.3f", r->perplexity);
    cli_row(4, "%s%-*s %6zu  %6.2f%% +- %5.2f%%%s%s%s%s", indent, (int)(26 - strlen(indent)), name, r->items,
            100 * r->accuracy, 100 * r->accuracy_se, beside, second, paired, more);
}

static void group_text(void *user, const asked *a, const char *group, const precis_task_result *r)
{
    (void)user;
    print_result(a, group, r, "  ");
}

static void print_texts(const suite *s)
{
    precis_suite_text d = { .size = sizeof d }, best = { .size = sizeof best };
    if (s->n_texts)
        cli_row(4, "%-26s %7s %11s%s", "text", "tokens", "perplexity",
                s->ref ? "  reference   KL, nats per token       top-1" : "");
    for (size_t i = 0; precis_suite_get_text(s->suite, i, &best) && !best.best; i++) {}
    for (size_t i = 0; precis_suite_get_text(s->suite, i, &d); i++) {
        const precis_eval_result *e = d.eval;
        char lost[96] = "", uneven[320] = "";
        if (s->ref)
            snprintf(lost, sizeof lost, " %10.3f  %9.6f +- %.6f  %6.2f%%", e->ref_ppl, e->kld_mean, e->kld_se,
                     100 * e->top1);
        if (d.uneven)
            snprintf(uneven, sizeof uneven, "  UNEVEN: %.1f x the loss on %s", e->kld_mean / best.eval->kld_mean,
                     best.name);
        cli_row(4, "%-26s %7llu %11.3f%s%s", d.name, (unsigned long long)e->tokens, e->ppl, lost, uneven);
    }
}

static void print_tasks(const suite *s)
{
    asked a;
    if (s->n_texts && s->n_tasks) putchar('\n');
    if (s->n_tasks)
        cli_row(4, "%-26s %6s  %-17s%s", "task", "items", "right", s->ref ? "  reference  lost  gained  changed" : "");
    for (size_t i = 0; task_at(s, i, &a); i++) {
        const precis_task_result r = summary(&a, NULL);
        print_result(&a, a.info.name, &r, "");
        each_group(s, &a, group_text, NULL);
    }
}

static void print_gate(const suite *s)
{
    precis_suite_row row = { .size = sizeof row }, *r = &row;
    putchar('\n');
    cli_row(4, "%-20s %-20s %12s %25s %10s  verdict", "measure", "of", "mean", "95 % bounds", "margin");
    for (size_t i = 0; precis_suite_get_row(s->suite, i, r); i++) {
        const precis_gate_result *g = r->gate;
        char items[96] = "";
        if (g->verdict == PRECIS_UNDECIDED && g->items_needed != UINT64_MAX)
            snprintf(items, sizeof items, " (%llu items; about %llu would decide)", (unsigned long long)g->items,
                     (unsigned long long)g->items_needed);
        cli_row(4, "%-20s %-20s %12.6g %12.6g %12.6g %10.4g  %s%s", r->what, r->of, shown(r, g->mean),
                shown(r, g->lower), shown(r, g->upper), shown(r, g->margin), precis_verdict_name(g->verdict), items);
    }
    printf("%s\n", precis_verdict_name(precis_suite_verdict(s->suite)));
}

int cli_suite_text(const suite *s)
{
    print_texts(s);
    print_tasks(s);
    if (cli_has(s->c, "--gate") && !s->stopped) print_gate(s);
    return cli_done(s->c);
}
