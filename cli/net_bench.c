/* net_bench.c - `bench` of a net of arrays: milliseconds of a run, beside what this machine multiplies at best. */
#include "quant_net.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>

/* Numbers in [-1, 1), the same in each run; whole numbers are ones, which any table and mask has. */
static void fill(precis_array *a, void *data, uint64_t count)
{
    uint32_t seed = 1;
    const bool real = !strcmp(a->type, "F32"), code = !strcmp(a->type, "U8") || !strcmp(a->type, "I8");
    const size_t each = count ? (size_t)(a->bytes / count) : 0;
    for (uint64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        if (real) ((float *)data)[i] = (float)(int32_t)seed * 0x1p-31f;
        else if (code) ((uint8_t *)data)[i] = (uint8_t)(seed >> 24);
        else ((uint8_t *)data)[i * each] = 1;
    }
}

static size_t bytes_of(const char *type)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {
        { "F32", 4 }, { "F64", 8 }, { "F16", 2 }, { "BF16", 2 }, { "I64", 8 }, { "U64", 8 },  { "I32", 4 },
        { "U32", 4 }, { "I16", 2 }, { "U16", 2 }, { "I8", 1 },   { "U8", 1 },  { "BOOL", 1 },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, type)) return types[i].bytes;
    return 0;
}

/* An input of that shape, with `size` for what it leaves open; 0: one sample of 128 (tokens, steps, rows and columns:
 * with one of these nothing is as it will be). */
static int make_input(cli *c, int64_t size, precis_array *a)
{
    uint64_t count = 1;
    const size_t each = bytes_of(a->type);
    for (uint32_t d = 0; d < a->dims; d++) {
        if (a->shape[d] < 0) a->shape[d] = size ? size : d ? 128 : 1;
        if (a->shape[d] && count > ((uint64_t)1 << 31) / (uint64_t)a->shape[d]) count = (uint64_t)1 << 40;
        else count *= (uint64_t)a->shape[d];
    }
    if (!each || count > (uint64_t)1 << 31)
        return cli_usage(c, "no input %s can be made up: give --input %s=FILE.npy", a->name, a->name);
    a->bytes = count * each;
    void *data = cli_alloc((size_t)a->bytes + 64, 1);
    if (!data) return cli_no_memory(c);
    fill(a, data, count);
    a->data = data;
    return -1;
}

/* NAME=N for this input, in memory of our own. */
static int take_number(cli *c, const precis_net *net, const char *given, precis_array *a, bool *number)
{
    uint64_t room;
    const int rc = cli_net_number(c, net, given, a, &room, number);
    void *own = rc < 0 && *number ? cli_alloc(sizeof room + 64, 1) : NULL;
    if (rc >= 0 || !*number) return rc;
    if (!own) return cli_no_memory(c);
    memcpy(own, &room, sizeof room);
    a->data = own;
    return -1;
}

static int inputs_of(cli *c, const precis_net *net, int64_t size, precis_array *list, bool *made)
{
    const int sized = cli_net_sizes(c, net, list);
    bool first;
    const bool others = cli_net_open_behind(net, &first) > 0;
    for (size_t i = 0; i < precis_net_inputs(net) && sized < 0; i++) {
        precis_array port = { .size = sizeof port };
        precis_status st = precis_net_input(net, i, &port);
        const char *path = NULL, *whole = NULL;
        bool number = false;
        for (int k = 0; !st && !path && cli_get_nth(c, "--input", k); k++) {
            const char *given = cli_get_nth(c, "--input", k), *equals = strchr(given, '=');
            if (!equals) return cli_usage(c, "--input %s: it is NAME=FILE.npy, or NAME=N", given);
            if ((size_t)(equals - given) == strlen(port.name) && !strncmp(given, port.name, strlen(port.name)))
                path = equals + 1, whole = given;
        }
        const int digits = whole ? take_number(c, net, whole, &list[i], &number) : -1;
        if (digits >= 0) return digits;
        made[i] = number;
        if (number) continue;
        if (path) list[i] = (precis_array){ .size = sizeof *list };
        if (!st && path) st = precis_array_read(c->ctx, &list[i], path);
        if (st) return cli_fail(c, st);
        for (uint32_t d = 0; !path && others && d < list[i].dims; d++)
            if (list[i].shape[d] < 0 && cli_net_of_samples(net, i, d)) list[i].shape[d] = 1;
        const int rc = path ? -1 : make_input(c, size, &list[i]);
        if (rc >= 0) return rc;
        list[i].name = port.name;
        made[i] = !path;
    }
    return sized;
}

int cli_net_inputs(cli *c, const precis_net *net, int64_t size, cli_net_inputs_made *out)
{
    const size_t n = precis_net_inputs(net);
    *out = (cli_net_inputs_made){ .n = n };
    out->list = cli_alloc(n + 1, sizeof *out->list);
    out->made = cli_alloc(n + 1, sizeof *out->made);
    return out->list && out->made ? inputs_of(c, net, size, out->list, out->made) : cli_no_memory(c);
}

