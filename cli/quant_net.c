/* quant_net.c - `convert` and `quant` of a net that is no language model. */
#include "quant_net.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options of the command that say nothing of a net are not passed over. */
static int only(const cli *c, const char *const *own)
{
    for (int i = 0; i < c->n_given; i++) {
        const cli_option *o = c->given[i].option, *all = cli_common;
        const char *const *k = own;
        while (*k && strcmp(*k, o->name)) k++;
        while (all->name && strcmp(all->name, o->name)) all++;
        if (!*k && !all->name)
            return cli_usage(c, "%s is for language models; %s is a net of arrays", o->name, c->args[0]);
    }
    return -1;
}

/* ---- calibration ----------------------------------------------------------------------------------------- */

static int calibrate(cli *c, precis_net_quant *job, precis_samples *k)
{
    if (precis_net_quant_passes(job) && (!k || !precis_samples_count(k)))
        return cli_usage(c, "ranges and learned rounding need data: --calib x.npy, or NAME=x.npy for each input");
    const precis_status st = precis_net_quant_samples(job, k);
    return st ? cli_fail(c, st) : -1;
}

/* ---- quant ---------------------------------------------------------------------------------------------- */

static json_t *coverage_json(const precis_net_coverage *n)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:f}", "node", n->name, "op", n->op, "state", n->state, "method",
                          n->method, "batches", (json_int_t)n->batches, "clipped", n->clipped);
    if (*n->observer) json_object_set_new(j, "observer", json_string(n->observer));
    if (n->scale > 0) {
        json_object_set_new(j, "scale", json_real(n->scale));
        json_object_set_new(j, "zero_point", json_integer((json_int_t)n->zero));
    }
    if (n->weight_raised) json_object_set_new(j, "weight_raised", json_true());
    if (n->shared) json_object_set_new(j, "sharing_db", json_real(n->sharing_db));
    if (*n->reason) json_object_set_new(j, "reason", json_string(n->reason));
    if (*n->into) json_object_set_new(j, "into", json_string(n->into));
    return j;
}

/* as_c: what a C file takes, where it is one. */
typedef struct {
    const char *out;
    const precis_net_file *file;
    const precis_net_search *search;
    const precis_net_c_file *as_c;
    const cli_predicted *speed; /* out NULL: a plan, of which nothing is written */
} made;

static json_t *made_json(const cli *c, const made *m)
{
    double max_drop;
    json_t *j = m->as_c ? cli_net_c_json(m->out, m->as_c)
                        : json_pack("{s:s, s:s, s:I, s:I}", "out", m->out, "format", "onnx", "bytes",
                                    (json_int_t)m->file->bytes, "opset", (json_int_t)m->file->opset);
    if (m->search && cli_drop(c, 0, &max_drop))
        json_object_set_new(j, "search", cli_search_json(m->search, max_drop));
    return j;
}

static int report(cli *c, const precis_net *net, const precis_net_quant *job, const made *m)
{
    const char *out = m->out;
    const precis_net_file *file = m->file;
    precis_net_coverage n = { .size = sizeof n };
    json_t *nodes = json_array();
    size_t whole = 0, floats = 0;
    cli_predicted_note(c, m->speed);
    for (size_t i = 0; precis_net_quant_node(job, i, &n); i++) {
        char name[256];
        snprintf(name, sizeof name, "%s", n.name);
        json_array_append_new(nodes, coverage_json(&n));
        whole += !strcmp(n.state, "integers") || !strcmp(n.state, "fused");
        floats += !strcmp(n.state, "float");
        if (!c->json && !c->quiet && *n.reason)
            cli_row(4, "%-6s %-40s %-12s %s", !strcmp(n.state, "float") ? "float" : "stored", cli_printable(name), n.op,
                    n.reason);
        if (!c->json && !c->quiet && n.shared)
            cli_row(4, "scales %-40s %-12s one for its operands would lose %.1f dB", cli_printable(name), n.op,
                    n.sharing_db);
    }
    if (c->json) {
        json_t *j = out ? made_json(c, m) : json_object();
        cli_predicted_json(m->speed, j, nodes);
        json_object_set_new(j, "integers", json_integer((json_int_t)whole));
        json_object_set_new(j, "float", json_integer((json_int_t)floats));
        json_object_set_new(j, "nodes", nodes);
        if (precis_net_fixed(net)) json_object_set_new(j, "values", cli_net_values_json(net));
        return cli_print_json(c, j);
    }
    json_decref(nodes);
    char size[32];
    if (m->search) cli_print_search(c, m->search);
    cli_print_predicted(c, m->speed, !out || m->speed->asked);
    if (!out || m->as_c) cli_row(2, "%zu nodes in integers, %zu in float", whole, floats);
    if (out && m->as_c) cli_net_c_print(out, m->as_c);
    else if (out)
        cli_row(2, "%s: ONNX, opset %lld, %s; %zu nodes in integers, %zu in float", out, (long long)file->opset,
                cli_bytes((double)file->bytes, size), whole, floats);
    return cli_done(c);
}

