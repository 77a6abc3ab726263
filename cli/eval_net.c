/* eval_net.c - `eval` of a net of arrays: accuracy, mIoU or mAP, agreement with another net, and the gate. */
#include "eval.h"
#include "quant_net.h"
#include "term.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Options of language models say nothing of a net: they are not passed over. */
static int for_nets(const cli *c)
{
    static const char *const own[] = { "--against", "--data", "--labels", "--output", "--detections", "--ignore",
                                       "--sequence", "--blank", "--mask", "--least",
                                       "--resize", "--crop", "--mean", "--std", "--pixels", "--layout", "--limit",
                                       "--batch", "--gate", "--max-drop", "--mem-limit", "--nodes", "--input" };
    for (int i = 0; i < c->n_given; i++) {
        const char *name = c->given[i].option->name;
        size_t k = 0;
        const cli_option *all = cli_common;
        while (k < sizeof own / sizeof *own && strcmp(own[k], name)) k++;
        while (all->name && strcmp(all->name, name)) all++;
        if (k == sizeof own / sizeof *own && !all->name)
            return cli_usage(c, "%s is for language models; %s is a net of arrays", name, c->args[0]);
    }
    return cli_memory_limit(c);
}

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static void put_interval(json_t *o, const char *name, const char *suffix, precis_interval v)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s", name, suffix);
    json_object_set_new(o, key, real(v.value));
    snprintf(key, sizeof key, "%s%s_low", name, suffix);
    json_object_set_new(o, key, real(v.low));
    snprintf(key, sizeof key, "%s%s_high", name, suffix);
    json_object_set_new(o, key, real(v.high));
}

static json_t *gate_json(const precis_gate_result *g)
{
    json_t *o = json_pack("{s:s, s:f, s:f, s:f}", "verdict", precis_verdict_name(g->verdict), "margin", g->margin,
                          "p_accept", g->p_accept, "p_reject", g->p_reject);
    json_object_set_new(o, "drop", real(g->mean));
    json_object_set_new(o, "drop_lower", real(g->lower));
    json_object_set_new(o, "drop_upper", real(g->upper));
    json_object_set_new(o, "items_needed",
                        g->items_needed == UINT64_MAX ? json_null() : json_integer((json_int_t)g->items_needed));
    return o;
}

/* The names that scripts rely on are always there: accuracy, n, agree, sqnr_db. */
static json_t *figures_json(const precis_eval_net_result *r, bool gate, bool stopped)
{
    json_t *o = json_pack("{s:I, s:n, s:n, s:n, s:b}", "n", (json_int_t)r->n, "accuracy", "agree", "sqnr_db",
                          "stopped", stopped);
    if (r->score) {
        json_object_set_new(o, "score", json_string(r->score));
        put_interval(o, r->score, "", r->net);
        if (r->second) json_object_set_new(o, r->second, real(r->second_net));
        if (r->by_reference) json_object_set_new(o, "labels", json_string("reference"));
        if (isfinite(r->loss)) json_object_set_new(o, "loss", json_real(r->loss));
    }
    if (!r->has_reference) return o;
    json_object_set_new(o, "sqnr_db", real(r->sqnr_db));
    json_object_set_new(o, "identical", json_boolean(r->identical));
    if (r->has_agree) put_interval(o, "agree", "", r->agree);
    if (r->score) {
        put_interval(o, r->score, "_reference", r->reference);
        put_interval(o, "drop", "", r->drop);
        if (isfinite(r->loss_reference)) json_object_set_new(o, "loss_reference", json_real(r->loss_reference));
        if (r->second) {
            char key[64];
            snprintf(key, sizeof key, "%s_reference", r->second);
            json_object_set_new(o, key, real(r->second_reference));
        }
        if (r->share) {
            json_object_set_new(o, "to_wrong", json_integer((json_int_t)r->to_wrong));
            json_object_set_new(o, "to_right", json_integer((json_int_t)r->to_right));
            json_object_set_new(o, "mcnemar_p", json_real(r->mcnemar));
        }
    }
    if (gate) json_object_set_new(o, "gate", stopped ? json_null() : gate_json(&r->gate));
    return o;
}

