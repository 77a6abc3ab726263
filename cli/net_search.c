/* net_search.c - `quant` of nets: which nodes stay in float, because somebody says so or because they lose too much. */
#include "quant_net.h"

#include <stdlib.h>
#include <string.h>

/* The values of --float. */
int cli_net_floats(cli *c, precis_net_quant_options *o)
{
    static const char *patterns[64];
    size_t n = 0;
    for (const char *p; (p = cli_get_nth(c, "--float", (int)n)); patterns[n++] = p)
        if (n == sizeof patterns / sizeof *patterns) return cli_usage(c, "--float can be given %zu times", n);
    o->floats = patterns;
    o->n_floats = n;
    return -1;
}

static int search_with(cli *c, precis_samples *calib, precis_samples *data, precis_net_quant_options *o,
                       precis_net_search **search)
{
    precis_eval_net_options eval = PRECIS_EVAL_NET_OPTIONS_INIT;
    precis_net_search_options so = PRECIS_NET_SEARCH_OPTIONS_INIT;
    if (!cli_drop(c, 0, &so.max_drop)) return EXIT_USAGE;
    eval.labels = cli_get(c, "--labels");
    eval.detections = cli_get(c, "--detections");
    eval.sequence = cli_get(c, "--sequence");
    eval.mask = cli_get(c, "--mask");
    if (!cli_int(c, "--blank", 0, -1, INT32_MAX, &eval.blank)) return EXIT_USAGE;
    so.quant = o;
    so.eval = &eval;
    const precis_status st = precis_net_search_open(c->ctx, search, c->args[0], calib, data, &so);
    if (st) return cli_fail(c, st);
    const size_t before = o->n_floats;
    o->floats = precis_net_search_floats(*search, &o->n_floats);
    o->n_exact += o->n_floats - before;
    return -1;
}

int cli_net_search(cli *c, precis_samples *calib, const precis_samples_options *so, precis_net_quant_options *o,
                   precis_net_search **search)
{
    static const char *const of_search[] = { "--data", "--labels", "--detections", "--sequence", "--blank", "--mask" };
    *search = NULL;
    int rc = cli_has(c, "--data") ? -1 : cli_samples_used(c, calib, NULL);
    if (rc >= 0) return rc;
    if (!cli_has(c, "--max-drop")) {
        for (size_t i = 0; i < sizeof of_search / sizeof *of_search; i++)
            if (so && cli_has(c, of_search[i])) return cli_usage(c, "%s goes with --max-drop", of_search[i]);
        return -1;
    }
    if (!cli_has(c, "--data") && !calib) return cli_usage(c, "--max-drop measures: give --data x.npy");
    if (cli_has(c, "--static") && !calib) return cli_usage(c, "static quantization needs data: --calib x.npy");
    if (!cli_has(c, "--data")) return search_with(c, calib, calib, o, search);
    precis_net *net = NULL;
    precis_samples *data = NULL;
    precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    for (size_t i = 0; i < o->n_values && !st; i++) st = precis_net_fix(net, &o->values[i]);
    if (!st) st = cli_samples_open(c, "--data", net, so, &data);
    rc = st ? cli_fail(c, st) : cli_samples_used(c, calib, data);
    if (rc < 0) rc = search_with(c, calib, data, o, search);
    precis_samples_close(&data);
    precis_net_close(&net);
    return rc;
}

void cli_print_search(const cli *c, const precis_net_search *search)
{
    precis_net_try t = { .size = sizeof t };
    char size[32];
    if (c->quiet) return;
    for (size_t i = 0; precis_net_search_try(search, i, &t); i++)
        cli_row(2, "%s %.2f %%, drop %.2f %% (%.2f to %.2f) with %zu node%s more in float, %s%s",
                precis_net_search_score(search), 100 * t.score.value, 100 * t.drop.value, 100 * t.drop.low,
                100 * t.drop.high, t.floats, t.floats == 1 ? "" : "s", cli_bytes((double)t.bytes, size),
                t.met ? "" : ": too much");
}

json_t *cli_search_json(const precis_net_search *search, double max_drop)
{
    precis_net_try t = { .size = sizeof t };
    json_t *tries = json_array(), *floats = json_array();
    size_t n;
    const char *const *names = precis_net_search_floats(search, &n);
    for (size_t i = 0; i < n; i++) json_array_append_new(floats, json_string(names[i]));
    for (size_t i = 0; precis_net_search_try(search, i, &t); i++)
        json_array_append_new(tries, json_pack("{s:I, s:f, s:f, s:f, s:f, s:I, s:b}", "floats", (json_int_t)t.floats,
                                               "score", t.score.value, "drop", t.drop.value, "drop_low", t.drop.low,
                                               "drop_high", t.drop.high, "bytes", (json_int_t)t.bytes, "met", t.met));
    return json_pack("{s:s, s:f, s:o, s:o}", "score", precis_net_search_score(search), "max_drop", max_drop, "floats",
                     floats, "tries", tries);
}