void cli_net_inputs_free(cli *c, cli_net_inputs_made *in)
{
    for (size_t i = 0; i < in->n && in->list && in->made; i++) {
        if (in->made[i]) free((void *)(uintptr_t)in->list[i].data);
        else precis_array_free(c->ctx, &in->list[i]);
    }
    free(in->list);
    free(in->made);
}

typedef struct {
    cli *c;
    json_t *list;
    double sum;
    precis_net_node *nodes;
    size_t n, room;
} nodes;

static int take_node(void *user, const precis_net_node *node)
{
    nodes *u = user;
    u->sum += node->seconds;
    if (u->n == u->room) {
        precis_net_node *grown = realloc(u->nodes, (u->room = 2 * u->room + 64) * sizeof *grown);
        if (!grown) return 1;
        u->nodes = grown;
    }
    u->nodes[u->n++] = *node;
    return 0;
}

static void print_net_nodes(const nodes *u, const precis_net_speed *r)
{
    cli_table t;
    putchar('\n');
    cli_table_open(&t, "node\t<op\tms\tshare\tG mul/s\tpeak");
    for (size_t i = 0; i < u->n; i++) {
        const precis_net_node *n = &u->nodes[i];
        char name[CLI_SHOWN], speed[32] = "-", peak[32] = "-";
        if (n->products && n->seconds > 0) {
            snprintf(speed, sizeof speed, "%.1f", 1e-9 * (double)n->products / n->seconds);
            snprintf(peak, sizeof peak, "%.1f%%",
                     100 * (double)n->products / n->seconds / (n->codes ? r->multiply_s : r->fma_s));
        }
        cli_table_row(&t, "%s\t%s\t%.4f\t%.1f%%\t%s\t%s", cli_shown(n->name, name), n->op, 1e3 * n->seconds,
                      u->sum > 0 ? 100 * n->seconds / u->sum : 0, speed, peak);
    }
    cli_table_close(&t, true);
    cli_row(4, "%.4f ms in all, each between barriers", 1e3 * u->sum);
}

static int print_net_speed(cli *c, const precis_net_speed *r, const nodes *u)
{
    if (!c->json) {
        cli_row(2, "%s, %u threads: %.3f ms a run (median %.3f, %u runs), %.3f ms of processor time",
                precis_ctx_cpu(c->ctx), precis_ctx_threads(c->ctx), 1e3 * r->seconds, 1e3 * r->median, r->runs,
                1e3 * r->processor);
        cli_row(2, "%.3f billion products of codes and %.3f of f32; in registers they take %.3f ms here (%.0f and %.0f "
                "billion/s): %.0f %% of that speed", 1e-9 * (double)r->code_products,
                1e-9 * (double)r->products, 1e3 * r->floor, 1e-9 * r->multiply_s, 1e-9 * r->fma_s,
                100 * r->floor / r->seconds);
        if (u->n) print_net_nodes(u, r);
        return cli_done(c);
    }
    json_t *all = json_pack("{s:f, s:f, s:f, s:i, s:f, s:f, s:f}", "ms", 1e3 * r->seconds, "median_ms", 1e3 * r->median,
                            "processor_ms", 1e3 * r->processor, "runs", (int)r->runs, "floor_ms", 1e3 * r->floor,
                            "multiply_s", r->multiply_s, "fma_s", r->fma_s);
    json_object_set_new(all, "code_products", json_integer((json_int_t)r->code_products));
    json_object_set_new(all, "products", json_integer((json_int_t)r->products));
    json_object_set_new(all, "cpu", json_string(precis_ctx_cpu(c->ctx)));
    json_object_set_new(all, "threads", json_integer((json_int_t)precis_ctx_threads(c->ctx)));
    json_t *list = json_array();
    for (size_t i = 0; i < u->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:f, s:I, s:b}", "node", u->nodes[i].name, "op",
                                              u->nodes[i].op, "ms", 1e3 * u->nodes[i].seconds, "products",
                                              (json_int_t)u->nodes[i].products, "codes", u->nodes[i].codes));
    if (u->n) json_object_set_new(all, "nodes", list);
    else json_decref(list);
    return cli_print_json(c, all);
}

int cli_net_bench(cli *c)
{
    int64_t size, seconds;
    int rc = cli_net_size(c, 1, &size);
    if (rc >= 0 || !cli_int(c, "--seconds", 1, 1, 3600, &seconds)) return EXIT_USAGE;
    precis_net *net;
    const precis_status st = precis_net_open(c->ctx, &net, c->args[0]);
    if (st) return cli_fail(c, st);
    cli_net_inputs_made in;
    rc = cli_net_inputs(c, net, size, &in);
    nodes u = { .c = c };
    precis_net_bench_options o = PRECIS_NET_BENCH_OPTIONS_INIT;
    o.seconds = (double)seconds;
    o.user = &u;
    if (cli_has(c, "--nodes")) o.node = take_node;
    if (rc < 0) {
        precis_net_speed r = { .size = sizeof r };
        const precis_status ran = precis_net_bench(net, in.list, in.n, &o, &r);
        rc = ran ? cli_fail(c, ran) : print_net_speed(c, &r, &u);
    }
    cli_net_inputs_free(c, &in);
    free(u.nodes);
    precis_net_close(&net);
    return rc;
}
