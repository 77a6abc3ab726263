/* net.c - `run` and `inspect` of a net that is no language model: arrays in, arrays out. */
#include "quant_net.h"
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Arrays of all --input, and what must be freed of them. */
typedef struct {
    precis_array *list;
    char **names; /* of arrays of their own; NULL: of an archive, or one of numbers */
    size_t n, room;
    precis_array **archives;
    size_t *sizes, n_archives;
    uint64_t *numbers;
    size_t n_numbers;
} net_inputs;

static bool more_room(net_inputs *in, size_t n)
{
    if (in->n + n <= in->room) return true;
    const size_t room = 2 * (in->n + n);
    precis_array *list = cli_grow(in->list, room * sizeof *list);
    if (list) in->list = list;
    char **names = cli_grow(in->names, room * sizeof *names);
    if (names) in->names = names;
    if (list && names) in->room = room;
    return list && names;
}

/* x.npz: all its arrays, by their names. */
static int read_archive(cli *c, const char *path, net_inputs *in)
{
    const size_t k = in->n_archives;
    const precis_status st = precis_arrays_read(c->ctx, &in->archives[k], &in->sizes[k], path);
    if (st) return cli_fail(c, st);
    in->n_archives++;
    if (!more_room(in, in->sizes[k])) return cli_no_memory(c);
    for (size_t i = 0; i < in->sizes[k]; i++) {
        in->names[in->n] = NULL;
        in->list[in->n++] = in->archives[k][i];
    }
    return -1;
}

/* "NAME=FILE.npy", split at the first '='; FILE.npz; or NAME=N. */
static int read_input(cli *c, const precis_net *net, const char *given, net_inputs *in)
{
    const char *equals = strchr(given, '=');
    const size_t len = strlen(given);
    bool number;
    if (!more_room(in, 1)) return cli_no_memory(c);
    const int rc = cli_net_number(c, net, given, &in->list[in->n], &in->numbers[in->n_numbers], &number);
    if (rc >= 0) return rc;
    if (number) {
        in->names[in->n++] = NULL;
        in->n_numbers++;
        return -1;
    }
    if (!equals && len > 4 && !strcmp(given + len - 4, ".npz")) return read_archive(c, given, in);
    if (!equals) return cli_usage(c, "--input %s: it is NAME=FILE.npy, FILE.npz, or NAME=N", given);
    precis_array *a = &in->list[in->n];
    const precis_status st = precis_array_read(c->ctx, a, equals + 1);
    if (st) return cli_fail(c, st);
    char *name = in->names[in->n++] = cli_alloc((size_t)(equals - given) + 1, 1);
    if (!name) {
        precis_array_free(c->ctx, a);
        in->n--;
        return cli_no_memory(c);
    }
    memcpy(name, given, (size_t)(equals - given));
    a->name = name;
    return -1;
}

static void free_inputs(cli *c, net_inputs *in)
{
    for (size_t i = 0; i < in->n; i++) {
        if (!in->names[i]) continue;
        precis_array_free(c->ctx, &in->list[i]);
        free(in->names[i]);
    }
    for (size_t i = 0; i < in->n_archives; i++) precis_arrays_free(c->ctx, &in->archives[i], in->sizes[i]);
    free(in->list);
    free(in->names);
    free(in->archives);
    free(in->sizes);
    free(in->numbers);
}

/* FOLDER/NAME.npy, '/' in a name as '_'. */
static char *output_path(const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    const size_t room = n + strlen(name) + 8;
    char *path = cli_alloc(room, 1);
    if (!path) return NULL;
    snprintf(path, room, "%s%s%s.npy", folder, n && folder[n - 1] == '/' ? "" : "/", name);
    for (char *p = path + n + (n && folder[n - 1] == '/' ? 0 : 1); *p; p++)
        if (*p == '/') *p = '_';
    return path;
}

static json_t *shape_json(const precis_array *a)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < a->dims; d++) json_array_append_new(shape, json_integer(a->shape[d]));
    return shape;
}

enum { SHAPE_TEXT = 512 };

