/* precis inspect - what is in a model file. */
#include "table.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    { "--tensor", 0, "NAME", "write one tensor as little-endian f32" },
    { "--output", 'o', "OUT.f32|bin", "where --tensor goes (- is stdout)" },
    { "--tensors", 0, NULL, "list the tensors: shape, type, bytes, offset" },
    { "--keys", 0, NULL, "list the metadata too" },
    { "--overflow", 0, NULL,
      "bounds on the integer accumulators of every kernel, from the real weights; exit 1 where one could overflow" },
    { "--check", 0, NULL, "look for NaN and infinity in every tensor" },
    { "--passes", 0, NULL, "of a net of arrays: how many nodes each pass folds, or raises from pieces" },
    { "--size", 0, "SIZES",
      "of a net of arrays: inputs and outputs where what is open has these (48x320, height=48,...)" },
    { "--input", 0, "NAME=N", "of a net of arrays: an input that takes one whole number has this value" },
    { 0 },
};

/* The part of an accumulator's range that a tensor can use. */
static double used_by(const precis_overflow *o) { return (double)o->bound / (double)o->limit; }

static json_t *accumulator(const precis_tensor_info *t, const precis_overflow *o)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:b}", "tensor", t->name, "type", t->type, "kernel",
                     o->kernel, "isa", o->isa, "bits", (int)o->bits, "products", (int)o->products, "bound",
                     (json_int_t)o->bound, "limit", (json_int_t)o->limit, "overflows", o->overflows);
}

/* Every tensor and kernel: how far its accumulators can go. */
static int prove(cli *c, const precis_model *m)
{
    enum { ROWS = 64 };
    precis_overflow rows[ROWS];
    precis_model_info info = { .size = sizeof info };
    const precis_status sound = precis_model_check(m); /* no proof holds for scales that are NaN */
    if (sound) return cli_fail(c, sound);
    precis_model_get_info(m, &info);
    json_t *list = json_array();
    size_t bad = 0, proved = 0, floats = 0;
    cli_table table;
    cli_table_open(&table, "tensor\ttype\tkernel, lane (tightest)\tbound\tlimit\tused");
    for (size_t i = 0; i < info.tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        size_t n, worst = 0;
        const precis_status st = precis_overflow_check(c->ctx, m, i, rows, ROWS, &n);
        if (st) {
            json_decref(list);
            cli_table_close(&table, false);
            return cli_fail(c, st);
        }
        precis_model_get_tensor(m, i, &t);
        floats += !n;
        for (size_t k = 0; k < n; k++) {
            bad += rows[k].overflows != 0;
            proved += !rows[k].overflows;
            if (used_by(&rows[k]) > used_by(&rows[worst])) worst = k;
            json_array_append_new(list, accumulator(&t, &rows[k]));
        }
        if (n) {
            char kernel[64], name[CLI_SHOWN];
            snprintf(kernel, sizeof kernel, "%s/%s, int%u", rows[worst].kernel, rows[worst].isa, rows[worst].bits);
            cli_table_row(&table, "%s\t%s\t%s\t%lld\t%lld\t%.2f%%%s", cli_shown(t.name, name), t.type, kernel,
                          (long long)rows[worst].bound, (long long)rows[worst].limit, 100.0 * used_by(&rows[worst]),
                          rows[worst].overflows ? " OVERFLOWS" : "");
        }
    }
    cli_table_close(&table, !c->json);
    int rc;
    if (c->json)
        rc = cli_print_json(c, json_pack("{s:o, s:I, s:I, s:I}", "accumulators", list, "proved", (json_int_t)proved,
                                         "overflows", (json_int_t)bad, "float_tensors", (json_int_t)floats));
    else {
        json_decref(list);
        if (bad) printf("%zu accumulators could overflow\n", bad);
        else
            cli_say(0, "%zu accumulators proved: none can overflow, whatever the input; %zu tensors are multiplied as "
                    "floats", proved, floats);
        rc = cli_done(c);
    }
    return rc ? rc : bad ? EXIT_NEGATIVE : EXIT_DONE;
}