static void print_interval(const char *name, precis_interval v)
{
    char bounds[64] = "";
    if (isfinite(v.low)) snprintf(bounds, sizeof bounds, "   %.3f to %.3f", 100 * v.low, 100 * v.high);
    cli_row(4, "%-24s %8.3f%%%s", name, 100 * v.value, bounds);
}

static void print_figures(const precis_eval_net_result *r, bool gate)
{
    cli_row(2, "%llu samples; intervals of 95 %%%s", (unsigned long long)r->n,
            r->by_reference ? "; right is what the reference says" : "");
    putchar('\n');
    if (r->score) {
        print_interval(r->score, r->net);
        if (r->second) cli_row(4, "  %-22s %8.3f%%", r->second, 100 * r->second_net);
        if (isfinite(r->loss)) cli_row(4, "  loss                     %.6f nats", r->loss);
    }
    if (!r->has_reference) return;
    if (r->score) {
        print_interval("  of the reference", r->reference);
        if (r->second) cli_row(4, "  %-22s %8.3f%%", r->second, 100 * r->second_reference);
        if (isfinite(r->loss_reference)) cli_row(4, "  loss of the reference    %.6f nats", r->loss_reference);
        print_interval("  drop", r->drop);
        if (r->share)
            cli_row(4, "  %-22s %llu to wrong, %llu to right (McNemar p = %.3g)", "changed",
                    (unsigned long long)r->to_wrong, (unsigned long long)r->to_right, r->mcnemar);
    }
    if (r->has_agree) print_interval("agreement", r->agree);
    if (r->identical) cli_row(4, "outputs                  the same bits");
    else cli_row(4, "SQNR                     %8.2f dB", r->sqnr_db);
    if (!gate) return;
    const precis_gate_result *g = &r->gate;
    putchar('\n');
    cli_row(4, "gate: %s  drop %.3f%%, with 95 %% each at least %.3f%% and at most %.3f%%; margin %.3f%%",
            precis_verdict_name(g->verdict), 100 * g->mean, 100 * g->lower, 100 * g->upper, 100 * g->margin);
    if (g->verdict == PRECIS_UNDECIDED && g->items_needed != UINT64_MAX)
        cli_row(2, "about %llu samples would decide", (unsigned long long)g->items_needed);
}

static int compare_nodes(cli *c, precis_net *net, precis_net *reference, precis_samples *samples)
{
    precis_node_errors *e;
    const precis_status st = precis_eval_nodes(c->ctx, net, reference, samples, &e);
    if (!e) return cli_fail(c, st);
    if (st)
        cli_error(c, "stopped: what follows is of the first %llu samples",
                  (unsigned long long)precis_node_errors_samples(e));
    const int rc = cli_print_nodes(c, e, st != PRECIS_OK);
    precis_node_errors_close(&e);
    return st ? EXIT_INTERRUPTED : rc;
}

static int net_options(cli *c, precis_eval_net_options *o, precis_samples_options *so)
{
    int64_t limit, batch, ignore, blank;
    const int rc = cli_samples_options(c, so);
    if (rc >= 0) return rc;
    if (!cli_int(c, "--limit", 0, 1, INT64_MAX, &limit) || !cli_int(c, "--batch", 0, 1, 4096, &batch) ||
        !cli_int(c, "--ignore", 255, INT32_MIN, INT32_MAX, &ignore) ||
        !cli_int(c, "--blank", 0, -1, INT32_MAX, &blank) || !cli_number(c, "--least", o->least, 0, 1, &o->least) ||
        !cli_drop(c, -1, &o->max_drop))
        return EXIT_USAGE;
    so->limit = (uint64_t)limit;
    o->batch = (uint64_t)batch;
    o->ignore = ignore;
    o->labels = cli_get(c, "--labels");
    o->output = cli_get(c, "--output");
    o->detections = cli_get(c, "--detections");
    o->sequence = cli_get(c, "--sequence");
    o->blank = blank;
    o->mask = cli_get(c, "--mask");
    const bool gate = cli_has(c, "--gate"), margin = cli_has(c, "--max-drop");
    if (!cli_has(c, "--data"))
        return cli_usage(c, "%s is a net of arrays: give its samples, --data x.npy or --data NAME=x.npy", c->args[0]);
    if (cli_has(c, "--nodes") && !cli_has(c, "--against"))
        return cli_usage(c, "--nodes compares: give the float net, --against NET");
    if (cli_has(c, "--nodes") && (o->labels || gate))
        return cli_usage(c, "--nodes looks at values, not at labels: leave out --labels and --gate");
    if (cli_has(c, "--nodes") && !so->limit) so->limit = 16;
    if (cli_has(c, "--blank") && !o->sequence) return cli_usage(c, "--blank goes with --sequence ctc");
    if (gate && !cli_has(c, "--against")) return cli_usage(c, "--gate compares: give --against REF");
    if (gate && !margin) return cli_usage(c, "--gate needs a margin: --max-drop PART (docs/gate.md)");
    if (margin && !gate) return cli_usage(c, "margins are for --gate");
    return -1;
}

