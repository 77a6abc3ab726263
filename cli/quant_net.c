/* quant_net.c - `convert` and `quant` of a net that is no language model. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

static int ends(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && !strcmp(s + n - k, tail);
}

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

/* ---- calibration: arrays by name, cut into batches ----------------------------------------------------- */

enum { BATCH = 32 }; /* rows of an input whose first dimension has no size */

typedef struct {
    precis_array *arrays;
    size_t n;
} calibration;

static void close_calibration(cli *c, calibration *k)
{
    for (size_t i = 0; k->arrays && i < k->n; i++) {
        free((void *)(uintptr_t)k->arrays[i].name);
        precis_array_free(c->ctx, &k->arrays[i]);
    }
    free(k->arrays);
}

/* FILE.npy, of the net's only input, or NAME=FILE.npy. */
static int open_array(cli *c, const precis_net *net, const char *given, precis_array *a)
{
    precis_array port = { .size = sizeof port };
    const char *equals = strchr(given, '=');
    if (!equals && precis_net_inputs(net) != 1)
        return cli_usage(c, "--calib %s: the net has %zu inputs; say NAME=FILE.npy for each", given,
                         precis_net_inputs(net));
    const precis_status st = precis_array_read(c->ctx, a, equals ? equals + 1 : given);
    if (st) return cli_fail(c, st);
    const precis_status known = precis_net_input(net, 0, &port);
    if (known) return cli_fail(c, known);
    const size_t n = equals ? (size_t)(equals - given) : strlen(port.name);
    char *name = cli_alloc(n + 1, 1);
    if (!name) return cli_no_memory(c);
    memcpy(name, equals ? given : port.name, n);
    a->name = name;
    return -1;
}

static int open_calibration(cli *c, const precis_net *net, calibration *k)
{
    int n = 0, rc = -1;
    while (cli_get_nth(c, "--calib", n)) n++;
    k->arrays = cli_alloc((size_t)n + 1, sizeof *k->arrays);
    if (!k->arrays) return cli_no_memory(c);
    for (int i = 0; i < n && rc < 0; i++) {
        rc = open_array(c, net, cli_get_nth(c, "--calib", i), &k->arrays[k->n]);
        if (rc < 0) k->n++;
    }
    return rc;
}

/* Array number `round` of that name. */
static const precis_array *array_of(const calibration *k, const char *name, size_t round)
{
    for (size_t i = 0; i < k->n; i++)
        if (!strcmp(k->arrays[i].name, name) && !round--) return &k->arrays[i];
    return NULL;
}

/* Rows [from, from + rows) of an array. */
static precis_array part_of(const precis_array *a, int64_t from, int64_t rows)
{
    precis_array p = *a;
    if (!a->dims || !a->shape[0]) return p;
    const uint64_t row = a->bytes / (uint64_t)a->shape[0];
    p.shape[0] = rows;
    p.bytes = row * (uint64_t)rows;
    p.data = (const char *)a->data + row * (uint64_t)from;
    return p;
}

/* Rows of a batch: as many as the net takes. */
static int64_t rows_of(const precis_array *port, const precis_array *a)
{
    if (!a->dims || !port->dims) return 1;
    return port->shape[0] >= 0 ? port->shape[0] : a->shape[0] < BATCH ? a->shape[0] : BATCH;
}