/* To a pipe: as it is read. */
static int stream_tensor(cli *c, const precis_model *m, size_t i, uint64_t n)
{
    enum { PART = 65536 }; /* a multiple of every block */
    float *x = cli_grow(NULL, PART * sizeof *x);
    if (!x) return cli_fail(c, PRECIS_ENOMEM);
    precis_status st = PRECIS_OK;
    for (uint64_t at = 0; at < n && !st && !ferror(stdout); at += PART) {
        const uint64_t k = n - at < PART ? n - at : PART;
        st = precis_model_read_f32(m, i, at, k, x);
        if (!st) fwrite(x, sizeof *x, k, stdout);
    }
    free(x);
    return st ? cli_fail(c, st) : cli_done(c);
}

static int write_tensor(cli *c, const precis_model *m, const char *name)
{
    const char *path = cli_get(c, "--output");
    if (!path) return cli_usage(c, "--tensor needs -o FILE");
    size_t i;
    precis_status st = precis_model_find_tensor(m, name, &i);
    if (st) return cli_fail(c, st);
    precis_tensor_info info = { .size = sizeof info };
    precis_model_get_tensor(m, i, &info);
    uint64_t n = 1;
    for (uint32_t d = 0; d < info.dims; d++) n *= (uint64_t)info.shape[d];
    if (!strcmp(path, "-")) return stream_tensor(c, m, i, n);
    st = precis_tensor_export(m, i, path);
    if (st) return cli_fail(c, st);
    return c->json ? cli_print_json(c, json_pack("{s:s, s:I}", "out", path, "elements", (json_int_t)n)) : EXIT_DONE;
}

static json_t *tensor_json(const precis_tensor_info *t)
{
    json_t *shape = json_array();
    for (uint32_t d = 0; d < t->dims; d++) json_array_append_new(shape, json_integer(t->shape[d]));
    return json_pack("{s:s, s:o, s:s, s:I, s:I}", "name", t->name, "shape", shape, "type", t->type, "bytes",
                     (json_int_t)t->bytes, "offset", (json_int_t)t->offset);
}

static int print_json(cli *c, const precis_model *m, const precis_model_info *info, json_t *found)
{
    json_t *tensors = json_array();
    json_t *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:f}", "format", info->format, "architecture",
                            info->architecture, "parameters", (json_int_t)info->parameters, "bytes",
                            (json_int_t)info->bytes, "file_bytes", (json_int_t)info->file_bytes, "bits_per_weight",
                            info->bits_per_weight);
    for (size_t i = 0; i < info->tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        json_array_append_new(tensors, tensor_json(&t));
    }
    if (cli_has(c, "--keys")) {
        json_t *keys = json_object();
        for (size_t i = 0; i < info->keys; i++) {
            const char *key;
            char text[4096];
            precis_model_get_key(m, i, &key, text, sizeof text);
            json_object_set_new(keys, key, json_stringn_nocheck(text, strlen(text)));
        }
        json_object_set_new(out, "keys", keys);
    }
    json_object_set_new(out, "tensors", tensors);
    if (found)
        json_object_set_new(out, "check",
                            json_pack("{s:b, s:O}", "finite", json_array_size(found) == 0, "found", found));
    json_decref(found);
    return cli_print_json(c, out);
}

static void print_keys(const precis_model *m, const precis_model_info *info)
{
    for (size_t i = 0; i < info->keys; i++) {
        const char *key;
        char text[160], clean[CLI_SHOWN], name[CLI_SHOWN];
        precis_model_get_key(m, i, &key, text, sizeof text);
        cli_row(cli_columns() >= 96 ? 47 : 6, "  %-44s %s", cli_shown(key, name), cli_shown(text, clean));
    }
}