/* Flags that say one thing in several ways. */
static int one_of(cli *c, const char *const *flags, int *which)
{
    *which = -1;
    for (int i = 0; flags[i]; i++) {
        if (!cli_has(c, flags[i])) continue;
        if (*which >= 0) return cli_usage(c, "%s and %s: choose one", flags[*which], flags[i]);
        *which = i;
    }
    return -1;
}

static int quant_options(cli *c, precis_net_quant_options *o)
{
    static const char *const modes[] = { "--static", "--dynamic", "--weight-only", NULL };
    static const char *const names[] = { "static", "dynamic", "weights" };
    static const char *const forms[] = { "--qdq", "--qop", NULL };
    static const char *const scales[] = { "--per-channel", "--per-tensor", NULL };
    int mode, form, scale, rc = one_of(c, modes, &mode);
    if (rc < 0) rc = one_of(c, forms, &form);
    if (rc < 0) rc = one_of(c, scales, &scale);
    if (rc >= 0) return rc;
    if (mode < 0) return cli_usage(c, "%s is a net of arrays: --static, --dynamic or --weight-only?", c->args[0]);
    o->mode = names[mode];
    o->whole = form == 1;
    o->per_channel = scale == 0;
    o->per_tensor = scale == 1;
    o->observer = cli_get(c, "--observer");
    o->activations = cli_get(c, "--activations");
    o->weights = cli_get(c, "--weights");
    o->like = cli_get(c, "--like");
    o->backend = cli_get(c, "--backend");
    o->method = cli_get(c, "--method");
    o->symmetric = cli_has(c, "--symmetric");
    o->reduce_range = cli_has(c, "--reduce-range");
    o->strict = cli_has(c, "--strict");
    o->all = cli_has(c, "--all-int8");
    const char *group = cli_get(c, "--group");
    char *end = NULL;
    const long n = group ? strtol(group, &end, 10) : 0;
    if (group && (!*group || *end || n < 16 || n > 4096 || (n & (n - 1))))
        return cli_usage(c, "--group %s: a power of two from 16 to 4096", group);
    o->group = (uint32_t)n;
    return -1;
}

/* Would sizes of this input help? Not where a node asks for the contents of others: its own may be what are sizes. */
static bool sizes_help(const precis_net *net, size_t input)
{
    bool of_others = false;
    for (size_t i = 0; i < precis_net_inputs(net); i++) of_others = of_others || precis_net_asks(net, i);
    return !of_others || precis_net_asks(net, input);
}

/* Why a net has no graph, and what would help where its file leaves sizes open. */
static int open_sizes(cli *c, precis_net *net, precis_status st)
{
    precis_array port = { .size = sizeof port };
    precis_graph *g;
    char why[600];
    snprintf(why, sizeof why, "%s", precis_ctx_message(c->ctx));
    const precis_status none = net && !cli_get(c, "--size") ? precis_net_graph(net, &g) : PRECIS_OK;
    const bool of_sizes = none == PRECIS_EUNSUPPORTED || none == PRECIS_EFORMAT || none == PRECIS_EINVAL;
    for (size_t i = 0; of_sizes && i < precis_net_inputs(net); i++)
        if (!precis_net_input(net, i, &port))
            for (uint32_t d = 1; d < port.dims; d++)
                if (port.shape[d] < 0 && sizes_help(net, i))
                    return cli_error(c,
                                     "%s; input %s has open sizes: give those that cannot stay open (--size 224, "
                                     "--size 48x320: in their order, without the first dimension; --size NAME=N,...)",
                                     why, port.name);
    return of_sizes || !none ? cli_fail(c, st) : cli_fail(c, none);
}

/* What would run in integers, and what not: without data. */
int cli_net_plan(cli *c)
{
    static const char *const own[] = { "--static",       "--dynamic",     "--weight-only", "--qdq",
                                       "--qop",          "--per-channel", "--per-tensor",  "--activations",
                                       "--weights",      "--like",        "--backend",     "--symmetric",
                                       "--reduce-range", "--all-int8",    "--group",       "--float",
                                       "--method",       "--speed",       "--no-speed",    "--size",
                                       "--no-cache",     "--input",       NULL };
    precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    precis_net *net = NULL;
    precis_net_quant *job = NULL;
    precis_array *values = NULL;
    precis_status st = PRECIS_OK;
    int rc = only(c, own);
    cli_predicted speed = { 0 };
    if (rc < 0) rc = quant_options(c, &o);
    if (rc < 0) rc = cli_net_floats(c, &o);
    if (rc < 0) rc = cli_net_open(c, &net);
    if (rc < 0) rc = cli_net_values(c, net, &o, &values);
    if (rc < 0) rc = cli_net_predict(c, &o, NULL, false, &speed);
    if (rc < 0) rc = cli_net_assume_size(c, net);
    if (rc < 0 && (st = precis_net_quant_open(net, &o, &job))) rc = open_sizes(c, net, st);
    if (rc < 0) rc = report(c, net, job, &(made){ .speed = &speed });
    cli_net_predict_close(c, &speed);
    precis_net_quant_close(&job);
    free(values);
    precis_net_close(&net);
    return rc;
}