/* All batches of one array of each input. *n: how many. */
static int see_round(cli *c, precis_net *net, precis_net_quant *job, const calibration *k, size_t round)
{
    const size_t n = precis_net_inputs(net);
    precis_array *batch = cli_alloc(n + 1, sizeof *batch), port = { .size = sizeof port };
    precis_status st = PRECIS_OK;
    int64_t total = 0, rows = 1;
    if (!batch) return cli_no_memory(c);
    for (int64_t from = 0; !st && (!from || from + rows <= total); from += rows) {
        for (size_t i = 0; i < n && !st; i++) {
            st = precis_net_input(net, i, &port);
            const precis_array *a = st ? NULL : array_of(k, port.name, round);
            if (!a) break;
            if (!i) rows = rows_of(&port, a), total = a->dims ? a->shape[0] : 1;
            if (rows < 1 || total < rows) {
                free(batch);
                return cli_usage(c, "--calib: %s has %lld rows, the net takes %lld at a time", port.name,
                                 (long long)total, (long long)rows);
            }
            const int64_t last = total - from < rows ? total - from : rows;
            batch[i] = a->dims && a->shape[0] == total && port.dims ? part_of(a, from, last) : *a;
        }
        if (!st) st = precis_net_quant_see(job, batch, n);
        if (port.dims && port.shape[0] < 0 && total - from - rows > 0 && total - from - rows < rows)
            rows = total - from - rows, from = total - 2 * rows; /* what is left is a batch, too */
    }
    free(batch);
    return st ? cli_fail(c, st) : -1;
}

static int calibrate(cli *c, precis_net *net, precis_net_quant *job, const calibration *k)
{
    precis_array port = { .size = sizeof port };
    const uint32_t passes = precis_net_quant_passes(job);
    precis_status st = precis_net_inputs(net) ? precis_net_input(net, 0, &port) : PRECIS_OK;
    if (passes && !k->n)
        return cli_usage(c, "static quantization needs data: --calib x.npy, or NAME=x.npy for each input");
    for (uint32_t pass = 0; pass < (passes ? passes : 1) && !st; pass++) {
        for (size_t round = 0; passes && (!round || array_of(k, port.name, round)); round++) {
            const int rc = see_round(c, net, job, k, round);
            if (rc >= 0) return rc;
        }
        st = precis_net_quant_pass(job);
    }
    return st ? cli_fail(c, st) : -1;
}

/* ---- quant ---------------------------------------------------------------------------------------------- */

static json_t *node_json(const precis_net_coverage *n)
{
    json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:f}", "node", n->name, "op", n->op, "state", n->state, "method",
                          n->method, "batches", (json_int_t)n->batches, "clipped", n->clipped);
    if (*n->observer) json_object_set_new(j, "observer", json_string(n->observer));
    if (n->scale > 0) {
        json_object_set_new(j, "scale", json_real(n->scale));
        json_object_set_new(j, "zero_point", json_integer((json_int_t)n->zero));
    }
    if (n->weight_raised) json_object_set_new(j, "weight_raised", json_true());
    if (*n->reason) json_object_set_new(j, "reason", json_string(n->reason));
    if (*n->into) json_object_set_new(j, "into", json_string(n->into));
    return j;
}