static void print_tensors(const precis_model *m, const precis_model_info *info)
{
    cli_table table;
    putchar('\n');
    cli_table_open(&table, "tensor\t<shape\t<type\tbytes\toffset");
    for (size_t i = 0; i < info->tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        char shape[96] = "", name[CLI_SHOWN];
        for (uint32_t d = 0, at = 0; d < t.dims && at < 80; d++)
            at += (uint32_t)snprintf(shape + at, sizeof shape - at, "%s%lld", d ? " x " : "", (long long)t.shape[d]);
        cli_table_row(&table, "%s\t%s\t%s\t%llu\t%llu", cli_shown(t.name, name), shape, t.type,
                      (unsigned long long)t.bytes, (unsigned long long)t.offset);
    }
    cli_table_close(&table, true);
}

/* A whole number of the metadata, ARCHITECTURE.NAME; 0: there is none. */
static long long number_of(const precis_model *m, const precis_model_info *info, const char *name)
{
    char want[128], text[64];
    snprintf(want, sizeof want, "%s.%s", info->architecture, name);
    for (size_t i = 0; i < info->keys; i++) {
        const char *key;
        precis_model_get_key(m, i, &key, text, sizeof text);
        if (!strcmp(key, want)) return strtoll(text, NULL, 10);
    }
    return 0;
}

/* Rows of the embedding: its other side is as wide as the net, whichever of them the file names first. */
static long long vocabulary_of(const precis_model *m, long long width)
{
    size_t at;
    precis_tensor_info t = { .size = sizeof t };
    if (precis_model_find_tensor(m, "token_embd.weight", &at)) return 0;
    precis_model_get_tensor(m, at, &t);
    return t.dims == 2 ? (long long)t.shape[t.shape[0] == width] : 0;
}

static void print_kinds(const precis_model *m, const precis_model_info *info)
{
    struct { const char *name; size_t n; uint64_t bytes; } kinds[64] = { { 0 } }, top;
    size_t n = 0, used = 0;
    char line[2048] = "", size[32];
    for (size_t i = 0; i < info->tensors; i++) {
        precis_tensor_info t = { .size = sizeof t };
        size_t k = 0;
        precis_model_get_tensor(m, i, &t);
        while (k < n && strcmp(kinds[k].name, t.type)) k++;
        if (k == n && n < 63) kinds[n++].name = t.type;
        kinds[k].n++;
        kinds[k].bytes += t.bytes;
    }
    for (size_t i = 0; i < n && used < sizeof line; i++) { /* the largest first */
        size_t best = i;
        for (size_t k = i + 1; k < n; k++)
            if (kinds[k].bytes > kinds[best].bytes) best = k;
        memcpy(&top, &kinds[best], sizeof top);
        memcpy(&kinds[best], &kinds[i], sizeof top);
        memcpy(&kinds[i], &top, sizeof top);
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%s %.0f %% (%s in %zu tensor%s)", i ? ", " : "",
                                 top.name, 100 * (double)top.bytes / (double)(info->bytes ? info->bytes : 1),
                                 cli_bytes((double)top.bytes, size), top.n, top.n == 1 ? "" : "s");
    }
    cli_say(2, "types: %s", line);
}

static void print_summary(const precis_model *m, const precis_model_info *info)
{
    char a[32], b[32], name[CLI_SHOWN];
    const long long layers = number_of(m, info, "block_count"), width = number_of(m, info, "embedding_length"),
                    heads = number_of(m, info, "attention.head_count"),
                    keys = number_of(m, info, "attention.head_count_kv"),
                    inner = number_of(m, info, "feed_forward_length"), vocabulary = vocabulary_of(m, width),
                    context = number_of(m, info, "context_length");
    printf("%s", cli_color(CLI_BOLD));
    cli_say(2, "%s, %s: %llu parameters in %zu tensors, %.2f bits per weight", info->format,
            *info->architecture ? cli_shown(info->architecture, name) : "no architecture",
            (unsigned long long)info->parameters, info->tensors, info->bits_per_weight);
    printf("%s", cli_color(CLI_PLAIN));
    cli_say(2, "size: file %s, of which tensors %s", cli_bytes((double)info->file_bytes, a),
            cli_bytes((double)info->bytes, b));
    if (layers)
        cli_say(2, "net: %lld layers of width %lld, feed-forward %lld, %lld heads (%lld of keys)", layers, width, inner,
                heads, keys ? keys : heads);
    if (context && vocabulary) cli_say(2, "context: %lld tokens; vocabulary: %lld", context, vocabulary);
    else if (context) cli_say(2, "context: %lld tokens", context);
    print_kinds(m, info);
}