/* What torch or onnxruntime quantized goes over as it is. -1: it is none of that. */
static int goes_over(cli *c)
{
    precis_net *net = NULL;
    if (cli_has(c, "--static") || cli_has(c, "--dynamic") || cli_has(c, "--weight-only")) return -1;
    const int rc = cli_net_open(c, &net);
    const bool coded = rc < 0 && precis_net_coded(net);
    precis_net_close(&net);
    return coded ? cli_net_convert(c) : rc;
}

/* What has no form in C is refused before anything is calibrated. */
static int in_c(cli *c, const precis_net_quant_options *o)
{
    const bool wide = o->activations && strstr(o->activations, "16");
    const char *what = wide ? "--activations" : NULL, *instead = "--static --activations u8 --calib DATA";
    if (o->whole) what = "--qop", instead = "--static --qdq --calib DATA";
    if (cli_has(c, "--dynamic")) what = "--dynamic", instead = "--static --calib DATA, or --weight-only";
    if (!what) return -1;
    return cli_error(c, "%s: C files hold codes of 8 bits with ranges of a calibration, between Q and DQ, and so none "
                     "by %s; instead: precis quant %s %s -o %s", c->args[0], what, c->args[0], instead,
                     cli_get(c, "--output"));
}

/* The sizes of the samples, for a net that has no graph for any. */
static precis_status assume(precis_net *net, precis_samples *k)
{
    const precis_array *inputs;
    const precis_status st = precis_samples_read(k, 0, 1, &inputs);
    return st ? st : precis_net_assume(net, inputs, precis_net_inputs(net));
}

/* The samples of --calib, and the sizes of one; without any those of --size. What decides which net it is, and is the
 * same in all samples, has that value. */
static int sized(cli *c, precis_net *net, const precis_samples_options *so, precis_samples **k)
{
    precis_status st = PRECIS_OK;
    size_t fixed = 0;
    const int known = cli_net_check_size(c, net);
    if (known >= 0) return known;
    if (cli_get(c, "--calib")) st = cli_samples_open(c, "--calib", net, so, k);
    if (!st && (!*k || !precis_samples_count(*k))) return cli_net_assume_size(c, net);
    if (!st) st = assume(net, *k);
    if (!st) st = precis_samples_fix(*k, net, &fixed);
    if (fixed) precis_samples_close(k);
    if (!st && fixed) st = cli_samples_open(c, "--calib", net, so, k);
    return st ? cli_fail(c, st) : -1;
}

/* As C where as_c is not NULL; with its manifest. */
static int write_net(cli *c, precis_net_quant *job, const precis_net_quant_options *o, const char *out,
                     precis_net_file *file, precis_net_c_file *as_c)
{
    cli_manifest beside;
    precis_status st = cli_manifest_open(c, NULL, o, &beside);
    precis_net_quant_manifest(job, precis_manifest_net_text, beside.of);
    if (!st) st = as_c ? precis_net_quant_write_c(job, out, as_c) : precis_net_quant_write(job, out, file);
    precis_net_quant_manifest(job, NULL, NULL);
    cli_manifest_close(&beside);
    return st ? cli_fail(c, st) : -1;
}