/* What print_array and print_port show of an array's shape; symbols: of open dimensions, or NULL. */
static const char *shape_text(const precis_array *a, const precis_net *net, long input, char text[SHAPE_TEXT])
{
    size_t used = 0;
    for (uint32_t d = 0; d < a->dims && used < SHAPE_TEXT; d++) {
        char symbol[128];
        snprintf(symbol, sizeof symbol, "%s", input >= 0 ? precis_net_symbol(net, (size_t)input, d) : "");
        if (a->shape[d] >= 0) snprintf(symbol, sizeof symbol, "%lld", (long long)a->shape[d]);
        used += (size_t)snprintf(text + used, SHAPE_TEXT - used, "%s%s", d ? ", " : "",
                                 *symbol ? cli_printable(symbol) : "?");
    }
    return a->dims ? text : "";
}

static void print_array(const precis_array *a, const char *path)
{
    char name[CLI_SHOWN], shape[SHAPE_TEXT];
    cli_row(4, "%-32s %-6s [%s]%s%s", cli_shown(a->name, name), a->type, shape_text(a, NULL, -1, shape),
            path ? "  " : "", path ? path : "");
}

static int write_outputs(cli *c, const precis_net *net, const precis_array *outputs)
{
    const char *folder = cli_get(c, "--output-dir");
    const size_t n = precis_net_outputs(net);
    char **paths = cli_alloc(n + 1, sizeof *paths);
    json_t *list = json_array();
    int rc = paths ? -1 : cli_no_memory(c);
    if (rc < 0 && folder && mkdir(folder, 0777) && errno != EEXIST) {
        cli_error(c, "%s: %s", folder, strerror(errno));
        rc = EXIT_INPUT;
    }
    for (size_t i = 0; i < n && rc < 0 && folder; i++) {
        if (!(paths[i] = output_path(folder, outputs[i].name))) rc = cli_no_memory(c);
        for (size_t k = 0; k < i && rc < 0; k++)
            if (!strcmp(paths[i], paths[k]))
                rc = cli_usage(c, "outputs %s and %s would both be written to %s", outputs[k].name, outputs[i].name,
                               paths[i]);
        if (rc < 0) rc = cli_apart(c, paths[i]);
    }
    for (size_t i = 0; i < n && rc < 0; i++) {
        const precis_status st = folder ? precis_array_write(c->ctx, &outputs[i], paths[i]) : PRECIS_OK;
        if (st) rc = cli_fail(c, st);
        else if (c->json) {
            json_t *one = json_pack("{s:s, s:s, s:o}", "name", outputs[i].name, "type", outputs[i].type, "shape",
                                    shape_json(&outputs[i]));
            if (folder) json_object_set_new(one, "file", json_string(paths[i]));
            json_array_append_new(list, one);
        } else if (!c->quiet) print_array(&outputs[i], paths[i]);
    }
    for (size_t i = 0; paths && i < n; i++) free(paths[i]);
    free(paths);
    if (rc >= 0) {
        json_decref(list);
        return rc;
    }
    if (c->json) return cli_print_json(c, json_pack("{s:o}", "outputs", list));
    json_decref(list);
    return cli_done(c);
}

/* Options of language models say nothing of a net: they are not passed over. */
static int only_own(const cli *c)
{
    for (int i = 0; i < c->n_given; i++) {
        const cli_option *o = c->given[i].option, *all = cli_common;
        if (!strcmp(o->name, "--input") || !strcmp(o->name, "--output-dir") || !strcmp(o->name, "--mem-limit"))
            continue;
        while (all->name && strcmp(all->name, o->name)) all++;
        if (!all->name)
            return cli_usage(c, "%s is for language models; %s is a net of arrays", o->name, c->args[0]);
    }
    return cli_memory_limit(c);
}

int cli_net_run(cli *c)
{
    int n = 0, rc = only_own(c);
    if (rc >= 0) return rc;
    while (cli_get_nth(c, "--input", n)) n++;
    precis_net *net;
    const precis_array *outputs;
    precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    if (st) return cli_fail(c, st);
    net_inputs in = { .archives = cli_alloc((size_t)n + 1, sizeof *in.archives),
                  .sizes = cli_alloc((size_t)n + 1, sizeof *in.sizes),
                  .numbers = cli_alloc((size_t)n + 1, sizeof *in.numbers) };
    if (!in.archives || !in.sizes || !in.numbers) rc = cli_no_memory(c);
    for (int i = 0; i < n && rc < 0; i++) rc = read_input(c, net, cli_get_nth(c, "--input", i), &in);
    if (rc < 0 && (st = precis_net_run(net, in.list, in.n, &outputs))) rc = cli_fail(c, st);
    if (rc < 0) rc = write_outputs(c, net, outputs);
    free_inputs(c, &in);
    precis_net_close(&net);
    return rc;
}