/* Settings of a kind of figure that this is not. */
static void note_unused(cli *c, const char *score)
{
    static const char *const of[][2] = { { "--ignore", "miou" }, { "--least", "map" }, { "--detections", "map" },
                                         { "--mask", "spearman" } };
    char line[160];
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        if (!cli_has(c, of[i][0]) || (score && !strcmp(score, of[i][1]))) continue;
        snprintf(line, sizeof line, "%s is for %s, which is not measured here: it changes nothing", of[i][0], of[i][1]);
        cli_warn(c, line);
    }
}

/* The figures, and the exit code that they are. */
static int give_figures(cli *c, const precis_eval_net_result *r, bool stopped)
{
    const bool gate = cli_has(c, "--gate");
    if (stopped)
        cli_error(c, "stopped: what follows is of the first %llu samples%s", (unsigned long long)r->n,
                  gate ? ", without a verdict" : "");
    if (!c->json) print_figures(r, gate && !stopped);
    const int rc = c->json ? cli_print_json(c, figures_json(r, gate, stopped)) : cli_done(c);
    if (stopped) return EXIT_INTERRUPTED;
    if (!gate || rc != EXIT_DONE) return rc;
    return r->gate.verdict == PRECIS_ACCEPT   ? EXIT_DONE
           : r->gate.verdict == PRECIS_REJECT ? EXIT_NEGATIVE
                                              : EXIT_UNDECIDED;
}

/* With the values of --input, and those that either has, and samples of the first. All are to be closed whatever
 * comes. */
static int open_nets(cli *c, precis_net **net, precis_net **reference, const precis_samples_options *so,
                     precis_samples **samples)
{
    precis_status st = precis_net_open(c->ctx, net, c->args[0]);
    if (!st && cli_has(c, "--against")) st = precis_net_open(c->ctx, reference, cli_get(c, "--against"));
    const int rc = st ? cli_fail(c, st) : cli_net_fix(c, *net, *reference);
    if (rc < 0) st = cli_samples_open(c, "--data", *net, so, samples);
    return rc >= 0 ? rc : st ? cli_fail(c, st) : cli_samples_used(c, *samples, NULL);
}

int cli_net_eval(cli *c)
{
    precis_eval_net_options o = PRECIS_EVAL_NET_OPTIONS_INIT;
    precis_samples_options so = PRECIS_SAMPLES_OPTIONS_INIT;
    precis_eval_net_result r = { .size = sizeof r };
    precis_net *net = NULL, *reference = NULL;
    precis_samples *samples = NULL;
    int rc = for_nets(c);
    if (rc < 0) rc = net_options(c, &o, &so);
    if (rc >= 0) return rc;
    o.each = cli_running_net;
    if ((rc = open_nets(c, &net, &reference, &so, &samples)) < 0) {
        precis_status st = PRECIS_OK;
        const bool nodes = cli_has(c, "--nodes");
        if (nodes) rc = compare_nodes(c, net, reference, samples);
        else st = precis_eval_net(c->ctx, net, reference, samples, &o, &r);
        const bool part = st == PRECIS_ECANCELED && r.n;
        cli_progress_note("");
        if (!st && !nodes) note_unused(c, r.score);
        if (st && !part) rc = cli_fail(c, st);
        else if (!nodes) rc = give_figures(c, &r, part);
    }
    precis_samples_close(&samples);
    precis_net_close(&reference);
    precis_net_close(&net);
    return rc;
}