/* The verdict of --check: *list, when it is not NULL, gets what was found. -1, or an exit code. */
static int check(cli *c, const precis_model *m, const precis_model_info *info, json_t *list)
{
    int bad = 0;
    for (size_t i = 0; i < info->tensors; i++) {
        int found;
        uint64_t element;
        float value;
        precis_tensor_info t = { .size = sizeof t };
        precis_model_get_tensor(m, i, &t);
        const precis_status st = precis_model_check_finite(m, i, &found, &element, &value);
        if (st == PRECIS_EUNSUPPORTED) continue;
        if (st) return cli_fail(c, st);
        if (!found) continue;
        bad += cli_error(c, "tensor %s: element %llu is %g", t.name, (unsigned long long)element, (double)value) > 0;
        char text[32];
        snprintf(text, sizeof text, "%g", (double)value);
        if (list)
            json_array_append_new(list, json_pack("{s:s, s:I, s:s}", "tensor", t.name, "element", (json_int_t)element,
                                                  "value", text));
    }
    if (!bad && !c->quiet) fprintf(stderr, "all numbers are finite\n");
    return bad ? EXIT_NEGATIVE : -1;
}

static int run(cli *c)
{
    if (precis_net_probe(c->ctx, c->args[0])) return cli_net_inspect(c);
    if (cli_has(c, "--passes"))
        return cli_usage(c, "--passes is for nets of arrays (ONNX, .pt2); %s is none", c->args[0]);
    precis_model *m;
    const precis_status st = precis_model_open(c->ctx, &m, c->args[0]);
    if (st) return cli_fail(c, st);
    precis_model_info info = { .size = sizeof info };
    precis_model_get_info(m, &info);
    const bool checks = cli_has(c, "--check");
    json_t *found = checks && c->json ? json_array() : NULL;
    int rc = checks ? check(c, m, &info, found) : -1;
    if (found && (rc < 0 || rc == EXIT_NEGATIVE)) {
        const int printed = print_json(c, m, &info, found);
        rc = printed ? printed : rc < 0 ? EXIT_DONE : rc;
    } else if (rc >= 0) {}
    else if (cli_has(c, "--overflow")) rc = prove(c, m);
    else if (cli_has(c, "--tensor")) rc = write_tensor(c, m, cli_get(c, "--tensor"));
    else if (c->json) rc = print_json(c, m, &info, NULL);
    else {
        print_summary(m, &info);
        if (cli_has(c, "--keys")) print_keys(m, &info);
        if (cli_has(c, "--tensors")) print_tensors(m, &info);
        else cli_say(2, "(--tensors lists them, --keys the metadata)");
        rc = cli_done(c);
    }
    precis_model_close(&m);
    return rc;
}

const cli_command cli_inspect = {
    "inspect", "MODEL", "what is in a model file, and is it whole",
    "Reads GGUF (split too), safetensors (file or folder) and llama2.c checkpoints, mapped, not copied. Of a folder "
    "it reads\n"
    "what transformers would: model.safetensors, else the shards of its index; a file beside a config.json finds its "
    "folder.\n"
    "It prints a summary; --tensors lists the tensors. --json gives format, architecture, parameters, bytes, "
    "bits_per_weight and every tensor's name, shape, type,\n"
    "bytes and offset. --tensor NAME -o RAW writes one tensor as f32.\n"
    "Of an ONNX net: inputs, outputs, and every op with its number; --json gives ops, unsupported, inputs and\n"
    "outputs.",
    1, 1, options, run,
    "  precis inspect model.gguf\n"
    "  precis inspect model.gguf --tensors --keys\n"
    "  precis inspect model.gguf --check\n"
    "  precis inspect small.gguf --overflow\n"
    "  precis inspect model.gguf --tensor token_embd.weight -o embedding.f32\n",
    NULL,
};
