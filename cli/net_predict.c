/* net_predict.c - `plan` and `quant` of nets: what each node takes in float and in codes, measured here, which products
 * stay in float because they are slower in codes, and the sum beside what the written net takes. */
#include "quant_net.h"
#include "table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SHORT 0.05 /* seconds for each of what is measured, where --speed does not ask for more */

/* Is a product that is slower in codes left in float without being asked for? Who wants another's placements, or all in
 * int8, has them; with weights alone all arithmetic is in float anyway. */
static bool decides(const cli *c, const precis_net_quant_options *o)
{
    const bool as_others = o->backend || (o->like && strcmp(o->like, "precis") != 0);
    return !o->all && (cli_has(c, "--speed") || !(as_others || cli_has(c, "--weight-only")));
}

/* What the net is measured on: a sample, unless a size is given, and numbers that are made up. */
static precis_status measured_on(const cli_predicted *p, const precis_array **list, size_t *n)
{
    *list = p->in.list;
    *n = p->samples ? precis_net_inputs(p->net) : p->in.n;
    return p->samples ? precis_samples_read(p->samples, 0, 1, list) : PRECIS_OK;
}

static precis_status predict_net(cli *c, const precis_net_quant_options *o, cli_predicted *p)
{
    precis_net_predict_options with = PRECIS_NET_PREDICT_OPTIONS_INIT;
    precis_status st = measured_on(p, &with.inputs, &with.n);
    with.quant = o;
    with.kept = cli_kept(c);
    if (!p->asked) with.seconds = SHORT;
    if (!st) st = precis_net_predict_open(c->ctx, &p->p, c->args[0], &with);
    return st;
}

static bool is_of_size(precis_status st) { return st != PRECIS_ENOMEM && st != PRECIS_ECANCELED; }

/* On samples, on numbers of the size that is given, or of the first usual one that the net takes. */
static int measure_any(cli *c, const precis_net_quant_options *o, cli_predicted *p, precis_status *st)
{
    int64_t size;
    if (cli_net_size(c, 1, &size) >= 0) return EXIT_USAGE;
    const int64_t sizes[] = { cli_get(c, "--size") ? size : 0, 224, 1 };
    const size_t n = p->samples || cli_get(c, "--size") ? 1 : sizeof sizes / sizeof *sizes;
    int rc = -1;
    for (size_t i = 0; i < n && rc < 0 && (!i || (*st && is_of_size(*st))); i++) {
        cli_net_inputs_free(c, &p->in);
        p->in = (cli_net_inputs_made){ 0 };
        if (!p->samples) rc = cli_net_inputs(c, p->net, sizes[i], &p->in);
        if (rc < 0) *st = predict_net(c, o, p);
    }
    return rc;
}

int cli_net_predict(cli *c, precis_net_quant_options *o, precis_samples *samples, bool elsewhere, cli_predicted *p)
{
    *p = (cli_predicted){ .asked = cli_has(c, "--speed") };
    if (p->asked && cli_has(c, "--no-speed")) return cli_usage(c, "--speed and --no-speed: choose one");
    if (cli_has(c, "--no-speed") || (elsewhere && !p->asked)) return -1;
    if (samples && precis_samples_count(samples) && !cli_get(c, "--size")) p->samples = samples;
    precis_status st = precis_net_open(c->ctx, &p->net, c->args[0]);
    for (size_t i = 0; i < o->n_values && !st; i++) st = precis_net_fix(p->net, &o->values[i]);
    if (st) return cli_fail(c, st);
    const int rc = measure_any(c, o, p, &st);
    if (rc >= 0) return rc;
    if (st && !p->asked && is_of_size(st)) {
        snprintf(p->note, sizeof p->note, "%s", precis_ctx_message(c->ctx));
        return -1;
    }
    if (st) return cli_fail(c, st);
    if (decides(c, o)) {
        const size_t before = o->n_floats;
        o->floats = precis_net_predict_floats(p->p, &o->n_floats);
        o->n_exact += o->n_floats - before;
        o->reasons = precis_net_predict_reasons(p->p);
        o->n_reasons = o->n_floats;
    }
    precis_net_predict_sum(p->p, decides(c, o), &p->in_float, &p->predicted);
    return -1;
}

int cli_net_measure(cli *c, const char *path, cli_predicted *p)
{
    precis_net *net = NULL;
    precis_net_bench_options o = PRECIS_NET_BENCH_OPTIONS_INIT;
    precis_net_speed r = { .size = sizeof r };
    const precis_array *list;
    size_t n;
    o.seconds = p->asked ? 1.0 / 3 : SHORT;
    o.net_alone = 1;
    if (!p->p) return -1;
    precis_status st = precis_net_open(c->ctx, &net, path);
    if (!st) st = measured_on(p, &list, &n);
    if (!st) st = precis_net_bench(net, list, n, &o, &r);
    precis_net_close(&net);
    p->measured = r.seconds;
    return st ? cli_fail(c, st) : -1;
}

void cli_net_predict_close(cli *c, cli_predicted *p)
{
    precis_net_predict_close(&p->p);
    cli_net_inputs_free(c, &p->in);
    precis_net_close(&p->net);
}

void cli_predicted_note(const cli *c, const cli_predicted *p)
{
    if (*p->note && !c->quiet)
        fprintf(stderr, "note: what nodes take is not known, so none stays in float for it: %s\n", p->note);
}

/* Nodes are those of the report, in its order. */
void cli_predicted_json(const cli_predicted *p, json_t *all, json_t *nodes)
{
    precis_net_prediction n = { .size = sizeof n };
    if (!p->p) return;
    for (size_t i = 0; precis_net_predict_node(p->p, i, &n); i++) {
        json_t *j = json_array_get(nodes, i);
        json_object_set_new(j, "kernel", json_string(n.kernel));
        json_object_set_new(j, "float_ms", json_real(1e3 * n.in_float));
        json_object_set_new(j, "int8_ms", json_real(1e3 * n.in_integers));
        json_object_set_new(j, "slower", json_boolean(n.slower));
    }
    json_object_set_new(all, "float_ms", json_real(1e3 * p->in_float));
    json_object_set_new(all, "predicted_ms", json_real(1e3 * p->predicted));
    if (p->measured > 0) json_object_set_new(all, "measured_ms", json_real(1e3 * p->measured));
}

void cli_print_predicted(const cli *c, const cli_predicted *p, bool nodes)
{
    precis_net_prediction n = { .size = sizeof n };
    if (!p->p || c->quiet) return;
    cli_table t;
    cli_table_open(&t, "node\t<kernel\tfloat ms\tint8 ms\t<");
    for (size_t i = 0; nodes && precis_net_predict_node(p->p, i, &n); i++) {
        char name[CLI_SHOWN];
        if (!*n.kernel) continue; /* another node has it */
        cli_table_row(&t, "%s\t%s\t%.4f\t%.4f\t%s", cli_shown(n.name, name), n.kernel, 1e3 * n.in_float,
                      1e3 * n.in_integers, n.slower ? "slower in codes" : "");
    }
    cli_table_close(&t, nodes);
    char measured[48] = "";
    if (p->measured > 0) snprintf(measured, sizeof measured, ", measured %.4f ms", 1e3 * p->measured);
    cli_row(2, "%.4f ms in float; predicted %.4f ms%s", 1e3 * p->in_float, 1e3 * p->predicted, measured);
}