static int report(cli *c, const precis_net_quant *job, const char *out, const precis_net_file *file)
{
    precis_net_coverage n = { .size = sizeof n };
    json_t *nodes = json_array();
    size_t whole = 0, floats = 0;
    for (size_t i = 0; precis_net_quant_node(job, i, &n); i++) {
        char name[256];
        snprintf(name, sizeof name, "%s", n.name);
        json_array_append_new(nodes, node_json(&n));
        whole += !strcmp(n.state, "integers") || !strcmp(n.state, "fused");
        floats += !strcmp(n.state, "float");
        if (!c->json && !c->quiet && !strcmp(n.state, "float"))
            printf("float  %-40s %-12s %s\n", cli_printable(name), n.op, n.reason);
    }
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "out", out, "format", "onnx", "bytes",
                                           (json_int_t)file->bytes, "opset", (json_int_t)file->opset, "integers",
                                           (json_int_t)whole, "float", (json_int_t)floats, "nodes", nodes));
    json_decref(nodes);
    char size[32];
    printf("%s: ONNX, opset %lld, %s; %zu nodes in integers, %zu in float\n", out, (long long)file->opset,
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

static int get_options(cli *c, precis_net_quant_options *o)
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
    o->per_tensor = scale == 1;
    o->observer = cli_get(c, "--observer");
    o->activations = cli_get(c, "--activations");
    o->weights = cli_get(c, "--weights");
    o->like = cli_get(c, "--like");
    o->backend = cli_get(c, "--backend");
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

int cli_net_quant(cli *c)
{
    static const char *const own[] = { "--output",     "--static",   "--dynamic",     "--weight-only", "--observer",
                                       "--calib",      "--qdq",      "--qop",         "--per-channel", "--per-tensor",
                                       "--activations", "--weights", "--like",        "--backend",     "--symmetric",
                                       "--reduce-range", "--strict", "--mem-limit",   "--all-int8", "--group", NULL };
    precis_net_quant_options o = PRECIS_NET_QUANT_OPTIONS_INIT;
    const char *out = cli_get(c, "--output");
    precis_net *net = NULL;
    precis_net_quant *job = NULL;
    precis_net_file file = { .size = sizeof file };
    calibration k = { 0 };
    int rc = only(c, own);
    if (rc < 0) rc = get_options(c, &o);
    if (rc >= 0) return rc;
    if (!out) return cli_usage(c, "where to? -o PATH.onnx");
    if (!ends(out, ".onnx")) return cli_usage(c, "%s: a quantized net is written as ONNX (-o NAME.onnx)", out);
    precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    if (st) return cli_fail(c, st);
    rc = open_calibration(c, net, &k);
    if (rc < 0 && (st = precis_net_quant_open(net, &o, &job))) rc = cli_fail(c, st);
    if (rc < 0) rc = calibrate(c, net, job, &k);
    if (rc < 0 && (st = precis_net_quant_write(job, out, &file))) rc = cli_fail(c, st);
    if (rc < 0) rc = report(c, job, out, &file);
    precis_net_quant_close(&job);
    close_calibration(c, &k);
    precis_net_close(&net);
    return rc;
}

int cli_only_nets(cli *c)
{
    static const char *const own[] = { "--static",  "--dynamic",    "--weight-only", "--observer",    "--qdq",  "--qop",
                                       "--per-channel", "--per-tensor", "--activations", "--weights", "--symmetric",
                                       "--reduce-range", "--like", "--backend", "--all-int8", "--group", NULL };
    for (int i = 0; own[i]; i++)
        if (cli_has(c, own[i]) || cli_get(c, own[i]))
            return cli_usage(c, "%s is for nets of arrays (ONNX); %s is none", own[i],
                             c->n_args ? c->args[0] : "MODEL");
    return -1;
}

int cli_net_convert(cli *c)
{
    static const char *const own[] = { "--output", "--format", "--mem-limit", NULL };
    const char *out = cli_get(c, "--output"), *format = cli_get(c, "--format");
    precis_net_file file = { .size = sizeof file };
    precis_net *net = NULL;
    const int rc = only(c, own);
    if (rc >= 0) return rc;
    if (!out) return cli_usage(c, "where to? -o PATH.onnx");
    if (format ? strcmp(format, "onnx") != 0 : !ends(out, ".onnx"))
        return cli_usage(c, "%s is a net of arrays: it is written as ONNX (-o NAME.onnx)", c->args[0]);
    precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    if (!st) st = precis_net_write(net, out, &file);
    precis_net_close(&net);
    if (st) return cli_fail(c, st);
    if (c->json)
        return cli_print_json(c, json_pack("{s:s, s:s, s:I, s:I, s:I}", "out", out, "format", "onnx", "bytes",
                                           (json_int_t)file.bytes, "opset", (json_int_t)file.opset, "nodes",
                                           (json_int_t)file.nodes));
    char size[32];
    printf("%s: ONNX, opset %lld, %llu nodes, %s\n", out, (long long)file.opset, (unsigned long long)file.nodes,
           cli_bytes((double)file.bytes, size));
    return cli_done(c);
}