/* ---- inspect ------------------------------------------------------------------------------------ */

static json_t *port_json(const precis_net *net, const precis_array *a, long input)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < a->dims; d++) {
        const char *symbol = input >= 0 ? precis_net_symbol(net, (size_t)input, d) : "";
        json_array_append_new(shape, a->shape[d] >= 0 ? json_integer(a->shape[d])
                                     : *symbol        ? json_string(symbol)
                                                      : json_null());
    }
    return json_pack("{s:s, s:s, s:o}", "name", a->name, "type", a->type, "shape", shape);
}

/* Inputs and outputs, where --size is given with the sizes that follow from it. */
static int read_ports(cli *c, precis_net *net, precis_array *in, precis_array *out)
{
    precis_status st = PRECIS_OK;
    int rc = cli_net_sizes(c, net, in);
    for (size_t i = 0; i < precis_net_outputs(net) && rc < 0 && !st; i++) st = precis_net_output(net, i, &out[i]);
    if (rc < 0 && !st && cli_get(c, "--size")) {
        st = precis_net_assume(net, in, precis_net_inputs(net));
        if (!st) st = precis_net_shapes(net, out);
    }
    return rc >= 0 ? rc : st ? cli_fail(c, st) : -1;
}

static void print_port(const precis_net *net, const precis_array *a, long input, const char *what)
{
    char name[CLI_SHOWN], shape[SHAPE_TEXT];
    cli_row(8, "%-7s %-32s %-6s [%s]", what, cli_shown(a->name, name), a->type, shape_text(a, net, input, shape));
}

/* --passes: what becomes of pieces. */
static int inspect_passes(cli *c, precis_net *net)
{
    precis_net_pass passes[PRECIS_NET_PASSES];
    const precis_status st = precis_net_passes(net, passes);
    json_t *made = json_object();
    for (int i = 0; i < PRECIS_NET_PASSES && !st; i++) {
        json_object_set_new(made, passes[i].name, json_integer((json_int_t)passes[i].made));
        if (!c->json) cli_row(10, "%8zu  by %s", passes[i].made, passes[i].name);
    }
    const int rc = st ? cli_fail(c, st) : -1;
    if (rc < 0 && c->json) return cli_print_json(c, json_pack("{s:o}", "passes", made));
    json_decref(made);
    return rc < 0 ? cli_done(c) : rc;
}

typedef struct { cli_table table; json_t *list; size_t proved, bad; } accumulators;

static int take_accumulator(void *user, const precis_net_accumulator *a)
{
    accumulators *u = user;
    char name[CLI_SHOWN];
    u->proved += !a->overflows;
    u->bad += a->overflows != 0;
    json_array_append_new(u->list, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "node", a->name, "op", a->op,
                                             "products", (json_int_t)a->products, "lowest", (json_int_t)a->lowest,
                                             "highest", (json_int_t)a->highest, "limit", (json_int_t)a->limit,
                                             "overflows", a->overflows));
    const double most = a->highest > -a->lowest ? (double)a->highest : -(double)a->lowest;
    cli_table_row(&u->table, "%s\t%s\t%llu\t%lld\t%lld\t%.2f%%%s", cli_shown(a->name, name), a->op,
                  (unsigned long long)a->products, (long long)a->lowest, (long long)a->highest,
                  100 * most / (double)a->limit, a->overflows ? " OVERFLOWS" : "");
    return 0;
}

/* What sums of codes may hold; exit 1 where one could be more than 32 bits. */
static int inspect_accumulators(cli *c, precis_net *net)
{
    accumulators u = { .list = json_array() };
    cli_table_open(&u.table, "node\t<op\tproducts\tlowest\thighest\tused");
    const precis_status st = precis_net_accumulators(net, take_accumulator, &u);
    cli_table_close(&u.table, !st && !c->json);
    if (st) {
        json_decref(u.list);
        return cli_fail(c, st);
    }
    if (c->json) {
        const int rc = cli_print_json(c, json_pack("{s:o, s:I, s:I}", "accumulators", u.list, "proved",
                                                   (json_int_t)u.proved, "overflows", (json_int_t)u.bad));
        return u.bad && rc == EXIT_DONE ? EXIT_NEGATIVE : rc;
    }
    json_decref(u.list);
    if (u.bad) cli_row(2, "%zu accumulators could overflow", u.bad);
    else cli_row(2, "%zu accumulators proved: none can overflow, whatever the input", u.proved);
    return u.bad ? EXIT_NEGATIVE : cli_done(c);
}

