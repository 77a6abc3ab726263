/* net_predict.c - `plan`, and `--speed` of `quant` and `plan`: what each node of a net takes in float and in codes,
 * measured here, and the sum beside what the written net takes. */
#include "quant_net.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int cli_net_predict(cli *c, precis_net_quant_options *o, bool always, cli_predicted *p)
{
    int64_t size;
    const bool asked = cli_has(c, "--speed");
    *p = (cli_predicted){ 0 };
    if (!asked && !always) {
        if (cli_get(c, "--size")) return cli_usage(c, "--size goes with --speed");
        return -1;
    }
    if (!cli_int(c, "--size", 1, 1, 1 << 20, &size)) return EXIT_USAGE;
    precis_status st = precis_net_open(c->ctx, &p->net, c->args[0]);
    if (st) return cli_fail(c, st);
    const int rc = cli_net_inputs(c, p->net, size, &p->in);
    if (rc >= 0) return rc;
    precis_net_predict_options with = PRECIS_NET_PREDICT_OPTIONS_INIT;
    with.quant = o;
    with.inputs = p->in.list;
    with.n = p->in.n;
    with.kept = cli_kept(c);
    if (!asked) with.seconds = 0.05;
    st = precis_net_predict_open(c->ctx, &p->p, c->args[0], &with);
    if (st && !asked && st != PRECIS_ENOMEM && st != PRECIS_ECANCELED) {
        if (!c->quiet) fprintf(stderr, "note: what nodes take is not known: %s\n", precis_ctx_message(c->ctx));
        return -1;
    }
    if (st) return cli_fail(c, st);
    precis_net_predict_sum(p->p, &p->in_float, &p->predicted);
    if (asked && !o->all) o->floats = precis_net_predict_floats(p->p, &o->n_floats);
    return -1;
}

int cli_net_measure(cli *c, const char *path, cli_predicted *p)
{
    precis_net *net = NULL;
    precis_net_bench_options o = PRECIS_NET_BENCH_OPTIONS_INIT;
    precis_net_speed r = { .size = sizeof r };
    o.seconds = 1.0 / 3;
    o.net_alone = 1;
    if (!p->p) return -1;
    precis_status st = precis_net_open(c->ctx, &net, path);
    if (!st) st = precis_net_bench(net, p->in.list, p->in.n, &o, &r);
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

void cli_print_predicted(const cli *c, const cli_predicted *p)
{
    precis_net_prediction n = { .size = sizeof n };
    if (!p->p || c->quiet) return;
    printf("%9s %9s  %-16s %s\n", "float ms", "int8 ms", "kernel", "node");
    for (size_t i = 0; precis_net_predict_node(p->p, i, &n); i++) {
        char name[256];
        snprintf(name, sizeof name, "%s", n.name);
        if (!*n.kernel) continue; /* another node has it */
        printf("%9.4f %9.4f  %-16s %s%s\n", 1e3 * n.in_float, 1e3 * n.in_integers, n.kernel, cli_printable(name),
               n.slower ? "  slower in codes" : "");
    }
    printf("%.4f ms in float; predicted %.4f ms", 1e3 * p->in_float, 1e3 * p->predicted);
    if (p->measured > 0) printf(", measured %.4f ms", 1e3 * p->measured);
    printf("\n");
}