int cli_net_quant(cli *c)
{
    static const char *const own[] = { "--output",       "--static",  "--dynamic",   "--weight-only", "--observer",
                                       "--format",       "--method",
                                       "--calib",        "--qdq",     "--qop",       "--per-channel", "--per-tensor",
                                       "--activations",  "--weights", "--like",      "--backend",     "--symmetric",
                                       "--reduce-range", "--strict",  "--mem-limit", "--all-int8",    "--group",
                                       "--resize",       "--crop",    "--mean",      "--std",         "--pixels",
                                       "--layout",       "--float",   "--max-drop",  "--data",        "--labels",
                                       "--detections",   "--speed",   "--size",      "--sequence",    "--blank",
                                       "--mask",         "--no-speed", "--no-cache",  "--replay",
                                       "--input",        NULL };
    precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    const char *out = cli_get(c, "--output");
    precis_net *net = NULL;
    precis_net_quant *job = NULL;
    precis_net_file file = { .size = sizeof file };
    precis_net_c_file cf = { .size = sizeof cf };
    int as_c = 0;
    precis_samples_options so = PRECIS_SAMPLES_OPTIONS_INIT;
    precis_samples *k = NULL;
    precis_net_search *search = NULL;
    cli_predicted speed = { 0 };
    json_t *replayed = NULL;
    int rc = only(c, own);
    if (rc < 0) rc = goes_over(c);
    if (rc < 0) rc = quant_options(c, &o);
    if (rc < 0) rc = cli_samples_options(c, &so);
    if (rc >= 0) return rc;
    if ((rc = cli_net_form(c, out, &as_c)) >= 0 || (as_c && (rc = in_c(c, &o)) >= 0)) return rc;
    precis_status st = PRECIS_OK;
    precis_array *values = NULL;
    rc = cli_net_open(c, &net);
    if (rc < 0) rc = sized(c, net, &so, &k);
    if (rc < 0) rc = cli_net_values(c, net, &o, &values);
    if (rc < 0) rc = cli_net_floats(c, &o);
    if (rc < 0) rc = cli_net_replayed(c, &o, &replayed);
    if (rc < 0) rc = cli_net_predict(c, &o, k, as_c, &speed);
    if (rc < 0) rc = cli_net_search(c, k, &so, &o, &search);
    if (rc < 0 && (st = precis_net_quant_open(net, &o, &job))) rc = open_sizes(c, net, st);
    if (rc < 0) rc = calibrate(c, job, k);
    if (rc < 0 && as_c) rc = cli_net_assume_size(c, net); /* and else the sizes of a sample */
    if (rc < 0) rc = write_net(c, job, &o, out, &file, as_c ? &cf : NULL);
    if (rc < 0 && !as_c) rc = cli_net_measure(c, out, &speed);
    if (rc < 0) rc = report(c, net, job, &(made){ out, &file, search, as_c ? &cf : NULL, &speed });
    cli_net_predict_close(c, &speed);
    cli_net_replayed_free(&o, &replayed);
    precis_net_quant_close(&job);
    precis_net_search_close(&search);
    precis_samples_close(&k);
    free(values);
    precis_net_close(&net);
    return rc;
}

int cli_only_nets(cli *c)
{
    static const char *const own[] = {
        "--static",      "--dynamic",    "--weight-only", "--observer", "--qdq",       "--qop",
        "--per-channel", "--per-tensor", "--activations", "--weights",  "--symmetric", "--reduce-range",
        "--like",        "--backend",    "--all-int8",    "--group",    "--float",     "--max-drop",
        "--data",        "--labels",     "--detections",  "--speed",    "--size",      "--sequence",
        "--blank",       "--mask",       "--no-speed",    "--input",    NULL
    };
    for (int i = 0; own[i]; i++)
        if (cli_has(c, own[i]) || cli_get(c, own[i]))
            return cli_usage(c, "%s is for nets of arrays (ONNX); %s is none", own[i],
                             c->n_args ? c->args[0] : "MODEL");
    return -1;
}

int cli_net_convert(cli *c)
{
    static const char *const own[] = { "--output", "--format", "--mem-limit", "--qdq", "--size", "--input", NULL };
    const char *out = cli_get(c, "--output");
    precis_net_file file = { .size = sizeof file };
    precis_net_c_file cf = { .size = sizeof cf };
    precis_net *net = NULL;
    int as_c = 0, rc = only(c, own);
    if (rc < 0) rc = cli_net_form(c, out, &as_c);
    if (rc >= 0) return rc;
    precis_status st = PRECIS_OK;
    rc = cli_net_open(c, &net);
    if (rc < 0) rc = cli_net_assume_size(c, net);
    if (rc < 0) st = as_c ? precis_net_write_c(net, out, &cf) : precis_net_write(net, out, &file);
    if (st) rc = as_c ? cli_fail(c, st) : open_sizes(c, net, st);
    precis_net_close(&net);
    if (rc >= 0) return rc;
    if (c->json && as_c) return cli_print_json(c, cli_net_c_json(out, &cf));
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:I, s:I, s:I}", "out", out, "format", "onnx", "bytes",
                                           (json_int_t)file.bytes, "opset", (json_int_t)file.opset, "nodes",
                                           (json_int_t)file.nodes));
    char size[32];
    if (as_c) cli_net_c_print(out, &cf);
    else
        cli_row(2, "%s: ONNX, opset %lld, %llu nodes, %s", out, (long long)file.opset, (unsigned long long)file.nodes,
                cli_bytes((double)file.bytes, size));
    return cli_done(c);
}