static int inspect_ports(cli *c, precis_net *net, json_t *inputs, json_t *outputs)
{
    const size_t n = precis_net_inputs(net), m = precis_net_outputs(net);
    precis_array *in = cli_alloc(n + m + 1, sizeof *in), *out = in ? in + n : NULL;
    if (!in) return cli_no_memory(c);
    for (size_t i = 0; i < n + m; i++) in[i].size = sizeof *in;
    const int rc = read_ports(c, net, in, out);
    for (size_t i = 0; i < n && rc < 0; i++) {
        json_array_append_new(inputs, port_json(net, &in[i], (long)i));
        if (!c->json) print_port(net, &in[i], (long)i, "input");
    }
    json_t *values = cli_net_values_json(net);
    for (size_t i = 0; i < precis_net_fixed(net) && rc < 0 && !c->json; i++) {
        precis_array a;
        char name[CLI_SHOWN], shape[SHAPE_TEXT];
        if (!precis_net_fixed_input(net, i, &a))
            cli_row(8, "%-7s %-32s %-6s [%s] = %lld", "value", cli_shown(a.name, name), a.type,
                    shape_text(&a, NULL, -1, shape), (long long)json_integer_value(json_object_get(values, a.name)));
    }
    json_decref(values);
    for (size_t i = 0; i < m && rc < 0; i++) {
        json_array_append_new(outputs, port_json(net, &out[i], -1));
        if (!c->json) print_port(net, &out[i], -1, "output");
    }
    free(in);
    return rc;
}

/* Its ops, of which `missing` are not supported. */
static void inspect_ops(const cli *c, const precis_net *net, json_t *ops, json_t *unsupported, int *missing)
{
    char op[160];
    uint64_t count;
    int supported;
    for (size_t i = 0; precis_net_op(net, i, op, sizeof op, &count, &supported); i++) {
        cli_printable(op);
        json_object_set_new(ops, op, json_integer((json_int_t)count));
        if (!supported) json_array_append_new(unsupported, json_string(op));
        *missing += !supported;
        if (!c->json) cli_row(10, "%8llu  %s%s", (unsigned long long)count, op, supported ? "" : "   not supported");
    }
}

int cli_net_inspect(cli *c)
{
    precis_net *net;
    int missing = 0;
    const int opened = cli_net_open(c, &net);
    if (opened >= 0) {
        precis_net_close(&net);
        return opened;
    }
    if (cli_has(c, "--passes") || cli_has(c, "--overflow")) {
        int rc = cli_net_assume_size(c, net);
        if (rc < 0) rc = cli_has(c, "--passes") ? inspect_passes(c, net) : inspect_accumulators(c, net);
        precis_net_close(&net);
        return rc;
    }
    json_t *ops = json_object(), *unsupported = json_array(), *inputs = json_array(), *outputs = json_array();
    const int rc = inspect_ports(c, net, inputs, outputs);
    if (rc < 0) inspect_ops(c, net, ops, unsupported, &missing);
    const char *format = precis_net_format(net); /* a constant: it outlives the net */
    json_t *values = precis_net_fixed(net) && rc < 0 ? cli_net_values_json(net) : NULL;
    precis_net_close(&net);
    if (c->json && rc < 0) {
        json_t *all = json_pack("{s:s, s:o, s:o, s:o, s:o}", "format", format, "ops", ops, "unsupported",
                                unsupported, "inputs", inputs, "outputs", outputs);
        if (values) json_object_set_new(all, "values", values);
        return cli_print_json(c, all);
    }
    json_decref(values);
    json_decref(ops);
    json_decref(unsupported);
    json_decref(inputs);
    json_decref(outputs);
    if (rc >= 0) return rc;
    if (missing) cli_row(2, "%d kind%s of op not supported: the net cannot be run", missing, missing > 1 ? "s" : "");
    return cli_done(c);
}
